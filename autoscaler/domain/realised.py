"""The shortage that really was, beside the one that was asked for: of the plan and of the system, per lane.

Old steps fade (e-folding after FADE_S), so that the figures speak of the last weeks. Steps whose demand nobody
knows, or knows as a lower bound only, count nowhere: they are no proof that nothing was short.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints

FADE_S = 14 * 86_400.0
LATEST = 17
"""Steps by which demand may settle late and still be judged."""
TOLERANCE = 1e-9
_BY_LANE = ("plan_steps", "plan_short", "steps", "short", "demand", "demand_short", "unserved", "judged", "missed")


@dataclass(frozen=True, slots=True, eq=False)
class Realised:
    """All [lane], faded sums over judged steps.

    plan_steps, plan_short: of what our own wanted would have had ready (`planning.margin`). steps, short: of what the
    replicas that served carried. demand, demand_short, unserved: demand of those steps, of the short ones, and what was
    above capacity; in the unit of the lane's first demand. ready: [age, lane], that served at `step` - age; NaN
    is not known. judged, missed: the plan's counts at the last look.
    """

    plan_steps: Floats
    plan_short: Floats
    steps: Floats
    short: Floats
    demand: Floats
    demand_short: Floats
    unserved: Floats
    ready: Floats
    step: int
    judged: Ints
    missed: Ints

    @staticmethod
    def fresh(lanes: int) -> Realised:
        nothing, none = np.zeros(lanes), np.zeros(lanes, dtype=np.int64)
        ready = np.full((LATEST, lanes), np.nan)
        return Realised(nothing, nothing, nothing, nothing, nothing, nothing, nothing, ready, -1, none, none)

    def carried(self, old: Ints) -> Realised:
        """For another fleet: lane l was old[l] here, or is new where that is -1."""
        new, stays = Realised.fresh(len(old)), old >= 0
        new.ready[:, stays] = self.ready[:, old[stays]]
        changed: dict[str, Any] = {}
        for name in _BY_LANE:
            out = np.zeros_like(getattr(new, name))
            out[stays] = getattr(self, name)[old[stays]]
            changed[name] = out
        return replace(new, step=self.step, **changed)

    @property
    def plan_risk(self) -> Floats:
        """[lane], share of judged steps in which our own plan was short; NaN where none was judged."""
        return _share(self.plan_short, self.plan_steps)

    @property
    def system_risk(self) -> Floats:
        """[lane], share of judged steps in which demand was above what served."""
        return _share(self.short, self.steps)

    @property
    def demand_weighted(self) -> Floats:
        """[lane], share of demand that fell into short steps."""
        return _share(self.demand_short, self.demand)

    @property
    def unserved_share(self) -> Floats:
        """[lane], share of demand above what the ready replicas serve."""
        return _share(self.unserved, self.demand)

    def after(self, look: Look) -> Realised:
        """With one more tick. A second tick within a step changes nothing."""
        if look.step <= self.step:
            return self
        passed = look.step - self.step if self.step >= 0 else LATEST
        ready = np.full_like(self.ready, np.nan)
        kept = max(0, LATEST - passed)
        ready[LATEST - kept :] = self.ready[:kept]
        ready[0] = np.where(look.known, look.ready, np.nan)
        fade = math.exp(-passed * look.step_s / FADE_S)
        age = look.late + 1
        lanes = np.arange(len(look.demand))
        served = np.where(age < LATEST, ready[np.minimum(age, LATEST - 1), lanes], np.nan) * look.capacity
        seen = ~np.isnan(look.demand) & ~np.isnan(served)
        demand = np.where(seen, look.demand, 0.0)
        above = np.where(seen, np.maximum(demand * (1 - TOLERANCE) - served, 0.0), 0.0)
        short = above > 0
        return Realised(
            self.plan_steps * fade + np.maximum(look.judged - self.judged, 0),
            self.plan_short * fade + np.maximum(look.missed - self.missed, 0),
            self.steps * fade + seen,
            self.short * fade + short,
            self.demand * fade + demand,
            self.demand_short * fade + np.where(short, demand, 0.0),
            self.unserved * fade + above,
            ready,
            look.step,
            look.judged,
            look.missed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One tick, over lanes. demand: of exactly the step that lies `late` steps before the newest completed one, NaN =
    unknown or a lower bound. known, ready: the target was read, replicas that serve in `step`. judged, missed: steps
    that the plan was judged on so far, and of them short ones.
    """

    step: int
    step_s: int
    late: Ints
    demand: Floats
    capacity: Floats
    known: Bools
    ready: Ints
    judged: Ints
    missed: Ints


def _share(part: Floats, whole: Floats) -> Floats:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)
