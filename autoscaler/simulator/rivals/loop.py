"""Many HPAs in closed loop with the replicas they start, over a whole recording: exact and fast.

The rules are those of `simulator.hpa.lanes` (Kubernetes 1.36, default behavior, utilisation of ready pods) and of
`simulator.cluster`, and a test holds the requests equal to theirs. Speed comes from what a recording allows: within
a step demand stands still, and a window of whole steps slides by one step, so its maximum is taken once a step, not
once a sync.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats, Ints
from autoscaler.simulator.hpa.quantities import EPSILON, INT32_MAX
from autoscaler.simulator.rivals.contract import World

SYNC_S: Final = 15
TOLERANCE: Final = 0.1
LEAST_UP: Final = 4

Predictor = Callable[[int, Floats], Floats | None]
"""(step, [lane] replicas that the metric asks for) → [lane] replicas predicted, None = no prediction yet."""


@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """targets: [lane], whole percent of capacity. down_s: seconds of down-stabilisation, one for each equal part of
    the lanes. syncs: per step, None = as many as there are periods of 15 s.
    """

    targets: Ints
    down_s: tuple[int, ...] = (300,)
    syncs: int | None = None

    def syncs_of(self, world: World) -> int:
        return max(1, world.step_s // SYNC_S) if self.syncs is None else self.syncs


def fits(lanes: Lanes, world: World) -> bool:
    """Whether the fast loop is exact: all windows are whole steps."""
    return all(seconds > 0 and seconds % world.step_s == 0 for seconds in lanes.down_s)


def closed_loop(
    known: Floats, world: World, lanes: Lanes, ahead: Floats | None = None, predictor: Predictor | None = None
) -> Ints:
    """[lane, step], replicas asked for at the end of the step's syncs.

    known: [step], demand known at the start of a step (NaN: the metric fails, current is kept).
    ahead: [step], demand of a second metric, as an external one with an average value of target × capacity (NaN:
    absent); the larger proposal counts. predictor: replaces the proposal by the larger of it and what it predicts.
    """
    if not fits(lanes, world):
        raise ValueError(f"windows of {lanes.down_s} s are not whole steps of {world.step_s} s")
    targets = np.asarray(lanes.targets, dtype=np.float64)
    count, syncs, lead = len(targets), lanes.syncs_of(world), world.lead_steps
    windows = _Windows(count, syncs, tuple(s // world.step_s for s in lanes.down_s))
    # level[k]: replicas that will serve k steps from now if nothing is asked for; level[-1] is what was asked for.
    level = np.full((lead + 1, count), float(world.least))
    asked = np.empty((len(known), count), dtype=np.int64)
    begun = level[-1].copy()
    busy, share = 100.0 * known / world.capacity, targets * world.capacity / 100
    for step in range(len(known)):
        level[:-1] = level[1:]
        highs = windows.begin(step)
        for sync in range(syncs):
            current = level[-1]
            high = highs[sync]
            if begun is not None and step == 0 and sync == 0:
                high = np.maximum(high, begun)  # the first sync records the count that it finds
            if not busy[step] >= 0:
                windows.skip(sync, begun if step == 0 and sync == 0 else None)
                continue
            wanted = _proposed(float(busy[step]), level[0], current, targets)
            if ahead is not None and ahead[step] >= 0:
                wanted = np.maximum(wanted, _external(float(ahead[step]) / share, current))
            if predictor is not None:
                predicted = predictor(step, wanted)
                wanted = wanted if predicted is None else np.maximum(wanted, predicted)
            stable = np.minimum(np.maximum(current, wanted), windows.highest(sync, high, wanted))
            ceiling = np.minimum(np.maximum(current + LEAST_UP, 2 * current), world.most)
            granted = np.maximum(np.minimum(stable, ceiling), world.least)
            windows.record(sync, np.maximum(wanted, begun) if step == 0 and sync == 0 else wanted)
            if (granted != current).any():
                np.minimum(level, granted, out=level)
                level[-1] = granted
            elif predictor is None and windows.settled(sync, highs[-1], np.maximum(current, wanted), stable):
                break
        windows.end()
        asked[step] = level[-1]
    return asked.T


def _proposed(busy: float, ready: Floats, current: Floats, targets: Floats) -> Floats:
    """[lane], replicas by utilisation. busy: demand in percent of one replica."""
    pods = ready
    percent = np.floor(busy / pods + EPSILON)
    dampened = (pods < current) & (percent > targets)
    any_dampened = dampened.any()
    if any_dampened:
        # Unready pods count as idle, but only against a rise.
        pods = np.where(dampened, current, pods)
        percent = np.floor(busy / pods + EPSILON)
        dampened &= percent < targets
    ratio = percent / targets
    held = np.abs(ratio - 1.0) <= TOLERANCE + EPSILON
    if any_dampened:
        held |= dampened
    return np.where(held, current, np.minimum(np.ceil(percent * pods / targets), INT32_MAX))


def _external(need: Floats, current: Floats) -> Floats:
    held = np.abs(need / current - 1.0) <= TOLERANCE + EPSILON
    return np.where(held, current, np.minimum(np.ceil(need - EPSILON), INT32_MAX))


class _Windows:
    """The highest recommendation of a window for each lane; lanes come in equal groups of one window each."""

    def __init__(self, lanes: int, syncs: int, widths: tuple[int, ...]) -> None:
        if lanes % len(widths):
            raise ValueError(f"{lanes} lanes do not fall into {len(widths)} equal groups")
        size = lanes // len(widths)
        self._groups = [
            (slice(g * size, (g + 1) * size), np.full((w, syncs, size), -np.inf), np.full((w, size), -np.inf))
            for g, w in enumerate(widths)
        ]
        self._now = np.full((syncs, lanes), -np.inf)
        self._highs = np.full((syncs, lanes), -np.inf)
        self._so_far = np.full(lanes, -np.inf)
        self._step = 0

    def begin(self, step: int) -> Floats:
        """[sync, lane], highest of what the steps before still say at each sync of this one."""
        self._step = step
        self._so_far.fill(-np.inf)
        for where, recorded, peaks in self._groups:
            slot = step % len(peaks)
            peaks[slot] = -np.inf
            highest = peaks.max(axis=0)
            for sync in range(len(self._now) - 1, -1, -1):
                # The record of the same sync is exactly a window old, and out; those after it are not.
                self._highs[sync, where] = highest
                np.maximum(highest, recorded[slot, sync], out=highest)
        return self._highs

    def highest(self, sync: int, before: Floats, newest: Floats) -> Floats:
        most = np.maximum(before, newest)
        return np.maximum(most, self._so_far) if sync else most

    def record(self, sync: int, wanted: Floats) -> None:
        self._now[sync] = wanted
        np.maximum(self._so_far, wanted, out=self._so_far)

    def settled(self, sync: int, last: Floats, sought: Floats, stable: Floats) -> bool:
        """Whether the step's other syncs are this one again, which changed nothing; they are recorded if so.

        Metric and replicas stand still, so only a high that leaves the window could make a difference, and highs
        only fall within a step: that of the last sync decides. sought: before stabilisation, stable: after.
        """
        if not np.array_equal(np.minimum(sought, np.maximum(last, self._so_far)), stable):
            return False
        self._now[sync + 1 :] = self._now[sync]
        return True

    def skip(self, sync: int, found: Floats | None) -> None:
        self.record(sync, np.full_like(self._so_far, -np.inf) if found is None else found)

    def end(self) -> None:
        for where, recorded, peaks in self._groups:
            slot = self._step % len(peaks)
            recorded[slot] = self._now[:, where]
            peaks[slot] = self._so_far[where]
