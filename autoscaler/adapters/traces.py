"""Recorded demand from Parquet or CSV files as regular series.

A file has a time column `ts` (without a zone: UTC), a column of numbers (`value`, unless another is named) and,
where it holds several series one below the other, a column `series`. An empty or NaN value means unknown, not zero.
A column `censored` (0 or 1) marks values that are only a lower bound of demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from autoscaler.adapters.trace_grid import MAX_ROWS, Samples, to_grid
from autoscaler.adapters.trace_table import SERIES, Table, nearest, read_table
from autoscaler.domain.errors import BadTrace
from autoscaler.domain.series import Bools, DataVerdict, Floats, SeriesBatch, time_of

__all__ = ["MAX_ROWS", "Trace", "read_series", "read_trace"]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One recorded demand. values: [step] from absolute step `first_step`, NaN = unknown; read-only.

    notes: what was done to the rows of the file, in words. censored: [step], the value is only a lower bound of demand;
    None = the record carries no such marks. Read-only; an unknown step is never marked.
    """

    name: str
    step_s: int
    first_step: int
    values: Floats
    notes: tuple[str, ...] = ()
    censored: Bools | None = None

    def __post_init__(self) -> None:
        if self.step_s <= 0:
            raise ValueError(f"a step must last a positive number of seconds, not {self.step_s}")
        if self.values.ndim != 1 or np.isinf(self.values).any() or (self.values < 0).any():
            raise ValueError("a trace is one row of finite, non-negative demand or NaN")
        self.values.setflags(write=False)
        if self.censored is not None:
            if self.censored.shape != self.values.shape or (self.censored & np.isnan(self.values)).any():
                raise ValueError("marks of censored steps are one per step, and only where there is a value")
            self.censored.setflags(write=False)

    @property
    def end_step(self) -> int:
        """First step after the trace."""
        return self.first_step + int(self.values.shape[0])

    @property
    def start(self) -> datetime:
        return time_of(self.first_step, self.step_s)

    @property
    def end(self) -> datetime:
        return time_of(self.end_step, self.step_s)

    def as_seen(self) -> SeriesBatch:
        """The trace as a batch of one row; what is censored is partial, as the live service calls a lower bound."""
        batch = SeriesBatch.judge(self.step_s, self.first_step, self.values[np.newaxis, :].copy())
        if self.censored is None:
            return batch
        partial = self.censored[np.newaxis, :] & (batch.verdicts == DataVerdict.OK)
        verdicts = np.where(partial, np.uint8(DataVerdict.PARTIAL), batch.verdicts)
        return replace(batch, verdicts=verdicts)


def read_trace(
    path: str | Path,
    column: str | None = None,
    series: str | None = None,
    step_s: int | None = None,
    censored: str | None = None,
) -> Trace:
    """One series of a file on a regular grid, or BadTrace with the place, the value and the way out.

    The step is the most common spacing of the time stamps. With a coarser `step_s`, each step is the mean of the known
    samples whose time stamp lies in it, and unknown where there are none; a finer one is refused.
    Rows are sorted by time; exact repetitions are dropped; time stamps less than half a step off the grid are moved
    onto it. Each of these is noted. Repetitions with different values, and two samples in one step, are refused.
    censored: column of marks, None = "censored" where there is one.
    """
    table = read_table(path, column, MAX_ROWS, censored)
    if series is None and len(table.names) <= 1:
        return _trace(table, 0, table.names[0] if table.names else _stem(path), step_s)
    if not table.names:
        raise BadTrace(f"{path}: no column {SERIES!r} to look for {series!r} in; leave the series out")
    if series is None:
        raise BadTrace(f"{path}: holds {len(table.names)} series; name one: {_first_ten(table.names)}")
    if series not in table.names:
        hint = nearest(series, table.names)
        raise BadTrace(f"{path}: no series {series!r}{hint} There are {len(table.names)}: {_first_ten(table.names)}")
    return _trace(table, table.names.index(series), series, step_s)


def read_series(path: str | Path, step_s: int | None = None, column: str | None = None) -> Mapping[str, Trace]:
    """Every series of a file by name, under the rules of `read_trace`; a file without names gives its own."""
    good, refused = read_each(path, step_s, column)
    for why in refused.values():
        raise BadTrace(why)
    return good


def read_each(
    path: str | Path, step_s: int | None = None, column: str | None = None
) -> tuple[Mapping[str, Trace], Mapping[str, str]]:
    """Every series that can be read, and why each other one cannot: one bad series costs only itself."""
    table = read_table(path, column, MAX_ROWS)
    names = table.names or (_stem(path),)
    order = np.argsort(table.codes, kind="stable")
    ends = np.cumsum(np.bincount(table.codes, minlength=len(names)))
    several = len(names) > 1
    good: dict[str, Trace] = {}
    refused: dict[str, str] = {}
    for name, rows in zip(names, np.split(order, ends[:-1]), strict=True):
        samples = table.samples.at(rows)
        try:
            good[name] = _gridded(samples, name, table.notes, step_s, several=several)
        except BadTrace as error:
            refused[name] = str(error)
    return good, refused


def _trace(table: Table, code: int, name: str, step_s: int | None) -> Trace:
    several = len(table.names) > 1
    samples = table.samples.at(table.codes == code) if several else table.samples
    return _gridded(samples, name, table.notes, step_s, several=several)


def _gridded(samples: Samples, name: str, notes: tuple[str, ...], step_s: int | None, *, several: bool) -> Trace:
    if several:
        samples = replace(samples, place=f"{samples.place}, series {name!r}")
    grid = to_grid(samples, step_s)
    return Trace(name, grid.step_s, grid.first_step, grid.values, notes + grid.notes, grid.censored)


def _stem(path: str | Path) -> str:
    return Path(path).name.split(".", 1)[0]


def _first_ten(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
