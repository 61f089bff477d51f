"""What the closed loop remembers between ticks, as frozen arrays over lanes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.fleet import NO_LIMIT, Fleet, StepLimits
from autoscaler.domain.realised import Realised
from autoscaler.domain.series import Bools, Floats, Ints, anywhere, everywhere
from autoscaler.domain.workload import WorkloadRef
from autoscaler.planning.behavior import behavior_of
from autoscaler.planning.fallback import FallbackState
from autoscaler.planning.margin import MarginState
from autoscaler.planning.room import RoomState
from autoscaler.planning.twofold import Twofold

MOST_ENTRIES = 512


@dataclass(frozen=True, slots=True, eq=False)
class LoopState:
    """times_s: [entry], rising. high, low: [entry, lane], recommendations; ticks that lie closer than a
    MOST_ENTRIES-th of the horizon share an entry (max and min). counts: [entry, lane], what was written before
    that tick's decision. Blank (high and counts -1, low NO_LIMIT) where the lane was not there or not known.
    room: what HPAs keep. realised: the shortage that was, counted by the live tick alone. alarmed: [lane], what ran
    when an anomaly began from which a cap counts, -1 = there is none. margin: risk control of the first plan. twofold:
    of the second one beside it, and which of both serves.
    """

    lanes: tuple[WorkloadRef, ...]
    margin: MarginState
    times_s: Floats
    high: Ints
    low: Ints
    counts: Ints
    room: RoomState
    realised: Realised
    alarmed: Ints
    fallback: FallbackState
    twofold: Twofold

    @staticmethod
    def fresh(fleet: Fleet, step_s: int) -> LoopState:
        none = np.empty((0, len(fleet)), dtype=np.int64)
        lanes = tuple(w.ref for w in fleet.workloads)
        margin = MarginState.fresh(len(fleet), _longest_lead(fleet, step_s), behavior_of(fleet, step_s).depth)
        room, realised = RoomState.fresh(len(fleet)), Realised.fresh(len(fleet))
        calm = np.full(len(fleet), -1, dtype=np.int64)
        kept = FallbackState.fresh(len(fleet))
        twofold = Twofold.fresh(margin)
        return LoopState(lanes, margin, np.empty(0), none, none, none, room, realised, calm, kept, twofold)

    def for_fleet(self, fleet: Fleet, step_s: int) -> LoopState:
        """The same memory for a changed fleet: lanes that stay keep theirs, new ones start fresh."""
        lanes = tuple(w.ref for w in fleet.workloads)
        longest, behavior = _longest_lead(fleet, step_s), behavior_of(fleet, step_s)
        deep = self.margin.holds(longest, behavior.depth) and self.twofold.second.holds(longest, behavior.depth)
        if lanes == self.lanes and deep:
            return self
        where = {ref: i for i, ref in enumerate(self.lanes)}
        old = np.array([where.get(ref, -1) for ref in lanes], dtype=np.int64)
        stays = old >= 0
        first, second = (m.carried(old, longest, behavior.depth) for m in (self.margin, self.twofold.second))

        def carried(entries: Ints, blank: int) -> Ints:
            out = np.full((entries.shape[0], len(fleet)), blank, dtype=np.int64)
            out[:, stays] = entries[:, old[stays]]
            return out

        return LoopState(
            lanes, first, self.times_s, carried(self.high, -1), carried(self.low, NO_LIMIT), carried(self.counts, -1),
            self.room.carried(old), self.realised.carried(old), carried(self.alarmed[np.newaxis], -1)[0],
            self.fallback.carried(old), self.twofold.carried(old, second),
        )  # fmt: skip

    def noted(
        self, now_s: float, recommended: Ints, current: Ints, known: Bools, horizon_s: float,
        *, stands: Bools | None = None,
    ) -> LoopState:  # fmt: skip
        """With one more tick, without what is older than `horizon_s`.

        A lane that is seen for the first time starts as if no less than its current count had been recommended
        all along: a restart never drops at once what a window was still keeping. So does one that `stands` [lane].
        A lane that is not known notes nothing: its numbers would be the start of a period later.
        """
        new = self._unseen() if stands is None else self._unseen() | stands
        upper: Ints = np.where(new, np.maximum(recommended, current), recommended) if anywhere(new) else recommended
        lower = recommended
        count = current
        if not everywhere(known):
            upper, count = np.where(known, upper, -1), np.where(known, count, -1)
            lower = np.where(known, lower, NO_LIMIT)
        first, end = int(np.searchsorted(self.times_s, now_s - horizon_s, side="right")), len(self.times_s)
        if first < end and self._shares_entry(now_s, horizon_s):
            upper, lower = np.maximum(upper, self.high[-1]), np.minimum(lower, self.low[-1])
            count = np.where(self.counts[-1] < 0, count, self.counts[-1])
            end -= 1
        kept = slice(first, end)
        return LoopState(
            self.lanes,
            self.margin,
            times_s=np.concatenate((self.times_s[kept], (now_s,))),
            high=np.concatenate((self.high[kept], upper[np.newaxis])),
            low=np.concatenate((self.low[kept], lower[np.newaxis])),
            counts=np.concatenate((self.counts[kept], count[np.newaxis])),
            room=self.room,
            realised=self.realised,
            alarmed=self.alarmed,
            fallback=self.fallback,
            twofold=self.twofold,
        )

    def learned(self, margin: MarginState, twofold: Twofold | None = None) -> LoopState:
        """The same memory with another state of risk control; twofold: None = as it is."""
        return LoopState(
            self.lanes,
            margin,
            self.times_s,
            self.high,
            self.low,
            self.counts,
            self.room,
            self.realised,
            self.alarmed,
            self.fallback,
            self.twofold if twofold is None else twofold,
        )  # several times faster than `replace`, twice a tick

    def with_room(self, room: RoomState) -> LoopState:
        """The same memory with another state of what HPAs keep."""
        return LoopState(
            self.lanes,
            self.margin,
            self.times_s,
            self.high,
            self.low,
            self.counts,
            room,
            self.realised,
            self.alarmed,
            self.fallback,
            self.twofold,
        )

    def recent_high(self, now_s: float, limits: StepLimits) -> Ints:
        """[lane], highest recommendation within each lane's window, the newest always included."""
        alike = self._alike(now_s, limits)
        if alike is not None:
            return np.maximum.reduce(self.high[alike])
        return np.maximum.reduce(np.where(self._inside(now_s, limits.window_s), self.high, -1))

    def recent_low(self, now_s: float, limits: StepLimits) -> Ints:
        """[lane], lowest recommendation within each lane's window, the newest always included."""
        alike = self._alike(now_s, limits)
        if alike is not None:
            return np.minimum.reduce(self.low[alike])
        return np.minimum.reduce(np.where(self._inside(now_s, limits.window_s), self.low, NO_LIMIT))

    def step_limit(self, now_s: float, limits: StepLimits, current: Ints, *, upward: bool) -> Ints:
        """[lane], the count that `behavior` allows now, from the count at the start of each policy's period.

        Percent rounds as autoscaling/v2 does: up, in either direction of the move (72 at 10 % may lose 8).
        """
        edge = NO_LIMIT if upward else 0
        if limits.free:
            return np.full_like(current, edge)
        start = self._counts_at_start(now_s, limits, current)
        moved: Floats = np.where(limits.in_pods, limits.pods, np.ceil(start * limits.percent / 100 - 1e-9))
        reached: Floats = start + moved if upward else start - moved
        allowed: Floats = np.where(limits.in_use, reached, np.nan) if limits.any_empty else reached
        widest, tightest = (np.fmax, np.fmin) if upward else (np.fmin, np.fmax)
        limit: Floats = widest.reduce(allowed, axis=1)
        if limits.any_pick_min:
            limit = np.where(limits.pick_min, tightest.reduce(allowed, axis=1), limit)
        if limits.any_free:
            limit = np.where(limits.unlimited, edge, limit)
        if limits.any_disabled:
            limit = np.where(limits.disabled, current, limit)
        limit = np.maximum(limit, current) if upward else np.minimum(limit, current)
        return np.minimum(np.maximum(limit, 0), NO_LIMIT).astype(np.int64)

    def _shares_entry(self, now_s: float, horizon_s: float) -> bool:
        """Whether a tick at now_s falls into the newest entry's slot; slots are fixed, so that none creeps on."""
        slot_s = horizon_s / MOST_ENTRIES
        return bool(slot_s > 0 and now_s // slot_s == self.times_s[-1] // slot_s)

    def _unseen(self) -> Bools:
        """[lane], that were never known so far."""
        if not len(self.times_s):
            return np.ones(len(self.lanes), dtype=np.bool_)
        newest: Bools = self.counts[-1] < 0
        return np.asarray((self.counts < 0).all(axis=0)) if anywhere(newest) else newest

    def _alike(self, now_s: float, limits: StepLimits) -> slice | None:
        """The entries inside every lane's window, where all see the same ones: only the newest, or all there are."""
        if limits.longest_window_s <= 0:
            return slice(len(self.times_s) - 1, None)
        return slice(None) if self.times_s[0] > now_s - limits.shortest_window_s else None

    def _inside(self, now_s: float, window_s: Floats) -> Bools:
        return (self.times_s[:, None] > now_s - window_s) | (self.times_s[:, None] >= now_s)

    def _counts_at_start(self, now_s: float, limits: StepLimits, current: Ints) -> Ints:
        """[lane, policy], or [lane, 1] where it is the same: what was written at the start of each policy's period
        that ends now.
        """
        newest = self.counts[-1]
        only = len(self.times_s) == 1 or self.times_s[-2] <= now_s - limits.longest_period_s
        if only and self.times_s[-1] == now_s and not anywhere(newest < 0):  # every period began at this tick
            return newest[:, np.newaxis]
        begins = np.searchsorted(self.times_s, now_s - limits.period_s, side="right")
        if anywhere(self.counts < 0):
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
