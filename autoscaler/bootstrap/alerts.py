"""What on-call hears: looks at each tick, keeps the book of alerts, hands changes to those who bring them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from autoscaler.adapters.alert_metrics import AlertMetrics
from autoscaler.adapters.alerting.courier import Courier
from autoscaler.adapters.telemetry import SourceFacts
from autoscaler.bootstrap.alert_book import RESOLVED_S, AlertBook
from autoscaler.domain.alert import Alert, Severity
from autoscaler.domain.alert_causes import Cause
from autoscaler.domain.alert_sightings import Demotions, Sighting, sightings
from autoscaler.domain.decision import Decisions
from autoscaler.domain.ladder import Why
from autoscaler.domain.reminders import OpenPause
from autoscaler.domain.workload import Mode, WorkloadRef
from autoscaler.ports.alerts import Outbox

log = logging.getLogger("foresail")
DROPS_TOLD_S: Final = 900.0
SELF: Final = (Cause.TICKS_FAILING, Cause.NOTIFIER_FAILING, Cause.NOTIFICATIONS_DROPPED, Cause.WATCHDOG)
"""Causes that are known though a tick failed."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What a tick shows beside its decisions. errors: source → why nothing can come from there."""

    sources: Sequence[SourceFacts] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    pauses: Mapping[str, OpenPause] = field(default_factory=dict)


