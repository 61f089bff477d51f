"""The margin on the sizing quantile, kept by closed-loop control on our own shadow.

Source: integral control of a miss rate (Gibbs & Candès, Adaptive Conformal Inference, arXiv:2106.00170), on
the logarithm of a factor instead of the level: at one-minute steps a level moves by many times its own size
at each miss. The error of a step is demand above what our own wanted, with the lead, would have had ready;
nobody else's replicas, holds, caps or limits enter, so they cannot wind it down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from autoscaler.domain.series import Floats, Ints, anywhere, everywhere

LEAST_MARGIN, GREATEST_MARGIN, FIRST_MARGIN = 0.75, 8.0, 1.1
LOG_LEAST, LOG_GREATEST = math.log(LEAST_MARGIN), math.log(GREATEST_MARGIN)
DAY_S = 86400
MOST_DELAY_STEPS = 15
"""Steps by which settled demand may lag the newest tick and still teach."""


@dataclass(frozen=True, slots=True, eq=False)
class MarginState:
    """log_margin: [lane]. shadow: [age, lane], what our own wanted was `age` steps before `step`, NaN where
    there was no forecast. step: absolute step of the newest shadow entry. settled_step: [lane], of the newest error.
    """

    log_margin: Floats
    shadow: Floats
    step: int
    settled_step: Ints

    @staticmethod
    def fresh(lanes: int, longest_lead: int) -> MarginState:
        shadow = np.full((shadow_depth(longest_lead), lanes), np.nan)
        return MarginState(np.full(lanes, np.log(FIRST_MARGIN)), shadow, -1, np.full(lanes, -1, dtype=np.int64))

    @property
    def margin(self) -> Floats:
        return np.exp(self.log_margin)


def shadow_depth(longest_lead: int) -> int:
    """Entries that hold a whole lead window even behind the largest delay of the data."""
    return longest_lead + 2 + MOST_DELAY_STEPS


def gain(risk: Floats, step_s: int) -> Floats:
    """Step of the controller per miss: a day's worth of the risk moves the margin by about six percent."""
    return np.minimum(np.maximum(0.06 / (risk * (DAY_S / step_s)), 0.006), 0.04)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A step whose demand is now known. step: [lane], as data is not equally late everywhere.
    needed: [lane], replicas that it asked for, NaN = not observed.
    lead_steps: [lane], from a request to ready. risk: [lane], accepted share of short steps.
    """

    step: Ints
    needed: Floats
    lead_steps: Ints
    risk: Floats
    step_s: int


def settle(state: MarginState, settled: Settled) -> MarginState:
    """Learn from a settled step; each step counts once, and an unobserved one teaches nothing."""
    new = settled.step > state.settled_step
    if not anywhere(new):
        return state
    needed, risk = settled.needed, settled.risk
    late = state.step - settled.step
    ready = _ready(state.shadow, late, settled.lead_steps)
    usable = new & np.isfinite(ready) & ~np.isnan(needed) & (late <= MOST_DELAY_STEPS)
    miss = needed > ready
    push = np.where(miss, 1.0, -risk / (1 - risk)) * gain(risk, settled.step_s)
    moved = np.minimum(np.maximum(state.log_margin + push, LOG_LEAST), LOG_GREATEST)
    return MarginState(
        log_margin=np.where(usable, moved, state.log_margin),
        shadow=state.shadow,
        step=state.step,
        settled_step=np.maximum(state.settled_step, settled.step),
    )


def _ready(shadow: Floats, late: Ints, lead: Ints) -> Floats:
    """[lane], the least of our own wanted over the lead window before a step that lies `late` ticks back."""
    if everywhere(late == late[0]) and everywhere(lead == lead[0]):
        first = int(late[0])
        return np.minimum.reduce(shadow[max(first, 0) : max(first + int(lead[0]) + 1, 0)], initial=np.inf)
    behind = np.arange(shadow.shape[0])[:, None] - late
    return np.where((behind >= 0) & (behind <= lead), shadow, np.inf).min(axis=0)


def remember(state: MarginState, step: int, shadow: Floats) -> MarginState:
    """Note what our own wanted is at `step`; steps without a tick keep the value before them.

    A second tick within a step changes nothing: a replica asked for later is ready later.
    """
    passed = step - state.step if state.step >= 0 else state.shadow.shape[0]
    if passed <= 0:
        return state
    ring = np.empty_like(state.shadow)
    moved = min(passed, ring.shape[0])
    ring[moved:] = state.shadow[: ring.shape[0] - moved]
    ring[:moved] = state.shadow[0] if state.step >= 0 else np.nan
    ring[0] = shadow
    return MarginState(state.log_margin, ring, step, state.settled_step)
