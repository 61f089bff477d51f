"""From the answers to one query to one row of a batch: values on the grid, and a verdict for every step.

A step without a sample is MISSING, never zero and never filled from its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from autoscaler.adapters.prometheus.decode import Answer, Series
from autoscaler.adapters.prometheus.faults import QueryFault, one_line
from autoscaler.domain.series import LAST_VALUED, Bools, Codes, DataVerdict, Floats, SeriesBatch

SHOWN = 5


class Moments(Protocol):
    """At which a range query is evaluated: both ends included."""

    @property
    def first_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...
    @property
    def step_s(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Grid:
    """Absolute steps [first, end) of `step_s` seconds; the value of step k is the query's at (k+1)·step_s."""

    first: int
    end: int
    step_s: int

    @property
    def width(self) -> int:
        return self.end - self.first

    @property
    def first_s(self) -> int:
        """Seconds since the epoch at which the first step's value is asked."""
        return (self.first + 1) * self.step_s

    @property
    def end_s(self) -> int:
        """Seconds since the epoch at which the last step's value is asked."""
        return self.end * self.step_s

    def times(self) -> Floats:
        """[step], seconds since the epoch at which each value is asked."""
        return np.arange(self.first + 1, self.end + 1, dtype=np.float64) * self.step_s

    def newest(self, steps: int) -> Grid:
        return Grid(max(self.first, self.end - steps), self.end, self.step_s)

    def chunks(self, most: int) -> Iterator[Grid]:
        """The grid in pieces of at most `most` steps, the newest piece first; pieces end on multiples of `most`."""
        end = self.end
        while end > self.first:
            first = max(self.first, (end - 1) // most * most)
            yield Grid(first, end, self.step_s)
            end = first

    def columns(self, times: Floats) -> np.ndarray:
        """[time], the column of each time; times off the grid get a column outside of it."""
        return np.rint(times / self.step_s).astype(np.int64) - 1 - self.first


class Row:
    """One distinct query over a grid while it is being judged; every step is unanswered at first.

    raw: [step], NaN = no sample, Inf = a sample that is not finite. verdicts: what speaks against a step, OK = nothing
    so far. note: one sentence about the newest step, where it is not OK.
    """

    def __init__(self, query: str, grid: Grid) -> None:
        self.query = query
        self.grid = grid
        self.raw: Floats = np.full(grid.width, np.nan)
        self.verdicts: Codes = np.full(grid.width, DataVerdict.UNREACHABLE, dtype=np.uint8)
        self.note: str | None = None
        self.server_time_s: float | None = None
        self.answered = False

    def take(self, answer: Answer, part: Grid) -> None:
        """Write the answer for these steps in."""
        low, high = part.first - self.grid.first, part.end - self.grid.first
        raw, several = _on_grid(answer.series, part)
        verdicts = np.where(several, np.uint8(DataVerdict.SEVERAL_SERIES), np.uint8(DataVerdict.OK))
        newest = high == self.grid.width
        if several.any() and newest:
            self.note = several_words(answer.series)
        if any(s.histogram for s in answer.series):
            verdicts[:] = DataVerdict.WRONG_TYPE
            self.note = "the query answers native histograms; take a number from them, as with histogram_quantile(...)"
        if answer.warnings:
            verdicts[verdicts == DataVerdict.OK] = DataVerdict.PARTIAL
            self.note = self.note or one_line("; ".join(answer.warnings))
        self.raw[low:high], self.verdicts[low:high] = raw, verdicts
        if newest:
            self.server_time_s, self.answered = answer.server_time_s, True

    def fail(self, part: Grid, failed: QueryFault) -> None:
        """These steps have no answer, and why."""
        low, high = part.first - self.grid.first, part.end - self.grid.first
        self.verdicts[low:high] = failed.verdict
        if high == self.grid.width:
            self.note = failed.note

    def cut(self, end: int) -> None:
        """Forget the steps from `end` on: they are not in yet."""
        self.grid = Grid(self.grid.first, max(self.grid.first, min(end, self.grid.end)), self.grid.step_s)
        self.raw, self.verdicts = self.raw[: self.grid.width].copy(), self.verdicts[: self.grid.width].copy()

    def mark(self, where: Bools, verdict: DataVerdict, note: str | None) -> None:
        """Let `verdict` speak against those of these steps that have a value and nothing worse against them."""
        hit = where & self.valued() & (self.verdicts < verdict)
        self.verdicts[hit] = verdict
        if note is not None and hit.size and hit[-1]:
            self.note = one_line(note)

    def valued(self) -> Bools:
        """[step], where there is one finite, non-negative number and the verdict lets it stand."""
        return np.isfinite(self.raw) & (self.raw >= 0) & (self.verdicts <= LAST_VALUED)

    def absent(self) -> Bools:
        """[step], where the source answered and had no sample."""
        return np.isnan(self.raw) & (self.verdicts <= LAST_VALUED)

    @property
    def newest(self) -> DataVerdict:
        """Verdict of the newest step."""
        if not self.grid.width:
            return DataVerdict.OK
        return DataVerdict.MISSING if self.absent()[-1] else DataVerdict(int(self.verdicts[-1]))


def several_words(series: tuple[Series, ...]) -> str:
    """Says how many series there are, and shows the label sets of the first few."""
    shown = [label_words(s) for s in series[:SHOWN]]
    more = f" and {len(series) - SHOWN} more" if len(series) > SHOWN else ""
    return f"{len(series)} series: {', '.join(shown)}{more}"


def label_words(series: Series) -> str:
    inside = ", ".join(f'{name}="{one_line(value, 30)}"' for name, value in sorted(series.labels.items())[:SHOWN])
    return "{" + inside + "}"


def batch_of(rows: list[Row], grid: Grid) -> SeriesBatch:
    """Rows of one grid as a batch that keeps the invariant of values and verdicts."""
    raw = np.stack([row.raw for row in rows]) if rows else np.empty((0, grid.width))
    found = np.stack([row.verdicts for row in rows]) if rows else np.empty((0, grid.width), dtype=np.uint8)
    judged = SeriesBatch.judge(grid.step_s, grid.first, raw)
    stands = (found > LAST_VALUED) | (judged.verdicts == DataVerdict.OK)
    verdicts = np.where(stands, found, judged.verdicts)
    values = np.where(verdicts <= LAST_VALUED, judged.values, np.nan)
    notes = {i: row.note for i, row in enumerate(rows) if row.note and grid.width and verdicts[i, -1] != DataVerdict.OK}
    return SeriesBatch(grid.step_s, grid.first, values, verdicts, notes)


def _on_grid(series: tuple[Series, ...], part: Grid) -> tuple[Floats, Bools]:
    """Values on the grid, and where more than one series had one."""
    raw = np.full(part.width, np.nan)
    count = np.zeros(part.width, dtype=np.int64)
    for one in series:
        columns = part.columns(one.times)
        inside = (columns >= 0) & (columns < part.width)
        at = columns[inside]
        raw[at] = np.where(np.isfinite(one.values[inside]), one.values[inside], math.inf)
        count[at] += 1
    return raw, count > 1
