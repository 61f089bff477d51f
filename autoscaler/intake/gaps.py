"""What is still wanted of one row's past: gaps that nobody asked for, holes that deserve a second look.

Nothing here reads, waits or knows a source; `want` says what to ask next, `answered` takes the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.series import LAST_VALUED, Bools, Codes, DataVerdict
from autoscaler.domain.workload import Demand
from autoscaler.intake.spans import Spans, added, runs, without

_SAMPLE_SEEN = (DataVerdict.NOT_FINITE, DataVerdict.NEGATIVE, DataVerdict.STUCK, DataVerdict.UNIT_CHANGE)
_SILENCE = (DataVerdict.THROTTLED, DataVerdict.REFUSED, DataVerdict.UNREACHABLE)
_WHOLE_QUERY = (
    DataVerdict.SEVERAL_SERIES,
    DataVerdict.DUPLICATED,
    DataVerdict.WRONG_TYPE,
    DataVerdict.BAD_QUERY,
    DataVerdict.TOO_HEAVY,
)


def _table(*codes: DataVerdict) -> Bools:
    table = np.zeros(256, dtype=np.bool_)
    table[[int(c) for c in codes]] = True
    return table


REFETCHED = _table(*(v for v in DataVerdict if v > LAST_VALUED and v not in _SAMPLE_SEEN))
"""By code: a live step that is asked for once more. Not where a sample was there and was rejected: it will be again."""
SILENT = _table(*_SILENCE)
"""By code: no answer at all; the step counts as not asked for."""
ROW_FAULT = _table(*_WHOLE_QUERY)
"""By code: an answer about the query rather than about a step; if nothing else came, the row is asked again later."""


@dataclass(frozen=True, slots=True)
class Reach:
    """reach_steps: how far back a row is filled on first sight. request_steps: most steps of one request.
    least_steps: a request that is too heavy is halved down to this. settle_steps: a hole is asked for again once
    the series has been back for so long, because sources too get late samples after an outage.
    """

    reach_steps: int
    request_steps: int = 10_080
    least_steps: int = 60
    settle_steps: int = 15


@dataclass(slots=True)
class RowPast:
    """One row. gaps: never answered. holes: asked live, unknown. Both are asked for newest first.

    seen_at: step of first sight, from which the reach is counted. live_end: end of what ticks handed over.
    known: what the store had. valued_to: end of the newest step with a value. begins: step before which the source
    has nothing. failures, retry_at_s, why: of requests that only this row did not get an answer to.
    """

    demand: Demand
    reach: Reach
    seen_at: int
    gaps: Spans = field(default_factory=list)
    holes: Spans = field(default_factory=list)
    known: Spans = field(default_factory=list)
    live_end: int | None = None
    valued_to: int = 0
    begins: int | None = None
    chunk_steps: int = 0
    empty_steps: int = 0
    empty_end: int = 0
    failures: int = 0
    retry_at_s: float = 0.0
    why: str | None = None

    def __post_init__(self) -> None:
        self.chunk_steps = self.reach.request_steps

    def restored(self, first: int, verdicts: Codes, asked: Bools, final: Bools) -> None:
        """What the store knows from `first` on: [step] each."""
        self.known = runs(asked, first)
        self.holes = runs(asked & ~final & REFETCHED[verdicts], first)
        valued = np.flatnonzero(verdicts <= LAST_VALUED)
        if len(valued):
            self.valued_to = first + int(valued[-1]) + 1

    def lived(self, first: int, end: int, verdicts: Codes | None) -> None:
        """Ticks handed over [first, end). verdicts: [step], None where all of them are values."""
        if self.live_end is None:
            low = max(self.seen_at - self.reach.reach_steps, self.begins or 0)
            self.gaps = [(low, first)] if low < first else []
            for low, high in self.known:
                self.gaps = without(self.gaps, low, high)
        elif first > self.live_end:
            self.gaps = added(self.gaps, self.live_end, first)
        self.live_end = end if self.live_end is None else max(self.live_end, end)
        self.gaps = without(self.gaps, first, end) if self.gaps and self.gaps[-1][1] > first else self.gaps
        if verdicts is None:
            self.valued_to = max(self.valued_to, end)
            return
        holes = runs(REFETCHED[verdicts], first)
        for low, high in self.known:
            holes = without(holes, low, high)  # what is wanted of those was found when they were restored
        for low, high in holes:
            self.holes = added(self.holes, low, high)
        valued = np.flatnonzero(verdicts <= LAST_VALUED)
        if len(valued):
            self.valued_to = max(self.valued_to, first + int(valued[-1]) + 1)

    def forgotten_from(self, step: int) -> None:
        """A History takes in a new fleet at `step`, and what it has after that is gone: the clock was set back."""
        if self.live_end is not None:
            self.live_end = min(self.live_end, step)

    @property
    def open(self) -> bool:
        return bool(self.gaps or self.holes)

    def lacks(self, steps: int) -> bool:
        """Whether more than a fourteenth of the newest steps (half a day of a week) was never answered."""
        end = self.seen_at if self.live_end is None else self.live_end
        gaps = self.gaps
        if self.live_end is None:
            gaps = [(max(0, end - steps), end)]
            for low, high in self.known:
                gaps = without(gaps, low, high)
        return sum(max(0, high - max(low, end - steps)) for low, high in gaps) > steps // 14

    @property
    def chunks_left(self) -> int:
        """Requests that are still to come, at today's size of one."""
        return sum(-(-(high - low) // self.chunk_steps) for low, high in self.gaps) + len(self.ripe())

    def ripe(self) -> Spans:
        """Holes after which the series came back, long enough ago."""
        return [hole for hole in self.holes if hole[1] <= self._settled_to]

    @property
    def _settled_to(self) -> int:
        return min(self.valued_to, (self.live_end or 0) - self.reach.settle_steps)

    def want(self) -> tuple[int, int] | None:
        """Steps to ask for next, or None. Starts stand on absolute multiples of a request, and holes are rounded
        outward to `least_steps`, so that many rows ask for the same and go together.
        """
        if self.live_end is not None and self.open:
            oldest = self.live_end - self.reach.reach_steps
            self.gaps, self.holes = without(self.gaps, 0, oldest), without(self.holes, 0, oldest)
        holes = self.ripe()
        if self.gaps and not (holes and holes[-1][1] >= self.gaps[-1][1]):
            low, high = self.gaps[-1]
            return max(low, (high - 1) // self.chunk_steps * self.chunk_steps), high
        if not holes:
            return None
        (low, high), grain = holes[-1], min(self.reach.least_steps, self.chunk_steps)
        high = min(-(-high // grain) * grain, self._settled_to)
        return max(low // grain * grain, -(-(high - self.chunk_steps) // grain) * grain), high

    def open_mask(self, first: int, end: int) -> Bools:
        """[step], what an answer over [first, end) may fill; the rest of it was known better from ticks."""
        mask = np.zeros(end - first, dtype=np.bool_)
        for low, high in (*self.gaps, *self.holes):
            mask[max(low - first, 0) : max(high - first, 0)] = True
        return mask

    def answered(self, first: int, verdicts: Codes) -> Bools:
        """[step], which steps of an answer are taken and settled for good; none = the row was not answered."""
        heavy, told = verdicts == DataVerdict.TOO_HEAVY, ~SILENT[verdicts]
        if heavy.any() and self.chunk_steps > self.reach.least_steps:
            self.chunk_steps = max(self.reach.least_steps, self.chunk_steps // 2)
            told &= ~heavy
        if ROW_FAULT[verdicts[told]].all():
            told = np.zeros(len(verdicts), dtype=np.bool_)
        end = first + len(verdicts)
        taken = told & self.open_mask(first, end)
        was_gap = any(low < end and high > first for low, high in self.gaps)
        for low, high in runs(told, first):
            self.gaps, self.holes = without(self.gaps, low, high), without(self.holes, low, high)
        if was_gap and told.all():
            self._note_emptiness(first, end, empty=bool(((verdicts > LAST_VALUED) & ~ROW_FAULT[verdicts]).all()))
        return taken

    def _note_emptiness(self, first: int, end: int, *, empty: bool) -> None:
        """Two full requests in a row without any value: the source's history begins after them."""
        if not empty:
            self.empty_steps = 0
            return
        if not self.empty_steps:
            self.empty_end = end
        self.empty_steps += end - first
        if self.empty_steps >= 2 * self.reach.request_steps:
            self.begins = self.empty_end
            self.gaps = without(self.gaps, 0, self.empty_end)
