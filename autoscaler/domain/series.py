"""Batches of series on one grid, with a verdict for every step that says why a value is absent.

Time is counted in absolute steps: step k covers [k·step_s, (k+1)·step_s) seconds since the Unix epoch, so
that refits and seeds anchor to the calendar and never to the length of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.uint8]


def anywhere(flags: Bools) -> bool:
    """Whether any flag is set; on the few lanes of most ticks many times faster than `flags.any()`."""
    return b"\1" in flags.tobytes()


def everywhere(flags: Bools) -> bool:
    """Whether every flag is set."""
    return b"\0" not in flags.tobytes()


class Effect(StrEnum):
    """What a verdict lets a decision do."""

    USE = "use"
    GROW_ONLY = "may grow only"
    HOLD = "hold"


class DataVerdict(IntEnum):
    """Why a sample can or cannot be used, from harmless to worst; `words` is what an SRE reads.

    Up to LAST_VALUED there is a value: a lower bound of demand where it is not OK, which may add replicas but
    never remove them and is never learned from. Above it there is none, and the workload holds.
    """

    OK = 0
    PARTIAL = 1
    RECOVERING = 2
    MISSING = 3
    STALE = 4
    NOT_FINITE = 5
    NEGATIVE = 6
    STUCK = 7
    UNIT_CHANGE = 8
    SEVERAL_SERIES = 9
    DUPLICATED = 10
    WRONG_TYPE = 11
    BAD_QUERY = 12
    TOO_HEAVY = 13
    THROTTLED = 14
    REFUSED = 15
    UNREACHABLE = 16

    @property
    def words(self) -> str:
        return _VERDICT_WORDS[self]

    @property
    def effect(self) -> Effect:
        if self == DataVerdict.OK:
            return Effect.USE
        return Effect.GROW_ONLY if self <= LAST_VALUED else Effect.HOLD


LAST_VALUED = DataVerdict.RECOVERING
_OK_CODE, _LAST_VALUED_CODE = int(DataVerdict.OK), int(LAST_VALUED)


def usable(codes: Codes) -> Bools:
    """Where the verdict is OK: a value that is neither absent nor a lower bound. (An enum member would cost more.)"""
    return codes == _OK_CODE


def valueless(codes: Codes) -> Bools:
    """Where the verdict says that there is no value."""
    return codes > _LAST_VALUED_CODE


_VERDICT_WORDS = {
    DataVerdict.OK: "fresh and usable",
    DataVerdict.PARTIAL: "the source warned that its answer is partial: true demand may be higher",
    DataVerdict.RECOVERING: "the source was away: rates read low until a full window has passed",
    DataVerdict.MISSING: "no sample: the series is gone or was not scraped (this is not zero)",
    DataVerdict.STALE: "the newest sample is too old: the exporter or its scrape has stopped",
    DataVerdict.NOT_FINITE: "the source answered NaN or Inf (0/0 or x/0): unknown, not zero",
    DataVerdict.NEGATIVE: "the source answered a negative demand: rejected; mend the query or the exporter",
    DataVerdict.STUCK: "the value has not moved for far longer than it ever did: the exporter may be frozen",
    DataVerdict.UNIT_CHANGE: "the level jumped by a unit's factor at once: check for a change of unit",
    DataVerdict.SEVERAL_SERIES: "the query answers several series: aggregate it, e.g. with sum(...)",
    DataVerdict.DUPLICATED: "the same series is collected twice: sums would count double; deduplicate at the source",
    DataVerdict.WRONG_TYPE: "the query does not answer a number over time: ask for an instant vector of floats",
    DataVerdict.BAD_QUERY: "the source cannot evaluate the query; mend it",
    DataVerdict.TOO_HEAVY: "the query loads more than the source allows: use a recording rule",
    DataVerdict.THROTTLED: "the source asks us to slow down",
    DataVerdict.REFUSED: "the source refuses us: check the credentials, the CA and the tenant",
    DataVerdict.UNREACHABLE: "the metrics source did not answer",
}


def step_at(when: datetime, step_s: int) -> int:
    """The absolute step that contains `when` (an aware datetime)."""
    if when.tzinfo is None:
        raise ValueError(f"{when!r} has no time zone; pass an aware datetime")
    return int(when.timestamp() // step_s)


def time_of(step: int, step_s: int) -> datetime:
    """Start of an absolute step, in UTC."""
    return datetime.fromtimestamp(step * step_s, UTC)


@dataclass(frozen=True, slots=True, eq=False)
class SeriesBatch:
    """Several demands on one grid.

    values: [row, step], in each row's own unit; NaN = not observed, and nothing else is NaN.
    verdicts: [row, step], DataVerdict codes; a value is present exactly where the code is at most LAST_VALUED.
    first_step: absolute step of column 0. step_s: seconds per step.
    notes: row → what the source said about its newest verdict, in one sentence, where it said something.
    """

    step_s: int
    first_step: int
    values: Floats
    verdicts: Codes
    notes: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.step_s <= 0:
            raise ValueError(f"a step must last a positive number of seconds, not {self.step_s}")
        if self.values.ndim != 2 or self.values.shape != self.verdicts.shape:
            raise ValueError(f"values {self.values.shape} and verdicts {self.verdicts.shape} must be one 2-d shape")
        usable = np.isfinite(self.values)
        if not np.array_equal(usable, self.verdicts <= LAST_VALUED):
            raise ValueError("a value is present exactly where its verdict is OK or a lower bound")
        if np.isinf(self.values).any() or (self.values[usable] < 0).any():
            raise ValueError("a batch holds finite, non-negative demand or NaN; judge raw samples first")
        self.values.setflags(write=False)
        self.verdicts.setflags(write=False)

    @property
    def end_step(self) -> int:
        """First step after the batch."""
        return self.first_step + self.values.shape[1]

    @property
    def end(self) -> datetime:
        return time_of(self.end_step, self.step_s)

    def upto(self, end_step: int) -> SeriesBatch:
        """The same rows, cut so that nothing at or after `end_step` remains."""
        n = max(0, min(end_step, self.end_step) - self.first_step)
        return SeriesBatch(self.step_s, self.first_step, self.values[:, :n], self.verdicts[:, :n], self.notes)

    @staticmethod
    def judge(step_s: int, first_step: int, raw: Floats, absent: DataVerdict = DataVerdict.MISSING) -> SeriesBatch:
        """Judge raw samples [row, step]: NaN → `absent`, ±Inf → NOT_FINITE, below zero → NEGATIVE."""
        verdicts = np.full(raw.shape, DataVerdict.OK, dtype=np.uint8)
        verdicts[np.isnan(raw)] = absent
        verdicts[np.isinf(raw)] = DataVerdict.NOT_FINITE
        verdicts[raw < 0] = DataVerdict.NEGATIVE
        values = np.where(verdicts == DataVerdict.OK, raw, np.nan)
        return SeriesBatch(step_s, first_step, values, verdicts)


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A view of history on absolute steps, as kept by intake or cut from a recorded trace; not checked again.

    values: [row, step], NaN = not observed. verdicts: [row, step]. Column 0 is absolute step `first_step`.
    notes: row → what the source said about its newest verdict.
    """

    step_s: int
    first_step: int
    values: Floats
    verdicts: Codes
    notes: Mapping[int, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return int(self.values.shape[0])

    @property
    def end_step(self) -> int:
        return self.first_step + int(self.values.shape[1])

    @staticmethod
    def of(batch: SeriesBatch) -> Panel:
        return Panel(batch.step_s, batch.first_step, batch.values, batch.verdicts, batch.notes)

    def columns(self, first: int, end: int, rows: Ints | slice = slice(None)) -> Floats:
        """Values of steps [first, end) as a copy [row, step]; steps outside the panel are NaN (not observed)."""
        count = self.rows if isinstance(rows, slice) else len(rows)
        out = np.full((count, max(0, end - first)), np.nan)
        low, high = max(first, self.first_step), min(end, self.end_step)
        if low < high:
            out[:, low - first : high - first] = self.values[rows, low - self.first_step : high - self.first_step]
        return out

    def learnable(self, first: int, end: int, rows: Ints | slice = slice(None)) -> Floats:
        """As `columns`, without the values that are only lower bounds: nothing is learned from those."""
        out = self.columns(first, end, rows)
        low, high = max(first, self.first_step), min(end, self.end_step)
        if low < high and self.verdicts.size:
            bounds = self.verdicts[rows, low - self.first_step : high - self.first_step]
            np.copyto(out[:, low - first : high - first], np.nan, where=bounds != DataVerdict.OK)
        return out

    def faults(self, first: int, end: int) -> Codes:
        """Verdicts of steps [first, end); outside the panel MISSING."""
        out = np.full((self.rows, max(0, end - first)), DataVerdict.MISSING, dtype=np.uint8)
        low, high = max(first, self.first_step), min(end, self.end_step)
        if low < high:
            out[:, low - first : high - first] = self.verdicts[:, low - self.first_step : high - self.first_step]
        return out
