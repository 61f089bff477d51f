"""What speaks against a value that is there: its samples are old, or its series are there twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from autoscaler.adapters.prometheus.decode import Answer
from autoscaler.adapters.prometheus.diagnosis import Asker, why_doubled
from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.adapters.prometheus.promql import duplicates_query, freshness_query, reading
from autoscaler.adapters.prometheus.rows import Grid, Row
from autoscaler.domain.series import Bools, DataVerdict

NEWEST_STEPS = 120
LOOK_AGAIN_S = 600.0
MOST_LOOKS = 200


class RangeAsker(Asker, Protocol):
    def range(
        self, query: str, first_s: float, end_s: float, step_s: int, deadline_s: float | None = None
    ) -> Answer: ...


class Freshness:
    """Is the newest sample behind each of the newest values young enough?"""

    def __init__(self, client: RangeAsker, stale_after_s: float) -> None:
        self._client = client
        self._stale_after_s = stale_after_s

    def judge(self, row: Row) -> None:
        """Mark newest steps whose samples are older than allowed; where their age cannot be had, no shrinking."""
        part = row.grid.newest(NEWEST_STEPS)
        low = part.first - row.grid.first
        selectors = reading(row.query).current
        if not selectors or not row.valued()[low:].any():
            return
        where = np.zeros(row.grid.width, dtype=np.bool_)
        try:
            answer = self._client.range(freshness_query(selectors), part.first_s, part.end_s, part.step_s)
        except QueryFault as failed:
            where[low:] = True
            row.mark(where, DataVerdict.PARTIAL, f"the age of its samples could not be asked: {failed.note}")
            return
        oldest = np.full(part.width, np.inf)
        for one in answer.series:
            columns = part.columns(one.times)
            inside = (columns >= 0) & (columns < part.width)
            oldest[columns[inside]] = np.minimum(oldest[columns[inside]], one.values[inside])
        age_s = np.where(np.isfinite(oldest), part.times() - oldest, 0.0)
        where[low:] = age_s > self._stale_after_s
        words = f"the newest sample is {age_s[-1]:.0f} s old, more than {self._stale_after_s:.0f} s"
        row.mark(where, DataVerdict.STALE, words)


@dataclass(frozen=True, slots=True)
class _Look:
    """first: step from which on the past is known. again_s: when the present is looked at again."""

    first: int
    again_s: float


class Doubles:
    """Does a sum count a series twice? Asked at first sight over the whole row, then every ten minutes."""

    def __init__(self, client: RangeAsker, replica_labels: Sequence[str], clock: Callable[[], float]) -> None:
        self._client, self._clock = client, clock
        self._labels = tuple(replica_labels)
        self._looks: dict[tuple[str, int], _Look] = {}
        self._lock = threading.Lock()

    def judge(self, row: Row) -> None:
        """Mark the steps in which series were doubled. While they are, every load looks."""
        selectors = reading(row.query).current
        query = duplicates_query(selectors, self._labels)
        if query is None or not row.valued().any() or not self._due(row):
            return
        coarse = max(1, -(-row.grid.width // MOST_LOOKS))
        try:
            where = self._where(row.grid, query, coarse)
        except QueryFault:
            return  # not known to be doubled; looked at again in the next load
        words = None
        if where[-1]:
            words = why_doubled(self._client, selectors, self._labels, float(row.grid.end_s))
        row.mark(where, DataVerdict.DUPLICATED, words)
        again_s = self._clock() + (0.0 if where[-1] else LOOK_AGAIN_S)
        with self._lock:
            key = (row.query, row.grid.step_s)
            known = self._looks.get(key)
            first = row.grid.first if known is None else min(known.first, row.grid.first)
            self._looks[key] = _Look(first, again_s)

    def forget_others(self, kept: set[str]) -> None:
        with self._lock:
            self._looks = {key: look for key, look in self._looks.items() if key[0] in kept}

    def _due(self, row: Row) -> bool:
        with self._lock:
            look = self._looks.get((row.query, row.grid.step_s))
        return look is None or row.grid.first < look.first or self._clock() >= look.again_s

    def _where(self, grid: Grid, query: str, coarse: int) -> Bools:
        """[step], doubled; each look stands for the `coarse` steps that end with it, counted from the newest."""
        where = np.zeros(grid.width, dtype=np.bool_)
        looks = (grid.width - 1) // coarse
        step_s = coarse * grid.step_s
        answer = self._client.range(query, grid.end_s - looks * step_s, grid.end_s, step_s)
        for one in answer.series:
            for column in grid.columns(one.times).tolist():
                where[max(0, column - coarse + 1) : max(0, column + 1)] = True
        return where
