"""Gauges and counters of an operator beside those of its service: who leads, how old the copies are, what was told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge


class WatchFacts(NamedTuple):
    """path: of the list that is watched. silent_s: since the server last spoke of it."""

    path: str
    up: bool
    silent_s: float
    objects: int


class OperatorMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._leader = Gauge("foresail_leader", "1 while this process may write.", registry=registry)
        self._terms = Gauge("foresail_lease_terms", "Terms that this process has had.", registry=registry)
        labels = ("path",)
        self._up = Gauge("foresail_watch_up", "1 while the newest attempt worked.", labels, registry=registry)
        self._silent = Gauge(
            "foresail_watch_silent_seconds", "Since the API server last spoke.", labels, registry=registry
        )
        self._objects = Gauge("foresail_watch_objects", "Objects that were read.", labels, registry=registry)
        self.statuses = Counter("foresail_status_writes", "Statuses by result.", ("result",), registry=registry)
        self.events = Counter("foresail_events", "Events by result.", ("result",), registry=registry)
        for counter in (self.statuses, self.events):
            for result in ("ok", "failed"):
                counter.labels(result)

    def observe(self, watches: Iterable[WatchFacts], terms: int, *, leads: bool) -> None:
        self._leader.set(leads)
        self._terms.set(terms)
        for watch in watches:
            self._up.labels(watch.path).set(watch.up)
            self._silent.labels(watch.path).set(watch.silent_s)
            self._objects.labels(watch.path).set(watch.objects)
