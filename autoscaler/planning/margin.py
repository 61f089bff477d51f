"""The margin on the sizing quantile, kept by closed-loop control on our own shadow.

Source: integral control of a miss rate (Gibbs & Candès, Adaptive Conformal Inference, arXiv:2106.00170), on
the logarithm of a factor instead of the level: at one-minute steps a level moves by many times its own size
at each miss. The error of a step is demand above what our own wanted, coming down as slowly as the workload's
`behavior` lets it and ready after the lead, would have had ready; nobody else's replicas, holds, caps or limits enter,
so they cannot wind it down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from autoscaler.domain.fleet import Fleet, StepLimits
from autoscaler.domain.series import Floats, Ints, anywhere, everywhere

LEAST_MARGIN, GREATEST_MARGIN, FIRST_MARGIN = 0.75, 8.0, 1.1
LOG_LEAST, LOG_GREATEST = math.log(LEAST_MARGIN), math.log(GREATEST_MARGIN)
DAY_S = 86400
MOST_DELAY_STEPS = 15
"""Steps by which settled demand may lag the newest tick and still teach."""


@dataclass(frozen=True, slots=True, eq=False)
class MarginState:
    """log_margin: [lane]. raw: [age, lane], what our own wanted was `age` steps before `step`, NaN where there was no
    forecast. shadow: likewise, as slowly as `behavior` lets it come down. step: absolute step of the newest entries.
    settled_step: [lane], of the newest error. judged, missed: [lane], steps that taught so far, and short ones of them.
    """

    log_margin: Floats
    shadow: Floats
    step: int
    settled_step: Ints
    raw: Floats
    judged: Ints
    missed: Ints

    @staticmethod
    def fresh(lanes: int, longest_lead: int, longest_descent: int = 0) -> MarginState:
        """longest_descent: earlier steps that a way down looks at, at most."""
        shadow = np.full((max(shadow_depth(longest_lead), longest_descent + 1), lanes), np.nan)
        raw = np.full((longest_descent + 1, lanes), np.nan)
        none = np.zeros(lanes, dtype=np.int64)
        return MarginState(np.full(lanes, np.log(FIRST_MARGIN)), shadow, -1, none - 1, raw, none, none)

    @property
    def margin(self) -> Floats:
        return np.exp(self.log_margin)


def shadow_depth(longest_lead: int) -> int:
    """Entries that hold a whole lead window even behind the largest delay of the data."""
    return longest_lead + 2 + MOST_DELAY_STEPS


def gain(risk: Floats, step_s: int) -> Floats:
    """Step of the controller per miss: a day's worth of the risk moves the margin by about three percent.

    Twice as much kept the risk as well and cost more after every incident; half as much was late on short records.
    """
    return np.minimum(np.maximum(0.03 / (risk * (DAY_S / step_s)), 0.003), 0.02)


@dataclass(frozen=True, slots=True, eq=False)
class Pushes:
    """[lane], by which the logarithm of the margin moves after a short step and after any other."""

    miss: Floats
    hit: Floats

    @staticmethod
    def of(risk: Floats, step_s: int) -> Pushes:
        """risk: [lane], accepted share of short steps."""
        one = gain(risk, step_s)
        return Pushes(one, -risk / (1 - risk) * one)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A step whose demand is now known. step: [lane], as data is not equally late everywhere.
    needed: [lane], replicas that it asked for, NaN = not observed.
    lead_steps: [lane], from a request to ready. pushes: what a miss and a hit do to the margin.
    """

    step: Ints
    needed: Floats
    lead_steps: Ints
    pushes: Pushes


def settle(state: MarginState, settled: Settled) -> MarginState:
    """Learn from a settled step; each step counts once, and an unobserved one teaches nothing."""
    new = settled.step > state.settled_step
    if not anywhere(new):
        return state
    needed = settled.needed
    late = state.step - settled.step
    ready = _ready(state.shadow, late, settled.lead_steps)
    usable = new & np.isfinite(ready) & (needed == needed) & (late <= MOST_DELAY_STEPS)  # noqa: PLR0124 - not NaN
    miss = needed > ready
    push = np.where(miss, settled.pushes.miss, settled.pushes.hit)
    moved = np.minimum(np.maximum(state.log_margin + push, LOG_LEAST), LOG_GREATEST)
    return MarginState(
        log_margin=moved if everywhere(usable) else np.where(usable, moved, state.log_margin),
        shadow=state.shadow,
        step=state.step,
        settled_step=np.maximum(state.settled_step, settled.step),
        raw=state.raw,
        judged=state.judged + usable,
        missed=state.missed + (usable & miss),
    )


