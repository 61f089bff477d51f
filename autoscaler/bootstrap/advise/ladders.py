"""Many HPAs of many workloads over one recording in one pass, with or without a floor of ours under them.

The rules are those of `simulator.rivals.loop`, which knows one workload; a test holds the two, and the cluster twin,
equal. Within a step demand stands still, so a lane that settles at one sync is not asked at the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints
from autoscaler.planning.need import ROUNDING
from autoscaler.simulator.hpa.quantities import EPSILON, INT32_MAX
from autoscaler.simulator.rivals.loop import LEAST_UP, SYNC_S, TOLERANCE

DOWN_S: Final = 300
"""Scale-down stabilisation, as every HPA has it by default."""
TOLD_STEPS: Final = 500

Progress = Callable[[float], None]


def fits(step_s: int) -> bool:
    """Whether a step is a whole number of syncs, and the window a whole number of steps."""
    return step_s % SYNC_S == 0 and DOWN_S % step_s == 0


@dataclass(frozen=True, slots=True, eq=False)
class Rungs:
    """One HPA per lane. row: [lane], its workload's row of demand. target: [lane], percent of capacity.

    capacity, least, most: [lane], of the workload. floored: [lane], whether our floor of that row stands under it.
    """

    row: Ints
    target: Floats
    capacity: Floats
    least: Floats
    most: Floats
    floored: Bools

    def __post_init__(self) -> None:
        if not ((self.target >= 1).all() and (self.capacity > 0).all() and (self.least <= self.most).all()):
            raise ValueError("a rung needs a target of 1 % or more, a capacity above zero and least ≤ most")


@dataclass(frozen=True, slots=True)
class Span:
    """The recording's step, the lead in steps, and how many steps are decided and not scored."""

    step_s: int
    lead_steps: int
    warm_steps: int

    def __post_init__(self) -> None:
        if not fits(self.step_s):
            raise ValueError(f"steps of {self.step_s} s: whole syncs of {SYNC_S} s that divide {DOWN_S} s are needed")


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """short: [lane], scored steps with more demand than ready replicas serve. paid: [lane], sum of replicas over
    scored steps. requested: [lane, step], None unless kept.
    """

    short: Ints
    paid: Floats
    requested: Ints | None


def run(
    demand: Floats, rungs: Rungs, span: Span, floors: Ints | None = None,
    *, keep: bool = False, progress: Progress | None = None,
) -> Ran:  # fmt: skip
    """demand: [row, step], NaN = unknown: the metric fails and the count is kept. floors: [row, step].

    An HPA sees the step before; each starts with its fewest replicas, ready.
    """
    lanes, steps = len(rungs.row), demand.shape[1]
    loop = _Loop(rungs, span)
    short, paid = np.zeros(lanes, dtype=np.int64), np.zeros(lanes)
    asked = np.empty((lanes, steps), dtype=np.int64) if keep else None
    seen = np.full(lanes, np.nan)
    for step in range(steps):
        least = rungs.least
        if floors is not None:
            raised = np.minimum(np.maximum(least, floors[rungs.row, step]), rungs.most)
            least = np.where(rungs.floored, raised, least)
        loop.step(step, seen, least)
        seen = demand[rungs.row, step]
        if asked is not None:
            asked[:, step] = loop.asked
        if step >= span.warm_steps:
            known = ~np.isnan(seen)
            short += known & (np.where(known, seen, 0.0) * (1 - ROUNDING) > loop.ready * rungs.capacity)
            paid += np.where(known, loop.asked, 0.0)
        if progress is not None and step % TOLD_STEPS == 0:
            progress(step / steps)
    return Ran(short, paid, asked)


