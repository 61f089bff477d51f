"""What on-call hears about: each cause with its severity and with how long it must last. docs/alerts.md has the table.

Few of them page: demand that nobody can see or that a limit leaves without replicas. The rest can wait for the morning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from autoscaler.domain.alert import Severity


class Cause(StrEnum):
    """Codes are stable: alert names are "Foresail" and the code, the label `cause` of foresail_problem is the code."""

    HOLDING_AT_RISK = "HoldingAtRisk"
    FALLBACK_ACTIVE = "FallbackActive"
    LIMIT_BELOW_NEED = "LimitBelowNeed"
    RISK_ABOVE_ASKED = "RiskAboveAsked"
    FORECAST_DEMOTED = "ForecastDemoted"
    CONFLICT = "Conflict"
    NOT_WRITING = "NotWriting"
    SOURCE_DOWN = "SourceDown"
    PAUSE_OPEN = "PauseOpen"
    TICKS_FAILING = "TicksFailing"
    NOTIFIER_FAILING = "NotifierFailing"
    NOTIFICATIONS_DROPPED = "NotificationsDropped"
    WATCHDOG = "Watchdog"

    @property
    def alert(self) -> str:
        return f"Foresail{self.value}"


@dataclass(frozen=True, slots=True)
class Habit:
    """severity: of its alerts. after_s: a cause must last so long before it is told. over_s: it must be gone for so
    long before it is over; a gap within is none. many: what several of it are called in a summary.
    """

    severity: Severity
    after_s: float
    over_s: float
    many: str


HABITS: Mapping[Cause, Habit] = {
    Cause.HOLDING_AT_RISK: Habit(
        Severity.CRITICAL, 600, 120, "workloads are held, and nobody can say that their replicas are enough"
    ),
    Cause.FALLBACK_ACTIVE: Habit(Severity.CRITICAL, 60, 300, "workloads run on their fallback"),
    Cause.LIMIT_BELOW_NEED: Habit(Severity.CRITICAL, 120, 300, "workloads need more replicas than a limit allows"),
    Cause.RISK_ABOVE_ASKED: Habit(Severity.WARNING, 1800, 3600, "workloads were short more often than was accepted"),
    Cause.FORECAST_DEMOTED: Habit(Severity.WARNING, 0, 120, "forecasts no longer beat yesterday's demand"),
    Cause.CONFLICT: Habit(Severity.WARNING, 300, 600, "workloads are decided about by somebody else too"),
    Cause.NOT_WRITING: Habit(Severity.WARNING, 300, 600, "workloads cannot be written, and stay as they are"),
    Cause.SOURCE_DOWN: Habit(Severity.WARNING, 300, 120, "metrics sources do not answer"),
    Cause.PAUSE_OPEN: Habit(Severity.INFO, 86_400, 0, "policies pause without an end"),
    Cause.TICKS_FAILING: Habit(Severity.CRITICAL, 300, 60, "services do not decide"),
    Cause.NOTIFIER_FAILING: Habit(Severity.WARNING, 300, 60, "destinations of alerts do not take them"),
    Cause.NOTIFICATIONS_DROPPED: Habit(Severity.WARNING, 0, 900, "destinations have lost notifications"),
    Cause.WATCHDOG: Habit(Severity.NONE, 0, 0, "watchdogs"),
}
