"""What the closed loop remembers between ticks, as frozen arrays over lanes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.fleet import NO_LIMIT, Fleet, StepLimits
from autoscaler.domain.series import Bools, Floats, Ints
from autoscaler.domain.workload import WorkloadRef
from autoscaler.planning.margin import MarginState, shadow_depth

MOST_ENTRIES = 512


@dataclass(frozen=True, slots=True, eq=False)
class LoopState:
    """times_s: [entry], rising. high, low: [entry, lane], recommendations; ticks that lie closer than a
    MOST_ENTRIES-th of the horizon share an entry (max and min). counts: [entry, lane], what was written before
    that tick's decision. Blank (high and counts -1, low NO_LIMIT) where the lane was not there or not known.
    """

    lanes: tuple[WorkloadRef, ...]
    margin: MarginState
    times_s: Floats
    high: Ints
    low: Ints
    counts: Ints

    @staticmethod
    def fresh(fleet: Fleet, step_s: int) -> LoopState:
        none = np.empty((0, len(fleet)), dtype=np.int64)
        longest = _longest_lead(fleet, step_s)
        lanes = tuple(w.ref for w in fleet.workloads)
        return LoopState(lanes, MarginState.fresh(len(fleet), longest), np.empty(0), none, none, none)

    def for_fleet(self, fleet: Fleet, step_s: int) -> LoopState:
        """The same memory for a changed fleet: lanes that stay keep theirs, new ones start fresh."""
        lanes = tuple(w.ref for w in fleet.workloads)
        longest = _longest_lead(fleet, step_s)
        if lanes == self.lanes and shadow_depth(longest) <= self.margin.shadow.shape[0]:
            return self
        where = {ref: i for i, ref in enumerate(self.lanes)}
        old = np.array([where.get(ref, -1) for ref in lanes], dtype=np.int64)
        stays = old >= 0
        start = MarginState.fresh(len(fleet), longest)
        shadow = np.full((max(start.shadow.shape[0], self.margin.shadow.shape[0]), len(fleet)), np.nan)
        shadow[: self.margin.shadow.shape[0], stays] = self.margin.shadow[:, old[stays]]
        log_margin = start.log_margin.copy()
        log_margin[stays] = self.margin.log_margin[old[stays]]
        settled_step = start.settled_step.copy()
        settled_step[stays] = self.margin.settled_step[old[stays]]
        margin = MarginState(log_margin, shadow, self.margin.step, settled_step)

        def carried(entries: Ints, blank: int) -> Ints:
            out = np.full((entries.shape[0], len(fleet)), blank, dtype=np.int64)
            out[:, stays] = entries[:, old[stays]]
            return out

        return LoopState(
            lanes, margin, self.times_s, carried(self.high, -1), carried(self.low, NO_LIMIT), carried(self.counts, -1)
        )

    def noted(self, now_s: float, recommended: Ints, current: Ints, known: Bools, horizon_s: float) -> LoopState:
        """With one more tick, without what is older than `horizon_s`.

        A lane that is seen for the first time starts as if no less than its current count had been recommended
        all along: a restart never drops at once what a window was still keeping. A lane that is not known notes
        nothing: its numbers would be the start of a period later.
        """
        new = self._unseen()
        upper: Ints = np.where(new, np.maximum(recommended, current), recommended)
        lower = recommended
        count = current
        if not known.all():
            upper, count = np.where(known, upper, -1), np.where(known, count, -1)
            lower = np.where(known, lower, NO_LIMIT)
        kept = np.flatnonzero(self.times_s > now_s - horizon_s)
        if len(kept) and self._shares_entry(now_s, horizon_s):
            upper, lower = np.maximum(upper, self.high[-1]), np.minimum(lower, self.low[-1])
            count = np.where(self.counts[-1] < 0, count, self.counts[-1])
            kept = kept[:-1]
        return LoopState(
            self.lanes,
            self.margin,
            times_s=np.concatenate((self.times_s[kept], (now_s,))),
            high=np.concatenate((self.high[kept], upper[np.newaxis, :])),
            low=np.concatenate((self.low[kept], lower[np.newaxis, :])),
            counts=np.concatenate((self.counts[kept], count[np.newaxis, :])),
        )

    def learned(self, margin: MarginState) -> LoopState:
        """The same memory with another state of risk control."""
        return LoopState(self.lanes, margin, self.times_s, self.high, self.low, self.counts)

    def recent_high(self, now_s: float, window_s: Floats) -> Ints:
        """[lane], highest recommendation within each lane's window, the newest always included."""
        inside = self._inside(now_s, window_s)
        return np.where(inside, self.high, -1).max(axis=0)

    def recent_low(self, now_s: float, window_s: Floats) -> Ints:
        inside = self._inside(now_s, window_s)
        return np.where(inside, self.low, NO_LIMIT).min(axis=0)

    def step_limit(self, now_s: float, limits: StepLimits, current: Ints, *, upward: bool) -> Ints:
        """[lane], the count that `behavior` allows now, from the count at the start of each policy's period.

        Percent rounds as autoscaling/v2 does: up, in either direction of the move (72 at 10 % may lose 8).
        """
        edge = NO_LIMIT if upward else 0
        if (limits.unlimited & ~limits.disabled).all():
            return np.full_like(current, edge)
        start = self._counts_at_start(now_s, limits.period_s, current)
        moved = np.where(np.isnan(limits.pods), np.ceil(start * limits.percent / 100 - 1e-9), limits.pods)
        reached = start + moved if upward else start - moved
        allowed: Floats = np.where(limits.period_s > 0, reached, np.nan)
        high, low = np.fmax.reduce(allowed, axis=1), np.fmin.reduce(allowed, axis=1)
        widest, tightest = (high, low) if upward else (low, high)
        limit: Floats = np.asarray(np.where(limits.pick_min, tightest, widest))
        limit = np.where(limits.unlimited, edge, limit)
        limit = np.where(limits.disabled, current, limit)
        limit = np.maximum(limit, current) if upward else np.minimum(limit, current)
        return np.minimum(np.maximum(limit, 0), NO_LIMIT).astype(np.int64)

    def _shares_entry(self, now_s: float, horizon_s: float) -> bool:
        """Whether a tick at now_s falls into the newest entry's slot; slots are fixed, so that none creeps on."""
        slot_s = horizon_s / MOST_ENTRIES
        return bool(slot_s > 0 and now_s // slot_s == self.times_s[-1] // slot_s)

    def _unseen(self) -> Bools:
        never: Bools = self.counts < 0
        return np.asarray(never.all(axis=0)) if len(self.times_s) else np.ones(len(self.lanes), dtype=np.bool_)

    def _inside(self, now_s: float, window_s: Floats) -> Bools:
        return (self.times_s[:, None] > now_s - window_s) | (self.times_s[:, None] >= now_s)

    def _counts_at_start(self, now_s: float, period_s: Floats, current: Ints) -> Ints:
        """[lane, policy], what was written at the start of each policy's period that ends now."""
        begins = np.searchsorted(self.times_s, now_s - period_s, side="right")
        if self.counts.min(initial=0) < 0:
            # a lane that was not known for a while has its first count later
            known = np.where(self.counts >= 0, np.arange(len(self.times_s))[:, None], len(self.times_s))
            next_known = np.minimum.accumulate(
                np.vstack((known, np.full((1, known.shape[1]), len(self.times_s))))[::-1]
            )
            begins = np.take_along_axis(next_known[::-1], begins.T, axis=0).T
        lanes = np.arange(len(current))[:, None]
        counts = np.concatenate((self.counts, current[np.newaxis]))
        return np.asarray(counts[begins, lanes])


def _longest_lead(fleet: Fleet, step_s: int) -> int:
    return int(fleet.lead_steps(step_s).max(initial=0))
