"""When not to ask: a source that does not answer, and a query that was too heavy a moment ago."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from autoscaler.adapters.prometheus.faults import QueryFault, fault
from autoscaler.domain.series import DataVerdict

FIRST_REST_S = 30.0
LONGEST_REST_S = 900.0


class Patience:
    """How many queries in a row may go unanswered before the rest of a load is not asked.

    As many as are under way together, two at least: one slow query among others that are answered never counts,
    and a source that answers nothing costs one timeout and not one per query.
    """

    def __init__(self, concurrency: int) -> None:
        self._most = max(2, concurrency)
        self._lock = threading.Lock()
        self._silent = 0
        self._last: QueryFault | None = None
        self._dark = False

    @property
    def probing(self) -> bool:
        """Whether the last load found the source silent: one query goes ahead of the others."""
        return self._dark

    def start_load(self) -> None:
        self._silent = self._most - 1 if self._dark else 0

    def check(self) -> None:
        """Raise the source's last fault where nobody answers."""
        with self._lock:
            if self._silent >= self._most and self._last is not None:
                raise fault(self._last.verdict, self._last.note)

    def failed(self, failed: QueryFault) -> None:
        with self._lock:
            if failed.verdict == DataVerdict.UNREACHABLE:
                self._silent, self._last = self._silent + 1, failed
                self._dark = self._silent >= self._most
            elif failed.verdict != DataVerdict.THROTTLED:
                self._silent, self._dark = 0, False

    def answered(self) -> None:
        with self._lock:
            self._silent, self._dark = 0, False


@dataclass(slots=True)
class _Rest:
    until_s: float
    times: int
    note: str


class Resting(QueryFault):
    """Not asked now, because it was too heavy when it was."""


class Heavy:
    """Queries that were too heavy: asked in smaller pieces once, then left alone for longer and longer."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._points: dict[str, int] = {}
        self._resting: dict[str, _Rest] = {}

    def points(self, query: str, most: int) -> int:
        """Steps per request that this query was last answered with."""
        return min(most, self._points.get(query, most))

    def rests(self, query: str) -> str | None:
        """Why it is not asked now; None = it may be."""
        with self._lock:
            rest = self._resting.get(query)
            return rest.note if rest is not None and self._clock() < rest.until_s else None

    def check(self, query: str) -> None:
        note = self.rests(query)
        if note is not None:
            raise Resting(DataVerdict.TOO_HEAVY, note)

    @staticmethod
    def asked(failed: QueryFault) -> bool:
        """Whether the fault is the source's and not our own rest."""
        return not isinstance(failed, Resting)

    def failed(self, query: str, failed: QueryFault, *, newest: bool) -> None:
        """A query whose older steps alone are too heavy goes on being asked for its newest."""
        if failed.verdict != DataVerdict.TOO_HEAVY or isinstance(failed, Resting) or not newest:
            return
        with self._lock:
            times = self._resting[query].times + 1 if query in self._resting else 0
            rest_s = min(LONGEST_REST_S, FIRST_REST_S * 2.0 ** min(times, 10))
            self._resting[query] = _Rest(self._clock() + rest_s, times, failed.note)

    def answered(self, query: str, points: int | None) -> None:
        with self._lock:
            self._resting.pop(query, None)
            if points is not None:
                self._points[query] = points

    def forget_others(self, kept: set[str]) -> None:
        with self._lock:
            self._points = {q: n for q, n in self._points.items() if q in kept}
            self._resting = {q: r for q, r in self._resting.items() if q in kept}