def _ready(shadow: Floats, late: Ints, lead: Ints) -> Floats:
    """[lane], the least of our own wanted over the lead window before a step that lies `late` ticks back."""
    if everywhere(late == late[0]) and everywhere(lead == lead[0]):
        first = int(late[0])
        return np.minimum.reduce(shadow[max(first, 0) : max(first + int(lead[0]) + 1, 0)], initial=np.inf)
    behind = np.arange(shadow.shape[0])[:, None] - late
    return np.where((behind >= 0) & (behind <= lead), shadow, np.inf).min(axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """How slowly our own wanted comes down by the workload's `behavior`, per lane of one fleet and step.

    limits: the way down of `behavior`. window_steps: [lane], earlier steps whose wanted stabilisation still keeps.
    depth: earlier steps that are looked at. starts: [lane, policy], earlier steps to the start of a policy's period.
    alike: the window of all lanes, None where they differ.
    """

    limits: StepLimits
    window_steps: Ints
    depth: int
    starts: Ints
    alike: int | None

    @staticmethod
    def of(down: StepLimits, step_s: int) -> Descent:
        window = np.maximum(np.ceil(down.window_s / step_s - 1e-9).astype(np.int64) - 1, 0)
        periods = np.ceil(down.period_s / step_s - 1e-9).astype(np.int64)
        longest = int(window.max(initial=0))
        return Descent(
            limits=down,
            window_steps=window,
            depth=int(max(longest, periods.max(initial=0))),
            starts=np.maximum(periods - 1, 0),
            alike=longest if everywhere(window == longest) else None,
        )

    def kept(self, newest: Floats, raw: Floats, kept: Floats) -> Floats:
        """[lane], what stands of `newest`. raw, kept: [age, lane] from the step before on, NaN = none."""
        if not len(kept):
            return newest
        falling = newest < kept[0]
        if not anywhere(falling):
            return newest
        if self.alike is not None:
            stable = np.fmax.reduce(raw[: self.alike], initial=-np.inf)
        else:
            inside = np.arange(raw.shape[0])[:, None] < self.window_steps
            stable = np.fmax.reduce(np.where(inside, raw, np.nan), initial=-np.inf)
        least = np.fmax(newest, stable)
        if not self.limits.free:
            least = np.fmax(least, self._allowed(kept))
        return np.where(falling, least, newest)

    def _allowed(self, kept: Floats) -> Floats:
        """[lane], the least that the policies allow, never above what stood; NaN = they do not bind."""
        limits = self.limits
        lanes = np.arange(len(self.window_steps))[:, None]
        start = kept[np.minimum(self.starts, len(kept) - 1), lanes]
        moved: Floats = np.where(limits.in_pods, limits.pods, np.ceil(start * limits.percent / 100 - 1e-9))
        reached: Floats = np.where(limits.in_use, start - moved, np.nan) if limits.any_empty else start - moved
        bound: Floats = np.fmin.reduce(reached, axis=1)
        if limits.any_pick_min:
            bound = np.where(limits.pick_min, np.fmax.reduce(reached, axis=1), bound)
        if limits.any_disabled:
            bound = np.where(limits.disabled, kept[0], bound)
        bound = np.fmin(bound, kept[0])
        return np.where(limits.unlimited & ~limits.disabled, np.nan, bound) if limits.any_free else bound


def descent_of(fleet: Fleet, step_s: int) -> Descent:
    """Made once per fleet and step."""
    return fleet.once("descent", step_s, lambda: Descent.of(fleet.down, step_s))


def remember(state: MarginState, step: int, shadow: Floats, descent: Descent | None = None) -> MarginState:
    """Note what our own wanted is at `step`; steps without a tick keep the value before them.

    descent: how slowly it comes down; None = at once. A second tick within a step changes nothing: a replica asked for
    later is ready later.
    """
    passed = step - state.step if state.step >= 0 else state.shadow.shape[0]
    if passed <= 0:
        return state
    first = state.step < 0
    raw, kept = _pushed(state.raw, shadow, passed, first), _pushed(state.shadow, shadow, passed, first)
    if descent is not None:
        stands = descent.kept(shadow, raw[1:], kept[1:])
        kept[0] = np.where(np.isnan(shadow), np.nan, stands)
    return MarginState(state.log_margin, kept, step, state.settled_step, raw, state.judged, state.missed)


def _pushed(ring: Floats, newest: Floats, passed: int, first: bool) -> Floats:
    """The ring `passed` steps later; between, its last value stood."""
    new = np.empty_like(ring)
    if passed == 1 and not first:
        new[1:] = ring[:-1]
        new[0] = newest
        return new
    moved = min(passed, new.shape[0])
    new[moved:] = ring[: new.shape[0] - moved]
    new[:moved] = np.nan if first else ring[0]
    new[0] = newest
    return new