class _Loop:
    """The HPAs between two steps. level[k]: replicas that serve k steps from now if nothing more is asked for."""

    def __init__(self, rungs: Rungs, span: Span) -> None:
        lanes, self._syncs, width = len(rungs.row), span.step_s // SYNC_S, DOWN_S // span.step_s
        self._rungs = rungs
        self._level = np.tile(rungs.least.astype(np.float64), (span.lead_steps + 1, 1))
        self._records = np.full((width, self._syncs, lanes), -np.inf)
        self._peaks = np.full((width, lanes), -np.inf)

    @property
    def asked(self) -> Floats:
        return self._level[-1]

    @property
    def ready(self) -> Floats:
        return self._level[0]

    def step(self, step: int, seen: Floats, least: Floats) -> None:
        """All syncs of one step. seen: [lane], demand that the metric shows, NaN = it fails."""
        self._level[:-1] = self._level[1:]
        slot = step % len(self._peaks)
        highs = self._highs(slot)
        now = self._records[slot]
        so_far = np.full(len(seen), -np.inf)
        left = np.arange(len(seen))
        busy = 100.0 * seen / self._rungs.capacity
        found = self._level[-1].copy() if step == 0 else None
        for sync in range(self._syncs):
            record, settled = self._sync(left, busy[left], least[left], (highs[sync], highs[-1]), so_far, found)
            found = None  # the first sync records the count that it finds
            now[sync, left] = record
            now[sync + 1 :, left[settled]] = record[settled]
            left = left[~settled]
            if not len(left):
                break
        self._peaks[slot] = so_far

    def _highs(self, slot: int) -> Floats:
        """[sync, lane], highest of what the window still holds at each sync; a record exactly a window old is out."""
        self._peaks[slot] = -np.inf
        highest = self._peaks.max(axis=0)
        highs = np.empty_like(self._records[slot])
        for sync in range(self._syncs - 1, -1, -1):
            highs[sync] = highest
            highest = np.maximum(highest, self._records[slot, sync])
        return highs

    def _sync(  # noqa: PLR0917 - one sync of the lanes `at`, and what it leaves for the next
        self, at: Ints, busy: Floats, least: Floats, highs: tuple[Floats, Floats], so_far: Floats, found: Floats | None
    ) -> tuple[Floats, Bools]:
        """[of `at`]: what is recorded, and whether the step's other syncs would be this one again, changing nothing."""
        current, ready, most = self._level[-1][at], self._level[0][at], self._rungs.most[at]
        usable = busy >= 0
        computed = usable & (current >= least) & (current <= most)
        wanted = proposed(np.where(usable, busy, 0.0), ready, current, self._rungs.target[at])
        high = np.maximum(highs[0][at], so_far[at])
        if found is not None:
            high = np.maximum(high, found[at])
        sought = np.maximum(current, wanted)
        stable = np.minimum(sought, np.maximum(high, wanted))
        ceiling = np.minimum(np.maximum(current + LEAST_UP, 2 * current), most)
        granted = np.maximum(np.minimum(stable, ceiling), least)
        # Outside of its limits an HPA goes to the nearer one at once and leaves its metrics alone.
        desired = np.where(computed, granted, np.minimum(np.maximum(current, least), most))
        record = np.where(computed, wanted, -np.inf)
        if found is not None:
            record = np.maximum(record, found[at])
        so_far[at] = np.maximum(so_far[at], record)
        changed = desired != current
        if changed.any():
            where, to = at[changed], desired[changed]
            self._level[:, where] = np.minimum(self._level[:, where], to)
            self._level[-1, where] = to
        same = np.minimum(sought, np.maximum(highs[1][at], so_far[at])) == stable
        return record, ~changed & (same | ~usable)


def proposed(busy: Floats, ready: Floats, current: Floats, target: Floats) -> Floats:
    """[lane], replicas by utilisation. busy: demand in percent of one replica."""
    percent = np.floor(busy / ready + EPSILON)
    dampened = (ready < current) & (percent > target)
    if dampened.any():
        # Unready pods count as idle, but only against a rise.
        ready = np.where(dampened, current, ready)
        percent = np.where(dampened, np.floor(busy / ready + EPSILON), percent)
        dampened &= percent < target
    held = dampened | (np.abs(percent / target - 1.0) <= TOLERANCE + EPSILON)
    return np.where(held, current, np.minimum(np.ceil(percent * ready / target), INT32_MAX))
