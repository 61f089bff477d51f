"""All workloads of one tick as arrays: lanes (workloads) and rows (their demands)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from autoscaler.domain.conditions import FleetConditions
from autoscaler.domain.policy import UNGUARDED
from autoscaler.domain.policy_fleet import FleetRules
from autoscaler.domain.policy_shared import SharedRules
from autoscaler.domain.season import Season
from autoscaler.domain.series import Bools, Floats, Ints
from autoscaler.domain.workload import Demand, PauseDirection, PolicyType, ScalingRule, SelectPolicy, Workload

T = TypeVar("T")
NO_LIMIT = np.iinfo(np.int32).max
"""Replica counts saturate here: no arithmetic wraps (an HPA once dropped from its max to 1 that way)."""


@dataclass(frozen=True, slots=True, eq=False)
class StepLimits:
    """One direction of `behavior` for all lanes; policies padded to a rectangle.

    pods, percent, period_s: [lane, policy]; NaN where a slot is not of that type; period 0 = empty slot.
    unlimited: [lane], no policy at all. disabled: [lane]. pick_min: [lane], selectPolicy Min.
    tolerance: [lane], share of the replicas within which none move.
    in_pods, in_use: [lane, policy], the slot counts pods; the slot holds a policy. longest_window_s,
    shortest_window_s, longest_period_s: over all lanes. free: nothing limits any lane.
    """

    window_s: Floats
    pods: Floats
    percent: Floats
    period_s: Floats
    unlimited: Bools
    disabled: Bools
    pick_min: Bools
    tolerance: Floats
    in_pods: Bools = field(init=False)
    in_use: Bools = field(init=False)
    longest_window_s: float = field(init=False)
    shortest_window_s: float = field(init=False)
    longest_period_s: float = field(init=False)
    free: bool = field(init=False)
    any_free: bool = field(init=False)
    any_disabled: bool = field(init=False)
    any_pick_min: bool = field(init=False)
    any_empty: bool = field(init=False)

    def __post_init__(self) -> None:
        """Once per fleet, what else every tick would work out again."""
        found = {
            "in_pods": ~np.isnan(self.pods),
            "in_use": self.period_s > 0,
            "longest_window_s": float(self.window_s.max(initial=0)),
            "shortest_window_s": float(self.window_s.min(initial=np.inf)),
            "longest_period_s": float(self.period_s.max(initial=0)),
            "free": bool((self.unlimited & ~self.disabled).all()),
            "any_free": bool(self.unlimited.any()),
            "any_disabled": bool(self.disabled.any()),
            "any_pick_min": bool(self.pick_min.any()),
            "any_empty": bool((self.period_s <= 0).any()),
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @staticmethod
    def of(rules: tuple[ScalingRule, ...]) -> StepLimits:
        slots = max((len(r.policies) for r in rules), default=0) or 1
        pods = np.full((len(rules), slots), np.nan)
        percent = np.full((len(rules), slots), np.nan)
        period = np.zeros((len(rules), slots))
        for i, rule in enumerate(rules):
            for k, policy in enumerate(rule.policies):
                (pods if policy.type is PolicyType.PODS else percent)[i, k] = policy.value
                period[i, k] = policy.period_s
        return StepLimits(
            window_s=np.array([r.stabilization_s for r in rules], dtype=np.float64),
            pods=pods,
            percent=percent,
            period_s=period,
            unlimited=np.array([not r.policies for r in rules], dtype=np.bool_),
            disabled=np.array([r.select is SelectPolicy.DISABLED for r in rules], dtype=np.bool_),
            pick_min=np.array([r.select is SelectPolicy.MIN for r in rules], dtype=np.bool_),
            tolerance=np.array([r.tolerance for r in rules], dtype=np.float64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """The workloads of a tick, in a fixed order, compiled once to arrays.

    Rows are the demands of all workloads, those of one lane side by side; lane l owns rows
    row_start[l] … row_start[l+1]-1. row_headroom: [row], None where no lane has any. horizon_s: seconds of ticks
    that some window or period of `behavior` still looks at. row_per_lane: every lane has one demand.
    capacity: [row], NaN = not known yet; unsized: [lane] with such a row, None where there is none.
    row_seasons: [row], what seasons follow, None = UTC alone; None where all rows do.
    rules, shared, conditions, up_cap, down_cap: what guard policies add; its step limits bind beside the own. up_short:
    of up_cap, what binds even below observed need.
    """

    workloads: tuple[Workload, ...]
    demands: tuple[Demand, ...] = field(init=False)
    row_lane: Ints = field(init=False)
    row_start: Ints = field(init=False)
    capacity: Floats = field(init=False)
    min_replicas: Ints = field(init=False)
    max_replicas: Ints = field(init=False)
    lead_s: Floats = field(init=False)
    risk: Floats = field(init=False)
    headroom: Floats = field(init=False)
    is_floor: Bools = field(init=False)
    max_data_age_s: Floats = field(init=False)
    up: StepLimits = field(init=False)
    down: StepLimits = field(init=False)
    pause_until_s: Floats = field(init=False)
    pause_up: Bools = field(init=False)
    pause_down: Bools = field(init=False)
    row_headroom: Floats | None = field(init=False)
    horizon_s: float = field(init=False)
    row_per_lane: bool = field(init=False)
    unsized: Bools | None = field(init=False)
    row_seasons: tuple[Season | None, ...] | None = field(init=False)
    rules: FleetRules = field(init=False)
    shared: SharedRules = field(init=False)
    conditions: FleetConditions = field(init=False)
    up_cap: StepLimits = field(init=False)
    down_cap: StepLimits = field(init=False)
    up_short: StepLimits = field(init=False)
    _once: dict[tuple[str, int], Any] = field(init=False)

    def __post_init__(self) -> None:
        loads = self.workloads
        refs = [w.ref for w in loads]
        if len(set(refs)) != len(refs):
            twice = next(r for r in refs if refs.count(r) > 1)
            raise ValueError(f"{twice} is in the fleet twice")
        counts = np.array([len(w.demands) for w in loads], dtype=np.int64)
        starts = np.zeros(len(loads), dtype=np.int64)
        np.cumsum(counts[:-1], out=starts[1:])
        pauses = [w.pause for w in loads]
        arrays: dict[str, Any] = {
            "demands": tuple(d for w in loads for d in w.demands),
            "row_lane": np.repeat(np.arange(len(loads)), counts),
            "row_start": starts,
            "capacity": np.array(
                [d.capacity_per_replica or np.nan for w in loads for d in w.demands], dtype=np.float64
            ),
            "min_replicas": np.array([w.min_replicas for w in loads], dtype=np.int64),
            "max_replicas": np.array([w.max_replicas for w in loads], dtype=np.int64),
            "lead_s": np.array([w.lead.total_s for w in loads], dtype=np.float64),
            "risk": np.array([w.risk for w in loads], dtype=np.float64),
            "headroom": np.array([w.headroom for w in loads], dtype=np.float64),
            "is_floor": np.array([w.actuation.is_floor for w in loads], dtype=np.bool_),
            "max_data_age_s": np.array([w.max_data_age_s for w in loads], dtype=np.float64),
            "up": StepLimits.of(tuple(w.scale_up for w in loads)),
            "down": StepLimits.of(tuple(w.scale_down for w in loads)),
            "pause_until_s": np.array([p.until.timestamp() if p else -np.inf for p in pauses], dtype=np.float64),
            "pause_up": np.array(
                [p is not None and p.direction is not PauseDirection.DOWN for p in pauses], dtype=np.bool_
            ),
            "pause_down": np.array(
                [p is not None and p.direction is not PauseDirection.UP for p in pauses], dtype=np.bool_
            ),
        }
        guarded = [w.guarded or UNGUARDED for w in loads]
        up, down = arrays["up"], arrays["down"]
        up_cap, down_cap = (
            StepLimits.of(tuple(g.up_cap for g in guarded)),
            StepLimits.of(tuple(g.down_cap for g in guarded)),
        )
        some = bool((arrays["headroom"] != 1).any())
        unknown = np.isnan(arrays["capacity"])
        seasons = tuple(season for w in loads for season in (w.season,) * len(w.demands))
        arrays |= {
            "row_seasons": seasons if any(s is not None for s in seasons) else None,
            "unsized": np.logical_or.reduceat(unknown, starts) if unknown.any() else None,
            "row_headroom": arrays["headroom"][arrays["row_lane"]] if some else None,
            "horizon_s": max(
                *(limits.longest_window_s for limits in (up, down)),
                *(limits.longest_period_s for limits in (up, down, up_cap, down_cap)),
            ),
            "rules": FleetRules.of(loads),
            "shared": SharedRules.of(loads),
            "conditions": FleetConditions.of([(g.conditions, g.about) for g in guarded]),
            "up_cap": up_cap,
            "down_cap": down_cap,
            "up_short": StepLimits.of(tuple(g.up_short for g in guarded)),
            "row_per_lane": bool((counts == 1).all()),
            "_once": {},
        }
        for name, value in arrays.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.workloads)

    def lead_steps(self, step_s: int, data_delay_steps: Ints | int = 0) -> Ints:
        """[row], lead in whole steps, rounded up, with the delay of the lane's data ([lane]) in front of it."""
        steps = np.ceil(self.lead_s / step_s - 1e-9).astype(np.int64) + data_delay_steps
        return np.asarray(steps[self.row_lane])

    def lead_steps_of_lanes(self, step_s: int) -> Ints:
        """[lane], lead in whole steps, rounded up, without the delay of the data; worked out once."""
        return self.once("lead steps of lanes", step_s, lambda: self.lead_steps(step_s)[self.row_start])

    def once(self, what: str, step_s: int, make: Callable[[], T]) -> T:
        """What follows from the fleet and a step alone, made at the first call. `what` names it, for all callers."""
        key = (what, step_s)
        if key not in self._once:
            self._once[key] = make()
        found: T = self._once[key]
        return found

    def row_keys(self) -> tuple[str, ...]:
        """Stable identity of each row: whose demand, and what is asked; another query is another row."""
        return tuple(
            f"{self.workloads[lane].ref}/{demand.name}={demand.source}:{demand.query}"
            for lane, demand in zip(self.row_lane.tolist(), self.demands, strict=True)
        )

    def most_over_rows(self, per_row: Ints) -> Ints:
        """Largest value per lane of an array over rows (the largest plan wins)."""
        if self.row_per_lane:
            return per_row
        return np.asarray(np.maximum.reduceat(per_row, self.row_start))

    def any_over_rows(self, per_row: Bools) -> Bools:
        if self.row_per_lane:
            return per_row
        return np.asarray(np.logical_or.reduceat(per_row, self.row_start))

    def all_over_rows(self, per_row: Bools) -> Bools:
        if self.row_per_lane:
            return per_row
        return np.asarray(np.logical_and.reduceat(per_row, self.row_start))
