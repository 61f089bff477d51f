"""The HorizontalPodAutoscaler as everybody has it, over targets and down-windows.

Source: Kubernetes 1.36 (see `simulator.hpa`): syncs every 15 s, tolerance 10 %, default behavior but for the window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats, Ints
from autoscaler.domain.workload import ScalingRule
from autoscaler.simulator.hpa.behavior import DEFAULT_SCALE_DOWN, Behavior
from autoscaler.simulator.hpa.lanes import HpaLanes, LaneMetric, LaneTarget
from autoscaler.simulator.rivals.contract import DEFAULT_TARGET, TARGETS, World, last_known, nearest
from autoscaler.simulator.rivals.loop import SYNC_S, Lanes, closed_loop, fits

DOWN_WINDOWS_S: Final = (300, 900, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Hpa:
    """HPA v2; the knob is the utilisation target (whole percent). down_s: scale-down stabilisation."""

    down_s: int = 300
    knobs: tuple[float, ...] = TARGETS

    @property
    def name(self) -> str:
        return f"hpa-{self.down_s}s"

    @property
    def default(self) -> int:
        return nearest(self.knobs, DEFAULT_TARGET)

    def requested(self, seen: Floats, world: World) -> Ints:
        known, lanes = last_known(seen), Lanes(percents(self.knobs), (self.down_s,))
        if fits(lanes, world):
            return closed_loop(known, world, lanes)
        return plain_loop(known, world, lanes.targets, self.down_s)


def percents(knobs: tuple[float, ...]) -> Ints:
    """[knob], targets in whole percent, as the API has them."""
    return np.maximum(1, np.rint(np.asarray(knobs) * 100)).astype(np.int64)


def hpas_requested(
    seen: Floats, world: World, down_s: tuple[int, ...] = DOWN_WINDOWS_S, knobs: tuple[float, ...] = TARGETS
) -> Ints:
    """[window × knob, step]: all windows in one pass, equal to one `Hpa` after another and cheaper."""
    lanes = Lanes(np.tile(percents(knobs), len(down_s)), down_s)
    if fits(lanes, world):
        return closed_loop(last_known(seen), world, lanes)
    return np.concatenate([Hpa(s, knobs).requested(seen, world) for s in down_s])


def plain_loop(known: Floats, world: World, targets: Ints, down_s: int) -> Ints:
    """[lane, step]: `closed_loop` sync by sync through the general HPA, for any step and window."""
    rule = replace(DEFAULT_SCALE_DOWN, stabilization_s=down_s)
    behavior = Behavior(scale_down=ScalingRule(rule.stabilization_s, rule.policies))
    hpa = HpaLanes(LaneTarget(LaneMetric.UTILIZATION, np.full(len(targets), world.capacity), targets), behavior)
    level = np.full((world.lead_steps + 1, len(targets)), world.least, dtype=np.int64)
    least, most = np.full(len(targets), world.least), np.full(len(targets), world.most)
    asked = np.empty((len(known), len(targets)), dtype=np.int64)
    for step, demand in enumerate(known):
        level[:-1] = level[1:]
        for sync in range(max(1, world.step_s // SYNC_S)):
            at_s = float(step * world.step_s + sync * SYNC_S)
            wanted = hpa.sync(
                at_s, np.full(len(targets), demand), level[0], level[-1], min_replicas=least, max_replicas=most
            )
            np.minimum(level, wanted, out=level)
            level[-1] = wanted
        asked[step] = level[-1]
    return asked.T
