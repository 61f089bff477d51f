"""Pauses without an end, as metrics to alert on and as an event of the log."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from autoscaler.domain.reminders import OpenPause

log = logging.getLogger("foresail")


class ReminderMetrics:
    """Implements ports.Reminders. A pause that is over leaves no gauge behind."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("policy",)
        self._reminders = Counter(
            "foresail_pause_reminders", "Reminders of pauses without an end: at once, then daily.", labels,
            registry=registry,
        )  # fmt: skip
        self._since = Gauge(
            "foresail_pause_open_since_timestamp_seconds", "Since when a policy pauses without an end.", labels,
            registry=registry,
        )  # fmt: skip
        self._workloads = Gauge("foresail_pause_open_workloads", "Workloads that it pauses.", labels, registry=registry)
        self._shown: set[str] = set()

    def remind(self, pause: OpenPause) -> None:
        self._reminders.labels(pause.policy).inc()
        log.warning("pause_without_end policy=%s: %s", pause.policy, pause.words)

    def show(self, pauses: Mapping[str, OpenPause]) -> None:
        """What is in force now."""
        for policy, pause in pauses.items():
            self._since.labels(policy).set(pause.since_s)
            self._workloads.labels(policy).set(pause.workloads)
        for gone in self._shown - pauses.keys():
            self._since.remove(gone)
            self._workloads.remove(gone)
        self._shown = set(pauses)
