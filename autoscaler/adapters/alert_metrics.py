"""What is wrong, what on-call was told, and whether it could be told at all, as metrics to alert on."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from autoscaler.domain.alert import Alert, Severity
from autoscaler.domain.alert_causes import HABITS, Cause
from autoscaler.domain.alert_sightings import Sighting
from autoscaler.ports.alerts import Outcome

_OF_WORKLOADS = ("namespace", "name", "cause")


class AlertMetrics:
    """Labels: workloads, causes and destinations, all of them few and known."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._problem = Gauge(
            "foresail_problem", "1 while a cause of an alert is seen at a workload; absent otherwise.", _OF_WORKLOADS,
            registry=registry,
        )  # fmt: skip
        self._floors = Gauge(
            "foresail_floors_raised",
            "Floors that we hold above their owners' own in a real cluster.",
            registry=registry,
        )
        self._open = Gauge("foresail_alerts_open", "Alerts that last.", ("alertname", "severity"), registry=registry)
        for cause in Cause:
            self._open.labels(cause.alert, HABITS[cause].severity.word).set(0)
        self.sent = Counter(
            "foresail_notifications", "Sendings of alerts by result: delivered, later, refused, shut.",
            ("destination", "result"), registry=registry,
        )  # fmt: skip
        self._dropped = Counter(
            "foresail_notifications_dropped", "Changes of alerts that a destination will never hear of.",
            ("destination",), registry=registry,
        )  # fmt: skip
        self._held = Counter(
            "foresail_notifications_held", "Alerts that a destination was not told of, by why: route, silence, limit.",
            ("destination", "why"), registry=registry,
        )  # fmt: skip
        self._waiting = Gauge(
            "foresail_notifications_waiting", "Changes of alerts that wait for a destination.", ("destination",),
            registry=registry,
        )  # fmt: skip
        self._success = Gauge(
            "foresail_notifications_last_success_timestamp_seconds",
            "When a destination last took alerts, 0 = never since the start; absent while another process sends.",
            ("destination",),
            registry=registry,
        )
        self._shown: set[tuple[str, str, str]] = set()
        self._counted: Tally[str] = Tally()

    def introduce(self, destinations: Iterable[str]) -> None:
        """Counters that are born at one have a first rise that no rate() sees."""
        for name in destinations:
            for outcome in Outcome:
                self.sent.labels(name, outcome.value)
            self._dropped.labels(name)
            self._waiting.labels(name).set(0)

    def held(self, destination: str, why: str) -> None:
        """An alert is not told there, by a rule of the file of notifications."""
        self._held.labels(destination, why).inc()

    def succeeded(self, destination: str, at_s: float | None) -> None:
        """at_s: 0 = never so far; None = it is not ours to send now."""
        if at_s is not None:
            self._success.labels(destination).set(at_s)
            return
        try:
            self._success.remove(destination)
        except KeyError:
            return

    def queues(self, lengths: Mapping[str, int], dropped: Mapping[str, int]) -> None:
        for name, length in lengths.items():
            self._waiting.labels(name).set(length)
        for name, count in dropped.items():
            self._dropped.labels(name).inc(count - self._counted[name])
            self._counted[name] = count

    def problems(self, seen: Iterable[Sighting]) -> None:
        """Of workloads; sources, policies and destinations have metrics of their own."""
        now = set()
        for one in seen:
            labels = dict(one.labels)
            if "workload" in labels:
                now.add((labels["namespace"], labels["workload"], one.cause.value))
        for gone in self._shown - now:
            self._problem.remove(*gone)
        for new in now - self._shown:
            self._problem.labels(*new).set(1)
        self._shown = now

    def floors(self, raised: int) -> None:
        self._floors.set(raised)

    def opened(self, alerts: Iterable[Alert]) -> None:
        counts: dict[tuple[str, Severity], int] = {(cause.alert, HABITS[cause].severity): 0 for cause in Cause}
        for alert in alerts:
            counts[alert.name, alert.severity] = counts.get((alert.name, alert.severity), 0) + 1
        for (name, severity), count in counts.items():
            self._open.labels(name, severity.word).set(count)
