"""The rules of all workloads' policies as arrays over lanes: compiled once a fleet, asked at every tick."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.domain.calendar import is_open
from autoscaler.domain.policy import (
    NO_TRUST,
    OVERRIDE_S,
    UNGUARDED,
    Fallback,
    Freeze,
    Growth,
    PolicyPause,
    ReplicaWindow,
)
from autoscaler.domain.policy_lanes import lanes_of
from autoscaler.domain.series import Bools, Codes, Floats, Ints, anywhere
from autoscaler.domain.workload import PauseDirection, Workload

_MOST = np.iinfo(np.int32).max
FREEZE_CODE = {None: 0, Growth.ANY: 1, Growth.OBSERVED_NEED: 2, Growth.NONE: 3}
"""Of several freezes that are open the strictest counts: the highest code."""


@dataclass(frozen=True, slots=True, eq=False)
class InForce:
    """What holds at one moment, all [lane].

    min_replicas, max_replicas: with the windows that are open; where they clash, as they are. clash: min is above
    max, whatever set them. freeze: FREEZE_CODE. fallback_least: replicas once demand is unusable for fallback_after_s,
    0 where there is no such rule. pause_level: where a pause keeps it, -1 = as it is. unknown: a policy that may speak
    about the lane cannot be read. uplift: factor on demand that events expect; None where none does.
    """

    min_replicas: Ints
    max_replicas: Ints
    clash: Bools
    freeze: Codes
    pause_up: Bools
    pause_down: Bools
    fallback_least: Ints
    fallback_after_s: Floats
    unknown: Bools
    pause_level: Ints
    uplift: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FleetRules:
    """Each distinct rule once, with the lanes that it is about.

    spare: [lane], replicas kept on top of the plan. zones: [lane], of which one may be lost; 0 = not asked.
    trust_margin, trust_ratio, trust_over: [lane], of Trust, inf = not asked. trusts: some lane asks.
    fallback_decay_per_s: [lane], logarithm of what is left of a fallback after a second of light; 0 = own steps.
    override_s: [lane], for how long a change by hand stands. falls: some lane has a fallback. idle: no policy says
    anything, so a tick need not ask. survives: some lane keeps room for a loss.
    """

    windows: tuple[tuple[ReplicaWindow, Ints], ...]
    freezes: tuple[tuple[Freeze, Ints], ...]
    pauses: tuple[tuple[PolicyPause, Ints], ...]
    clash: Bools
    unknown: Bools
    fallback_least: Ints
    fallback_after_s: Floats
    fallback_decay_per_s: Floats
    override_s: Floats
    spare: Ints
    zones: Ints
    trust_margin: Floats
    trust_ratio: Floats
    trust_over: Floats
    no_freeze: Codes
    no_level: Ints
    idle: bool
    survives: bool
    trusts: bool
    falls: bool

    @staticmethod
    def of(loads: Sequence[Workload]) -> FleetRules:
        each = [w.guarded or UNGUARDED for w in loads]
        fallbacks = [g.fallback for g in each]
        survive = [g.survive for g in each]
        trust = [g.trust or NO_TRUST for g in each]
        return FleetRules(
            windows=lanes_of(each, lambda g: g.windows),
            freezes=lanes_of(each, lambda g: g.freezes),
            pauses=lanes_of(each, lambda g: g.pauses),
            clash=np.array([g.clash is not None for g in each], dtype=np.bool_),
            unknown=np.array([g.unknown is not None for g in each], dtype=np.bool_),
            fallback_least=np.array([f.least if f else 0 for f in fallbacks], dtype=np.int64),
            fallback_after_s=np.array([f.after_s if f else np.inf for f in fallbacks], dtype=np.float64),
            fallback_decay_per_s=np.array([_decay_per_s(f) for f in fallbacks], dtype=np.float64),
            override_s=np.array([g.override.hold_s if g.override else OVERRIDE_S for g in each], dtype=np.float64),
            spare=np.array([s.replicas if s else 0 for s in survive], dtype=np.int64),
            zones=np.array([s.zones if s else 0 for s in survive], dtype=np.int64),
            trust_margin=np.array([t.margin for t in trust], dtype=np.float64),
            trust_ratio=np.array([t.ratio for t in trust], dtype=np.float64),
            trust_over=np.array([t.over for t in trust], dtype=np.float64),
            no_freeze=np.zeros(len(loads), dtype=np.uint8),
            no_level=np.full(len(loads), -1, dtype=np.int64),
            idle=all(g is UNGUARDED for g in each),
            survives=any(s is not None for s in survive),
            trusts=any(t is not NO_TRUST for t in trust),
            falls=any(f is not None for f in fallbacks),
        )

    def at(self, now_s: float, ahead_s: Floats, least: Ints, most: Ints) -> InForce:
        """What holds now. ahead_s: [lane], how much earlier a minimum must be asked for. least, most: the lanes' own.

        Of windows that are open at once the highest min, the lowest max and the highest uplift count. An event's floor
        stays below max.
        """
        if self.idle:
            return InForce(
                least, most, self.clash, self.no_freeze, self.clash, self.clash,
                self.fallback_least, self.fallback_after_s, self.unknown, self.no_level,
            )  # fmt: skip
        low, high = least.copy(), most.copy()
        freeze = np.zeros(len(least), dtype=np.uint8)
        up, down = np.zeros(len(least), dtype=np.bool_), np.zeros(len(least), dtype=np.bool_)
        level = self.no_level
        events: list[tuple[int, Ints]] = []
        uplift: Floats | None = None
        for w, lanes in self.windows:
            opens_s = w.window.opens_s(now_s)
            if w.most is not None and opens_s <= now_s:
                high[lanes] = np.minimum(high[lanes], w.most)
            if w.uplift > 1 and anywhere(opens_s <= now_s + ahead_s[lanes]):
                uplift = np.ones(len(least)) if uplift is None else uplift
                near = lanes[opens_s <= now_s + ahead_s[lanes]]
                uplift[near] = np.maximum(uplift[near], w.uplift)
            if w.least is not None:
                early = lanes[opens_s <= now_s + ahead_s[lanes]]
                if w.bounded:
                    events.append((w.least, early))
                else:
                    low[early] = np.maximum(low[early], w.least)
        clash = self.clash | (low > high)
        for floor, lanes in events:
            low[lanes] = np.maximum(low[lanes], np.minimum(floor, high[lanes]))
        for f, lanes in self.freezes:
            if is_open(f.window, now_s):
                freeze[lanes] = np.maximum(freeze[lanes], FREEZE_CODE[f.growth])
        for p, lanes in self.pauses:
            if p.active(now_s) and p.level is not None:  # of several numbers the highest
                level = level.copy()
                level[lanes] = np.maximum(level[lanes], p.level)
            elif p.active(now_s):
                up[lanes] |= p.pause.direction is not PauseDirection.DOWN
                down[lanes] |= p.pause.direction is not PauseDirection.UP
        return InForce(
            low, high, clash, freeze, up, down, self.fallback_least, self.fallback_after_s, self.unknown, level, uplift
        )

    def surviving(self, need: Ints) -> Ints:
        """[lane], what a need of so many replicas becomes with room for the loss; zero stays zero."""
        zoned = np.where(self.zones > 1, -(-need * self.zones // np.maximum(self.zones - 1, 1)), need)
        return np.minimum(np.where(need > 0, zoned + self.spare, need), _MOST)


def _decay_per_s(fallback: Fallback | None) -> float:
    if fallback is None or fallback.decay <= 0:
        return 0.0
    return math.log1p(-min(fallback.decay, 1 - 1e-12)) / fallback.decay_s
