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
from autoscaler.adapters.prometheus.rows import Grid, Moments, Row
from autoscaler.domain.series import Bools, DataVerdict

NEWEST_STEPS = 120
LOOK_AGAIN_S = 600.0
MOST_LOOKS = 200


class ManyAsker(Protocol):
    """One answer, or why there is none, for each query."""

    def range_all(self, queries: Sequence[str], part: Moments) -> list[Answer | QueryFault]: ...


class Freshness:
    """Is the newest sample behind each of the newest values young enough?"""

    def __init__(self, client: ManyAsker, stale_after_s: float) -> None:
        self._client = client
        self._stale_after_s = stale_after_s

    def judge(self, rows: Sequence[Row]) -> None:
        """Mark newest steps whose samples are older than allowed; where their age cannot be had, no shrinking.

        All rows are of one grid.
        """
        asked = []
        for row in rows:
            low = row.grid.width - row.grid.newest(NEWEST_STEPS).width
            selectors = reading(row.query).current
            if selectors and row.valued()[low:].any():
                asked.append((row, freshness_query(selectors)))
        if not asked:
            return
        part = asked[0][0].grid.newest(NEWEST_STEPS)
        answers = self._client.range_all([query for _, query in asked], part)
        for (row, _), answer in zip(asked, answers, strict=True):
            self._judge(row, part, answer)

    def _judge(self, row: Row, part: Grid, answer: Answer | QueryFault) -> None:
        low = part.first - row.grid.first
        where = np.zeros(row.grid.width, dtype=np.bool_)
        if isinstance(answer, QueryFault):
            where[low:] = True
            row.mark(where, DataVerdict.PARTIAL, f"the age of its samples could not be asked: {answer.note}")
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

    def __init__(
        self, many: ManyAsker, client: Asker, replica_labels: Sequence[str], clock: Callable[[], float]
    ) -> None:
        self._many, self._client, self._clock = many, client, clock
        self._labels = tuple(replica_labels)
        self._looks: dict[tuple[str, int], _Look] = {}
        self._lock = threading.Lock()

    def judge(self, rows: Sequence[Row]) -> None:
        """Mark the steps in which series were doubled. While they are, every load looks. All rows are of one grid."""
        asked = []
        for row in rows:
            query = duplicates_query(reading(row.query).current, self._labels)
            if query is not None and row.valued().any() and self._due(row):
                asked.append((row, query))
        if not asked:
            return
        grid = asked[0][0].grid
        coarse = max(1, -(-grid.width // MOST_LOOKS))
        looked = _coarse(grid, coarse)
        answers = self._many.range_all([query for _, query in asked], looked)
        for (row, _), answer in zip(asked, answers, strict=True):
            if not isinstance(answer, QueryFault):  # not known to be doubled; looked at again in the next load
                self._judge(row, _doubled(row.grid, answer, coarse))

    def _judge(self, row: Row, where: Bools) -> None:
        words = None
        if where[-1]:
            selectors = reading(row.query).current
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


@dataclass(frozen=True, slots=True)
class _Looks:
    """Moments that end with the newest step, `step_s` apart."""

    first_s: float
    end_s: float
    step_s: int


def _coarse(grid: Grid, coarse: int) -> _Looks:
    looks = (grid.width - 1) // coarse
    step_s = coarse * grid.step_s
    return _Looks(grid.end_s - looks * step_s, grid.end_s, step_s)


def _doubled(grid: Grid, answer: Answer, coarse: int) -> Bools:
    """[step], doubled; each look stands for the `coarse` steps that end with it, counted from the newest."""
    where = np.zeros(grid.width, dtype=np.bool_)
    for one in answer.series:
        for column in grid.columns(one.times).tolist():
            where[max(0, column - coarse + 1) : max(0, column + 1)] = True
    return where