@dataclass(slots=True)
class AlertDesk:
    """Nothing here raises into a tick or makes it wait. leads: whether this process is the one that tells.

    real: a real cluster is acted in, so that floors are held there.
    """

    book: AlertBook
    courier: Courier
    metrics: AlertMetrics
    outbox: Outbox
    leads: Callable[[], bool] = lambda: True
    real: bool = False
    _demotions: Demotions = field(default_factory=Demotions)
    _told_demoted: tuple[Alert, ...] = ()
    _others: tuple[Alert, ...] = ()
    _led: bool | None = None
    _raised: set[WorkloadRef] = field(default_factory=set)
    _lost: dict[str, int] = field(default_factory=dict)
    _lost_at_s: dict[str, float] = field(default_factory=dict)
    _failed_since_s: float | None = None

    def begin(self, now_s: float) -> None:
        """Before the first tick: take up what stood, and start to carry."""
        try:
            standing = self.outbox.standing(now_s - RESOLVED_S)
            self.book.restore(standing, now_s)
            demoted = Cause.FORECAST_DEMOTED.alert
            self._told_demoted = tuple(a for a in standing if a.firing and a.name == demoted)
        except Exception:
            log.exception("alerts_not_restored: those that last begin anew")
        self._lead()
        self.courier.start()

    def look(self, decisions: Decisions, beside: Beside) -> None:
        """After a tick that succeeded."""
        try:
            self._failed_since_s = None
            self._demotions = self._remembered(decisions).after(decisions)
            found = list(sightings(decisions, self._demotions.rows(decisions.fleet)))
            found += self._beside(beside, {one.subject for one in found})
            found += self._own(decisions.now_s)
            self._floors(decisions)
            self.metrics.problems(found)
            self._take(found, decisions.now_s, tuple(Cause))
        except Exception:
            log.exception("alerts_not_looked_at")

    def _remembered(self, decisions: Decisions) -> Demotions:
        """At the first look, with the demotions told before a restart; of a summary all that may be meant."""
        standing, told = decisions.seen.standing, self._told_demoted
        if not told or standing is None:
            return self._demotions
        self._told_demoted = ()
        named = {tuple(alert.label(name) for name in ("namespace", "workload", "demand")) for alert in told}
        many = any(alert.label("scope") for alert in told)
        found = np.zeros(len(decisions.fleet.demands), dtype=np.bool_)
        for row, demand in enumerate(decisions.fleet.demands):
            ref = decisions.fleet.workloads[int(decisions.fleet.row_lane[row])].ref
            found[row] = (ref.namespace, ref.name, demand.name) in named
            found[row] |= many and int(standing["why"][row]) not in {Why.QUALIFIED, Why.SHORT_HISTORY}
        known = self._demotions.over(decisions.fleet)
        return replace(known, demoted=known.demoted | found)

    def tell(self, changes: Sequence[Alert], standing: tuple[Alert, ...]) -> None:
        """Alerts of another book, such as incidents: those that changed, and all of it that stands."""
        self._others = standing
        self.courier.hand(changes, standing=(*self.book.standing, *standing))

    def failed(self, now_s: float, words: str) -> None:
        """After a tick that failed: of the workloads nothing new is known."""
        try:
            if self._failed_since_s is None:
                self._failed_since_s = now_s
            said = f"no tick has succeeded since; the newest says {words}"
            found = [Sighting(Cause.TICKS_FAILING, (), said, self._failed_since_s), *self._own(now_s)]
            self._take(found, now_s, SELF)
        except Exception:
            log.exception("alerts_not_looked_at")

    def close(self) -> None:
        self.courier.close()

    def _take(self, found: Iterable[Sighting], now_s: float, known: Sequence[Cause]) -> None:
        changes = self.book.look(found, now_s, known)
        for alert in changes:
            level = logging.WARNING if alert.severity >= Severity.WARNING else logging.INFO
            log.log(level, "alert_%s %s: %s", "begins" if alert.firing else "ends", alert.name, alert.summary)
        standing = (*self.book.standing, *self._others)
        began_to_lead = self._lead()
        # the one who led before us may have told the opposite of what waits
        self.courier.hand(standing if began_to_lead else changes, standing=standing, afresh=began_to_lead)
        self.metrics.opened(self.book.open)
        self.courier.show()

    def _lead(self) -> bool:
        """True when the telling has just passed to us. Who tells from the start goes on with what waited."""
        leads = self.leads()
        passed = leads and self._led is False
        if leads != self._led:
            for carrier in self.courier.carriers:
                self.metrics.succeeded(carrier.notifier.name, 0.0 if leads else None)
        if not passed:  # else with the first of what stands
            self.courier.leads = leads
        self._led = leads
        return passed

    def _beside(self, beside: Beside, seen: Iterable[tuple[str, object]]) -> Iterator[Sighting]:
        told = set(seen)
        for source in beside.sources:
            labels = (("source", source.name),)
            if source.up is False and (Cause.SOURCE_DOWN.value, labels) not in told:
                yield Sighting(Cause.SOURCE_DOWN, labels, beside.errors.get(source.name, "it does not answer"))
        for policy, pause in beside.pauses.items():
            yield Sighting(Cause.PAUSE_OPEN, (("policy", policy),), pause.words, pause.since_s)

    def _own(self, now_s: float) -> Iterator[Sighting]:
        """Of the telling itself: a destination that is dead is told to the others."""
        if not self.courier.carriers:
            return
        yield Sighting(Cause.WATCHDOG, (), "always there: tell somebody when it is not, for then alerts do not arrive")
        if not self.leads():
            return
        for name, (since_s, why) in self.courier.failing().items():
            yield Sighting(Cause.NOTIFIER_FAILING, (("destination", name),), f"it takes no alerts: {why}", since_s)
        for name, lost in self.courier.lost().items():
            if lost > self._lost.get(name, 0):
                self._lost[name], self._lost_at_s[name] = lost, now_s
            if now_s - self._lost_at_s.get(name, float("-inf")) < DROPS_TOLD_S:
                words = (
                    f"it will never hear of {lost} changes of alerts: look at what is open in `foresail_alerts_open`"
                )
                yield Sighting(Cause.NOTIFICATIONS_DROPPED, (("destination", name),), words)

    def _floors(self, decisions: Decisions) -> None:
        """A lane that cannot be read now has the floor that it had."""
        loads, status = decisions.fleet.workloads, decisions.status
        raised = status.known & (status.floor > np.maximum(status.own_floor, 1))
        if not self.real or not (np.any(raised) or self._raised):
            self._raised = set()
        else:
            ours = (loads[lane] for lane in np.flatnonzero(raised).tolist())
            now = {load.ref for load in ours if load.actuation.is_floor and load.mode is Mode.ACT}
            unread = {loads[lane].ref for lane in np.flatnonzero(~status.known).tolist()}
            self._raised = now | (self._raised & unread)
        self.metrics.floors(len(self._raised))
