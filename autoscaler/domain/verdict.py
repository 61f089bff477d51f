"""What detection says of series and of the workloads they belong to, step by step. Causes and incidents come later.

Two tracks from the same scores. Page track: how rarely something this odd comes (`rate_per_week`), and the pages that
follow from what is accepted, one per event. Severity track: how bad it looks, 0 to 1, for dashboards; it never pages.
Rows are series, one metric of one workload each; groups are workloads, each of one or more rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

from autoscaler.domain.series import Bools, Codes, Floats, Ints

TOP = 3
"""Contributors that are named for a group, and whose surprises are averaged."""
MOST_SURPRISE = 4.0
"""A single row's surprise is capped here (p = 1e-4): one broken metric alone must not page for a workload of many."""


class DataFault(IntFlag):
    """Faults of the data itself, as bits. Values are stable: they stand in records."""

    NONE = 0
    GAP = 1
    STUCK = 2
    UNIT_CHANGE = 4
    COUNTER_RESET = 8
    DUPLICATED = 16
    LEVEL_SHIFT = 32
    SEASON_BROKEN = 64

    @property
    def words(self) -> str:
        """What an engineer reads of one or several faults; empty for none."""
        return "; ".join(_WORDS[fault] for fault in self.each())

    @property
    def is_wrong_data(self) -> bool:
        """Whether the values cannot be believed. A shifted level or a broken season is news of the load, not a lie."""
        return bool(self & _WRONG)

    def each(self) -> Iterator[DataFault]:
        return (fault for fault in _WORDS if self & fault)


_WRONG = DataFault.GAP | DataFault.STUCK | DataFault.UNIT_CHANGE | DataFault.COUNTER_RESET | DataFault.DUPLICATED
_WORDS = {
    DataFault.GAP: "no data for longer than usual",
    DataFault.STUCK: "the value has not moved for far longer than it ever did",
    DataFault.UNIT_CHANGE: "the level jumped by the factor between two units",
    DataFault.COUNTER_RESET: "a counter fell back to zero",
    DataFault.DUPLICATED: "the same numbers as another series",
    DataFault.LEVEL_SHIFT: "the level has moved and stays there",
    DataFault.SEASON_BROKEN: "the usual daily course is gone",
}


@dataclass(frozen=True, slots=True, eq=False)
class RowVerdicts:
    """Each series by itself; all [row, step], read-only.

    surprise: mean -log10 of the chance of something this odd, over scores and a few steps; ordinary days lie around
    0.3, 1.5 comes a few times a month; not capped; NaN = cannot say.
    severity: 0 … 1, raw; 0 where it cannot be said. faults: bits of DataFault.
    observed: as given. expected, lower, upper: in the row's unit, what was expected of the step before it came and the
    band that held all but one step in two hundred; NaN = none.
    """

    surprise: Floats
    severity: Floats
    faults: Codes
    observed: Floats
    expected: Floats
    lower: Floats
    upper: Floats

    def __post_init__(self) -> None:
        _agree(self, self.surprise.shape)
        if not ((self.severity >= 0) & (self.severity <= 1)).all():
            raise ValueError("a severity lies between 0 and 1")


@dataclass(frozen=True, slots=True, eq=False)
class GroupVerdicts:
    """Each workload; all [group, step] but `top`; read-only.

    surprise: the row's own, or of several rows the mean of the TOP largest, each capped at MOST_SURPRISE; NaN = cannot
    say.
    rate_per_week: how often a group is this odd on ordinary days, per week; small = odd; inf where it cannot be said
    or it is still learning. paging: an event is on. page: an event begins here; one per event, however long it lasts.
    severity: 0 … 1. top: [group, step, TOP], the rows that contribute most, worst first; -1 = no more of them.
    """

    surprise: Floats
    rate_per_week: Floats
    paging: Bools
    page: Bools
    severity: Floats
    top: Ints

    def __post_init__(self) -> None:
        shape = self.surprise.shape
        if self.top.shape != (*shape, TOP):
            raise ValueError(f"top {self.top.shape} must be [group, step, {TOP}] = {(*shape, TOP)}")
        _agree(self, shape, but=("top",))
        if not ((self.severity >= 0) & (self.severity <= 1)).all() or (self.page & ~self.paging).any():
            raise ValueError("a severity lies between 0 and 1, and a page begins an event")
        self.top.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """Of consecutive steps; step 0 of the arrays is absolute step `first_step`. group: [row], whose row it is."""

    step_s: int
    first_step: int
    group: Ints
    rows: RowVerdicts
    groups: GroupVerdicts

    @property
    def steps(self) -> int:
        return int(self.rows.surprise.shape[1])


def _agree(value: RowVerdicts | GroupVerdicts, shape: tuple[int, ...], but: tuple[str, ...] = ()) -> None:
    for name in value.__dataclass_fields__:
        array = getattr(value, name)
        if name not in but:
            if array.shape != shape:
                raise ValueError(f"{name} {array.shape} must be {shape}")
            array.setflags(write=False)
