"""The array twin of the HPA for simulation: many lanes, one metric each, demand spread evenly over ready pods.

Source and rules: those of the scalar modules beside this one, Kubernetes 1.36; a property test holds the two equal
lane by lane. Knows nothing of pods one by one: on a lane every ready pod has a trusted sample, every other one is
unready, and status.replicas equals spec.replicas.

Arithmetic is float64 on demand in its own unit. Ceil and floor forgive EPSILON (1e-9 replicas, 1e-9 percent points),
so float noise in a demand never costs a pod. On whole milli-units this equals the exact integers as long as a
utilization stays under 10^6 percent and a need under 10^6 replicas; beyond, float64 may be off by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints, anywhere, everywhere
from autoscaler.domain.workload import PolicyType, ScalingRule, SelectPolicy, StepPolicy
from autoscaler.simulator.hpa.behavior import (
    DEFAULT_BEHAVIOR,
    DOWNSCALE_STABILIZATION_S,
    LEGACY_UP_FACTOR,
    LEGACY_UP_LEAST,
    Behavior,
    longest_period_s,
)
from autoscaler.simulator.hpa.lane_memory import EventSlots, RecommendationRing
from autoscaler.simulator.hpa.proposals import DEFAULT_TOLERANCE, Tolerance
from autoscaler.simulator.hpa.quantities import EPSILON, INT32_MAX

_ENDLESS = 1e18  # replicas' worth of demand: far past int32, and 100 times it is still finite


class LaneMetric(StrEnum):
    """UTILIZATION: as a resource metric, percent of capacity on each ready pod, truncated.
    AVERAGE_VALUE: as an external metric, total demand over (capacity × target), whatever is ready.
    """

    UTILIZATION = "Utilization"
    AVERAGE_VALUE = "AverageValue"


@dataclass(frozen=True, slots=True, eq=False)
class LaneTarget:
    """What each lane is scaled on.

    capacity: [lane], demand that one ready pod serves at 100 %, in the lane's demand unit.
    target_percent: [lane] whole numbers, or one for all: the share of capacity to aim at.
    """

    metric: LaneMetric
    capacity: Floats
    target_percent: Ints | int
    tolerance: Tolerance = DEFAULT_TOLERANCE

    def __post_init__(self) -> None:
        if self.capacity.ndim != 1 or not ((self.capacity > 0) & (self.capacity < 1e280)).all():
            raise ValueError(f"capacity is a positive number for each lane, not {self.capacity!r}")
        if not (np.asarray(self.target_percent) >= 1).all():
            raise ValueError(f"a target is a whole percent of at least 1, not {self.target_percent!r}")


class _Newest(NamedTuple):
    """The newest sync, [lane]: replicas it found, wanted, whether metrics counted, and the limits."""

    cur: Floats
    wanted: Floats
    computed: Bools
    least: Floats
    most: Floats


class HpaLanes:
    """State of one HPA per lane; all lanes share metric kind, behavior and the times of their syncs.

    behavior None = the field is absent (see `HpaSpec`). Make one object per group of like HPAs.
    """

    def __init__(self, target: LaneTarget, behavior: Behavior | None = DEFAULT_BEHAVIOR) -> None:
        self._lanes = lanes = len(target.capacity)
        self._utilization = target.metric is LaneMetric.UTILIZATION
        self._capacity = np.array(target.capacity, dtype=np.float64)
        self._most_demand = self._capacity * _ENDLESS
        self._target: Floats = np.broadcast_to(np.asarray(target.target_percent, dtype=np.float64), lanes).copy()
        self._target_demand = self._capacity * self._target / 100
        self._hold_from = 1.0 - target.tolerance.down - EPSILON
        self._hold_to = 1.0 + target.tolerance.up + EPSILON
        self._behavior = behavior
        up = behavior.scale_up if behavior else ScalingRule()
        down = behavior.scale_down if behavior else ScalingRule(DOWNSCALE_STABILIZATION_S)
        self._highest = RecommendationRing(lanes, down.stabilization_s, highest=True, inclusive=behavior is None)
        self._lowest = RecommendationRing(lanes, up.stabilization_s, highest=False)
        self._ups = EventSlots(lanes, longest_period_s(up))
        self._downs = EventSlots(lanes, longest_period_s(down))
        self._last_s: float | None = None
        self._newest: _Newest | None = None

    def sync(
        self,
        now_s: float,
        demand: Floats,
        ready: Ints,
        current: Ints,
        *,
        min_replicas: Ints,
        max_replicas: Ints,
    ) -> Ints:
        """Desired spec.replicas [lane] of one sync of every lane; the caller writes it and passes it back as current.

        demand: [lane], NaN, ±Inf or negative = the metric fails: current is kept, min and max still hold.
        ready: [lane] pods that serve; those beyond current are terminating and dropped, none ready = metric fails.
        min_replicas ≤ max_replicas: [lane], free to change between syncs. Zero replicas with min > 0 stay at zero.
        """
        if self._last_s is not None and now_s < self._last_s:
            raise ValueError(f"time ran back from {self._last_s} s to {now_s} s")
        if not len(demand) == len(ready) == len(current) == self._lanes:
            raise ValueError(f"{self._lanes} lanes need as many numbers each, not {len(demand)}, {len(ready)}, …")
        cur = np.asarray(current, dtype=np.float64)
        least = np.asarray(min_replicas, dtype=np.float64)
        most = np.asarray(max_replicas, dtype=np.float64)
        wanted, usable = self._proposed(demand, ready, cur) if self._lanes > 1 else self._alone(demand, ready, cur)
        if self._last_s is None:
            self._record(now_s, cur, np.ones(self._lanes, dtype=np.bool_))
        self._last_s = now_s
        computed = usable & (cur >= least) & (cur <= most)
        granted = self._granted(now_s, cur, wanted, least, most)
        self._record(now_s, wanted, computed)
        self._newest = _Newest(cur, wanted, computed, least, most)
        desired = np.where(computed, granted, np.minimum(np.maximum(cur, least), most))
        if anywhere(cur == 0):
            desired[cur == 0] *= computed[cur == 0]
        self._remember_changes(now_s, desired - cur)
        return desired.astype(np.int64)

    def rests_until(self, last_s: float, lanes: Bools) -> bool:
        """Whether syncs up to `last_s`, with all else standing still, are the newest one again, which moved none of
        `lanes` [lane]. May say no where they are; never yes where they are not.

        What is wanted is what there is; or the limit that is reached keeps it; or a higher recommendation does, and it
        is still in the window at the last of those syncs.
        """
        if self._newest is None or self._behavior is None:
            return False
        cur, wanted, computed, least, most = self._newest
        still = ~computed | (wanted == cur) | ((wanted < cur) & (cur == least)) | ((wanted > cur) & (cur == most))
        still |= ~lanes
        if everywhere(still):
            return True
        falling = wanted < cur
        return everywhere(still | falling) and everywhere(still | (self._highest.at(last_s, wanted) >= cur))

    def rests(
        self, times_s: Sequence[float], demand: Floats, ready: Ints, current: Ints, limits: tuple[Ints, Ints]
    ) -> bool:
        """Of a lone lane: whether no sync at these times would move it, all else standing still; then they are
        remembered.

        May say no where none would; never yes where one would. What is wanted is what there is, or a higher
        recommendation keeps it until the last of them: what is granted lies between the two.
        """
        if self._lanes > 1 or self._behavior is None or self._last_s is None or times_s[0] < self._last_s:
            return False
        now, least, most = int(current[0]), int(limits[0][0]), int(limits[1][0])
        if now <= 0 or not least <= now <= most:
            return False
        cur = np.asarray(current, dtype=np.float64)
        wanted, usable = self._alone(demand, ready, cur)
        asked = float(wanted[0])
        if not usable[0] or asked > now:
            return False
        if asked < now and float(self._highest.at(times_s[-1], wanted)[0]) < now:
            return False
        self._highest.forget(times_s[0])
        self._lowest.forget(times_s[0])
        for at_s in times_s:
            self._record(at_s, wanted, usable)
        self._last_s = times_s[-1]
        self._newest = _Newest(cur, wanted, usable, *(np.asarray(limit, dtype=np.float64) for limit in limits))
        return True

    def rest(self, times_s: Sequence[float]) -> None:
        """Those syncs, remembered as if they had taken place."""
        if self._newest is None or not times_s:
            return
        for at_s in times_s:
            self._record(at_s, self._newest.wanted, self._newest.computed)
        self._last_s = times_s[-1]

    def _proposed(self, demand: Floats, ready: Ints, cur: Floats) -> tuple[Floats, Bools]:
        """Replicas the metric asks for, and where it can be used at all."""
        usable = (demand >= 0) & (demand < np.inf)
        work = np.where(usable, np.minimum(demand, self._most_demand), 0.0)
        if not self._utilization:
            need = work / self._target_demand
            ratio = need / np.maximum(cur, 1.0)
            held = (ratio >= self._hold_from) & (ratio <= self._hold_to) & (cur > 0)
            return np.where(held, cur, np.minimum(np.ceil(need - EPSILON), INT32_MAX)), usable
        pods = np.minimum(np.asarray(ready, dtype=np.float64), cur)
        usable &= pods > 0
        busy = 100.0 * work / self._capacity
        percent = self._percent(busy, pods)
        # Unready pods count as idle, but only against a rise.
        dampened = (pods < cur) & (percent > self._target)
        if anywhere(dampened):
            pods = np.where(dampened, cur, pods)
            percent = np.where(dampened, self._percent(busy, pods), percent)
            dampened &= percent < self._target
        ratio = percent / self._target
        held = ((ratio >= self._hold_from) & (ratio <= self._hold_to)) | dampened
        return np.where(held, cur, np.minimum(np.ceil(percent * pods / self._target), INT32_MAX)), usable

    def _alone(self, demand: Floats, ready: Ints, cur: Floats) -> tuple[Floats, Bools]:
        """The same of a single lane, whose numbers take a tenth of the time as plain ones."""
        if not self._utilization:
            return self._proposed(demand, ready, cur)
        work, now, target = float(demand[0]), float(cur[0]), float(self._target[0])
        usable = 0 <= work < math.inf
        work = min(work, float(self._most_demand[0])) if usable else 0.0
        pods = min(float(ready[0]), now)
        usable = usable and pods > 0
        busy = 100.0 * work / float(self._capacity[0])
        percent = min(math.floor(busy / max(pods, 1.0) + EPSILON), INT32_MAX)
        dampened = pods < now and percent > target
        if dampened:
            pods = now
            percent = min(math.floor(busy / max(pods, 1.0) + EPSILON), INT32_MAX)
            dampened = percent < target
        held = self._hold_from <= percent / target <= self._hold_to or dampened
        wanted = now if held else min(math.ceil(percent * pods / target), INT32_MAX)
        return np.array([wanted], dtype=np.float64), np.array([usable])

    @staticmethod
    def _percent(busy: Floats, pods: Floats) -> Floats:
        return np.minimum(np.floor(busy / np.maximum(pods, 1.0) + EPSILON), INT32_MAX)

    def _granted(self, now_s: float, cur: Floats, wanted: Floats, least: Floats, most: Floats) -> Floats:
        """Stabilise, rate policies, min and max; [lane], meaningful only where min ≤ current ≤ max."""
        highest = self._highest.extreme(now_s, wanted)
        if self._behavior is None:
            ceiling = np.maximum(LEGACY_UP_FACTOR * cur, LEGACY_UP_LEAST)
            return np.maximum(np.minimum(np.minimum(highest, ceiling), most), least)
        lowest = self._lowest.extreme(now_s, wanted)
        granted = np.minimum(np.maximum(cur, lowest), highest)
        # Each limit is on the far side of current, so it is worked out only when some lane moves that way.
        if anywhere(granted > cur):
            ceiling = np.maximum(self._limit(self._behavior.scale_up, now_s, cur, up=True), cur)
            granted = np.minimum(granted, np.minimum(ceiling, most))
        if anywhere(granted < cur):
            floor = np.minimum(self._limit(self._behavior.scale_down, now_s, cur, up=False), cur)
            granted = np.maximum(granted, np.maximum(floor, least))
        return granted

    def _limit(self, rule: ScalingRule, now_s: float, cur: Floats, *, up: bool) -> Floats | float:
        """Most (up) or fewest (down) replicas that a rule allows, [lane] or one for all."""
        if rule.select is SelectPolicy.DISABLED:
            return cur
        if not rule.policies:
            return INT32_MAX if up else 0.0
        allowed: Floats | None = None
        pick = np.maximum if up is (rule.select is SelectPolicy.MAX) else np.minimum
        for policy in rule.policies:
            cutoff_s = now_s - policy.period_s
            start = cur - self._ups.since(cutoff_s) + self._downs.since(cutoff_s)
            one = _stepped(policy, start, up=up)
            allowed = one if allowed is None else pick(allowed, one)
        return np.asarray(allowed)

    def _record(self, now_s: float, wanted: Floats, computed: Bools) -> None:
        self._highest.record(now_s, wanted, computed)
        self._lowest.record(now_s, wanted, computed)

    def _remember_changes(self, now_s: float, change: Floats) -> None:
        if self._behavior is not None and anywhere(change != 0):
            self._ups.store(now_s, change, change > 0)
            self._downs.store(now_s, -change, change < 0)


def _stepped(policy: StepPolicy, start: Floats, *, up: bool) -> Floats:
    """Upstream's float formulas; a float past int32 needs no clamp, the limits of the HPA bind first."""
    if policy.type is PolicyType.PODS:
        return start + policy.value if up else start - policy.value
    if up:
        return np.asarray(np.ceil(start * (1 + policy.value / 100)))
    return np.asarray(np.trunc(start * (1 - policy.value / 100)))
