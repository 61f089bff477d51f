"""What is kept for a lane whose demand cannot be seen: the last plan on good data, healthy signals, a floor.

The largest of them holds. It never falls in the dark; once all is seen again it comes down by the policy's stated rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.forecast import LEVELS, SIZING_LEVEL, ForesightAt
from autoscaler.domain.series import Bools, Floats, Ints, anywhere, usable
from autoscaler.planning.need import replicas_for
from autoscaler.planning.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class FallbackState:
    """plan: [lane], replicas of the last plan that was made on good data, 0 = none yet. level: [lane], what is still
    kept of the dark, 0 = nothing.
    """

    plan: Ints
    level: Floats

    @staticmethod
    def fresh(lanes: int) -> FallbackState:
        return FallbackState(np.zeros(lanes, dtype=np.int64), np.zeros(lanes))

    def carried(self, old: Ints) -> FallbackState:
        """For another fleet: lane l was old[l] here, or is new where that is -1."""
        if not len(self.plan):
            return FallbackState.fresh(len(old))
        stays = old >= 0
        return FallbackState(np.where(stays, self.plan[old], 0), np.where(stays, self.level[old], 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """All [lane]. least: replicas while in the dark. level: below which a lane does not come down now; 0 = none."""

    least: Ints
    level: Ints
    state: FallbackState


def kept_in_the_dark(
    fleet: Fleet, seen: ForesightAt, planned: Plan, margin: Floats, current: Ints,
    *, believed: Ints, before: FallbackState, elapsed_s: float,
) -> Kept:  # fmt: skip
    """For the lanes whose policy has a fallback. believed: [lane], this tick's plan as far as it is trusted.

    margin: [lane]. current: [lane], what is written now. elapsed_s: since the last tick.
    Decay: so many percent of the level each `every`, continuously, only while every signal is seen; as soon as the plan
    asks for as much, nothing is kept any more.
    """
    rules = fleet.rules
    asked = np.isfinite(rules.fallback_after_s)
    good = usable(planned.verdict) & (planned.data_age_s <= fleet.max_data_age_s)
    plan = np.where(good, believed, before.plan)
    dark = asked & ~good & ~(planned.data_age_s <= rules.fallback_after_s)
    least = np.zeros(len(fleet), dtype=np.int64)
    level = before.level
    if anywhere(dark):
        healthy = _healthy_need(fleet, seen, margin)
        least = np.where(dark, np.maximum(np.maximum(plan, healthy), rules.fallback_least), 0)
    if anywhere(dark | (level > 0)):
        fades = rules.fallback_decay_per_s < 0
        with np.errstate(invalid="ignore"):
            faded = level * np.exp(np.where(good, rules.fallback_decay_per_s * elapsed_s, 0.0))
        level = np.where(dark, np.maximum(level, np.maximum(least, current)), np.where(good, faded, level))
        level = np.where(fades & ~(good & (np.ceil(level - 1e-9) <= believed)), level, 0.0)
    whole = np.minimum(np.ceil(level - 1e-9), NO_LIMIT).astype(np.int64)
    return Kept(least, np.where(good, whole, 0), FallbackState(plan, level))


def _healthy_need(fleet: Fleet, seen: ForesightAt, margin: Floats) -> Ints:
    """[lane], replicas that the signals which are seen ask for, observed or forecast."""
    limit_s = fleet.max_data_age_s[fleet.row_lane]
    healthy: Bools = usable(seen.verdict) & ~np.isnan(seen.observed) & (seen.age_s <= limit_s)
    with np.errstate(over="ignore", invalid="ignore"):
        peak = seen.quantiles[:, LEVELS.index(SIZING_LEVEL)] * margin[fleet.row_lane]
        demand = np.fmax(seen.observed, np.where(seen.present, peak, 0.0)) * fleet.headroom[fleet.row_lane]
    need = fleet.most_over_rows(replicas_for(np.where(healthy, demand, 0.0), fleet.capacity))
    return fleet.rules.surviving(need) if fleet.rules.survives else need
