"""Incidents as alerts: one alert for each, opened, kept up to date and resolved with it, and its story."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from autoscaler.domain.alert import Alert, Severity, labels_of
from autoscaler.domain.alert_story import (
    MOST_COMMAND,
    MOST_FIGURE,
    MOST_FIGURES,
    MOST_POINTS,
    MOST_SENTENCE,
    Course,
    Story,
)
from autoscaler.domain.alert_text import MOST_DESCRIPTION, MOST_LABEL, MOST_SUMMARY, plain
from autoscaler.domain.anomaly import Cause
from autoscaler.domain.incident import Happening, Incident, News, short
from autoscaler.reporting.anomaly_words import act_of

NAME: Final = "ForesailIncident"
RESOLVED_S: Final = 900.0
_DID = {
    None: "Foresail scales as before.",
    Cause.DEMAND: "Foresail scales as before.",
    Cause.CAPACITY: "Foresail does not shrink it while this lasts.",
    Cause.LATENCY_ERRORS: "Foresail does not shrink it while this lasts.",
    Cause.DATA_FAULT: "Foresail does not move it, and learns nothing from this data.",
    Cause.SENSOR_LOSS: "Foresail does not move it, and learns nothing from this data.",
    Cause.SUSPECTED_ATTACK: "Foresail grows it to what is needed now, not by forecast, and learns nothing from this.",
}


@dataclass(slots=True)
class IncidentAlerts:
    """Turns news into alerts. common: labels of every alert. standing: those that last, and those that ended lately."""

    common: dict[str, str] = field(default_factory=dict)
    _alerts: dict[str, Alert] = field(default_factory=dict)

    def restore(self, opened: Iterable[Incident]) -> None:
        """After a restart: what was open stands on."""
        self._alerts |= {one.id: self._alert(one) for one in opened}

    def of(self, news: Sequence[News], now_s: float) -> list[Alert]:
        changed: list[Alert] = []
        for each in news:
            one = each.incident
            alert, before = self._alert(one), self._alerts.get(one.id)
            former: Alert | None = None
            if before is not None and before.firing:
                if one.resolved_s is not None:
                    alert = before.resolved(one.resolved_s)
                elif before.key == alert.key:
                    alert = replace(alert, starts_s=before.starts_s)
                else:  # another severity is another alert: whoever heard of the former one hears of its end
                    alert, former = replace(alert, starts_s=now_s), before.resolved(now_s)
                if each.happening is Happening.UPDATED and before == alert:
                    continue
            self._alerts.pop(f"{one.id} {alert.key}", None)
            self._alerts[one.id] = alert
            changed.append(alert)
            if former is not None:
                self._alerts[f"{one.id} {former.key}"] = former
                changed.append(former)
        over = now_s - RESOLVED_S
        self._alerts = {k: a for k, a in self._alerts.items() if a.firing or (a.resolved_s or 0.0) >= over}
        return changed

    @property
    def standing(self) -> tuple[Alert, ...]:
        return tuple(self._alerts.values())

    def _alert(self, one: Incident) -> Alert:
        namespace, _, name = one.workloads[0].partition("/")
        named = {"incident": one.id, "cause": "Unexplained" if one.cause is None else one.cause.value}
        named |= {"scope": "fleet"} if one.fleet_wide else {"namespace": namespace, "workload": name}
        labels = {key: plain(value, MOST_LABEL) or "?" for key, value in named.items() if key != "cause"}
        return Alert(
            NAME, severity_of(one), labels_of(labels | self.common), plain(one.title, MOST_SUMMARY),
            plain(one.why, MOST_DESCRIPTION), one.opened_s, resolved_s=one.resolved_s, incident=f"incident:{one.id}",
            story=story_of(one),
        )  # fmt: skip


def severity_of(one: Incident) -> Severity:
    """What may cost callers something pages; a lost signal, a shape or a few replicas more can wait."""
    if not one.gates or one.cause in {None, Cause.DEMAND}:
        return Severity.INFO if one.cause in {None, Cause.SENSOR_LOSS} else Severity.WARNING
    return Severity.CRITICAL


def story_of(one: Incident) -> Story:
    act = act_of(one)
    figures = [
        (plain(each.metric, MOST_FIGURE) or "?", plain(_figure(each.observed, each.expected), MOST_FIGURE))
        for each in one.evidence[:MOST_FIGURES]
    ]
    trail = one.trails[0] if one.trails else None
    course = None
    if trail is not None and trail.observed and any(map(math.isfinite, trail.observed)):
        name = plain(trail.metric, MOST_FIGURE) or "?"
        course = Course(name, trail.step_s, trail.observed[-MOST_POINTS:], trail.expected[-MOST_POINTS:])
    return Story(
        figures=tuple(figures), why=plain(one.rule.words, MOST_SENTENCE), did=plain(_DID[one.cause], MOST_SENTENCE),
        next_step=plain(act.words, MOST_SENTENCE), command=plain(act.command, MOST_COMMAND), course=course,
    )  # fmt: skip


def _figure(observed: float, expected: float) -> str:
    said = short(observed) if math.isfinite(observed) else "unknown"
    return f"{said}, expected {short(expected)}" if math.isfinite(expected) else said
