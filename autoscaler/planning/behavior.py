"""How fast our own wanted moves by the workload's `behavior`: stabilisation and step limits, both ways.

They are ours, and so risk control counts them: what we keep for five minutes is there for five minutes, and what a
limit on rises holds back is not there, however early it was foreseen. Counts round as autoscaling/v2 does, percents up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.fleet import Fleet, StepLimits
from autoscaler.domain.series import Floats, Ints, anywhere, everywhere


@dataclass(frozen=True, slots=True, eq=False)
class OneWay:
    """One direction of `behavior`, per lane of one fleet and step.

    limits: of that direction. window_steps: [lane], earlier steps that stabilisation looks at.
    depth: earlier steps that are looked at. starts: [lane, policy], earlier steps to the start of a policy's period.
    alike: the window of all lanes, None where they differ.
    """

    limits: StepLimits
    window_steps: Ints
    depth: int
    starts: Ints
    alike: int | None

    @staticmethod
    def of(limits: StepLimits, step_s: int) -> OneWay:
        window = np.maximum(np.ceil(limits.window_s / step_s - 1e-9).astype(np.int64) - 1, 0)
        periods = np.ceil(limits.period_s / step_s - 1e-9).astype(np.int64)
        longest = int(window.max(initial=0))
        return OneWay(
            limits=limits,
            window_steps=window,
            depth=int(max(longest, periods.max(initial=0))),
            starts=np.maximum(periods - 1, 0),
            alike=longest if everywhere(window == longest) else None,
        )

    @property
    def free(self) -> bool:
        """Whether it never binds."""
        return self.limits.free and self.alike == 0

    def within(self, raw: Floats) -> Floats:
        """[age, lane], what was wanted inside the windows, NaN outside."""
        if self.alike is not None:
            return raw[: self.alike]
        return np.where(np.arange(raw.shape[0])[:, None] < self.window_steps, raw, np.nan)

    def reached(self, kept: Floats, least: Ints | None = None) -> Floats:
        """[lane, policy], what each policy allows, NaN where it is none.

        least: [lane], below which no period starts; then the way is up, else down. Of what stood before anything was
        wanted, a rise starts at the step before.
        """
        limits = self.limits
        lanes = np.arange(len(self.window_steps))[:, None]
        start = kept[np.minimum(self.starts, len(kept) - 1), lanes]
        if least is not None:
            start = np.maximum(np.where(np.isnan(start), kept[0][:, None], start), least[:, None])
        moved: Floats = np.where(limits.in_pods, limits.pods, np.ceil(start * limits.percent / 100 - 1e-9))
        reached = start - moved if least is None else start + moved
        return np.where(limits.in_use, reached, np.nan) if limits.any_empty else reached


@dataclass(frozen=True, slots=True, eq=False)
class Behavior:
    """Both directions. least: [lane], the minimum of replicas: no rise starts below it."""

    down: OneWay
    up: OneWay
    least: Ints

    @staticmethod
    def of(down: StepLimits, up: StepLimits, least: Ints, step_s: int) -> Behavior:
        return Behavior(OneWay.of(down, step_s), OneWay.of(up, step_s), least)

    @property
    def depth(self) -> int:
        """Earlier steps that are looked at."""
        return max(self.down.depth, self.up.depth)

    def kept(self, newest: Floats, raw: Floats, kept: Floats) -> Floats:
        """[lane], what stands of `newest`. raw, kept: [age, lane] from the step before on, NaN = none."""
        if not len(kept):
            return newest
        stands = newest
        falling = newest < kept[0]
        if anywhere(falling):
            stands = np.where(falling, self._fallen(newest, raw, kept), stands)
        if self.up.free:
            return stands
        rising = newest > kept[0]
        return np.where(rising, self._risen(newest, raw, kept), stands) if anywhere(rising) else stands

    def _fallen(self, newest: Floats, raw: Floats, kept: Floats) -> Floats:
        least = np.fmax(newest, np.fmax.reduce(self.down.within(raw), initial=-np.inf))
        limits = self.down.limits
        if limits.free:
            return least
        reached = self.down.reached(kept)
        bound: Floats = np.fmin.reduce(reached, axis=1)
        if limits.any_pick_min:
            bound = np.where(limits.pick_min, np.fmax.reduce(reached, axis=1), bound)
        if limits.any_disabled:
            bound = np.where(limits.disabled, kept[0], bound)
        bound = np.fmin(bound, kept[0])
        if limits.any_free:
            bound = np.where(limits.unlimited & ~limits.disabled, np.nan, bound)
        return np.fmax(least, bound)

    def _risen(self, newest: Floats, raw: Floats, kept: Floats) -> Floats:
        """What stood never falls by a limit on rises."""
        most = np.fmin(newest, np.fmin.reduce(self.up.within(raw), initial=np.inf))
        limits = self.up.limits
        if limits.free:
            return np.fmax(most, kept[0])
        reached = self.up.reached(kept, self.least)
        bound: Floats = np.fmax.reduce(reached, axis=1)
        if limits.any_pick_min:
            bound = np.where(limits.pick_min, np.fmin.reduce(reached, axis=1), bound)
        if limits.any_disabled:
            bound = np.where(limits.disabled, kept[0], bound)
        if limits.any_free:
            bound = np.where(limits.unlimited & ~limits.disabled, np.nan, bound)
        return np.fmax(np.fmin(most, bound), kept[0])


def behavior_of(fleet: Fleet, step_s: int) -> Behavior:
    """Made once per fleet and step."""
    return fleet.once("behavior", step_s, lambda: Behavior.of(fleet.down, fleet.up, fleet.min_replicas, step_s))
