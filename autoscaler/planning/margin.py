"""The margin on the sizing quantile, kept by closed-loop control on our own shadow.

Source: integral control of a miss rate (Gibbs & Candès, Adaptive Conformal Inference, arXiv:2106.00170), on
the logarithm of a factor instead of the level: at one-minute steps a level moves by many times its own size
at each miss. The error of a step is demand above what our own wanted, rising and coming down as fast as the workload's
`behavior` lets it and ready after the lead, would have had ready; nobody else's replicas, holds, caps or limits enter,
so they cannot wind it down.

Nor does a calm time: the margin rests at a lower limit, and what goes unused there is kept, a week of it at most, for
steps in which it saves replicas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints, anywhere, everywhere
from autoscaler.planning.behavior import Behavior

LEAST_MARGIN, CLOSE_MARGIN, GREATEST_MARGIN, FIRST_MARGIN = 0.75, 0.97, 8.0, 1.1
LOG_GREATEST = math.log(GREATEST_MARGIN)
LOOSE_RISK, CLOSE_RISK = 0.1, 0.005
"""At the first and above the margin goes down to LEAST_MARGIN, at the second and below to CLOSE_MARGIN."""
DAY_S = 86400
SETTLING_S = 7 * DAY_S
LEAST_GAIN = 0.5
SPENDING = 0.25
"""Kept steps that one step spends beside itself."""
MOST_DELAY_STEPS = 15
"""Steps by which settled demand may lag the newest tick and still teach."""


@dataclass(frozen=True, slots=True, eq=False)
class MarginState:
    """log_margin: [lane]. raw: [age, lane], what our own wanted was `age` steps before `step`, NaN where there was no
    forecast. shadow: likewise, as fast as `behavior` lets it move. step: absolute step of the newest entries.
    settled_step: [lane], of the newest error. judged, missed: [lane], steps that taught so far, and short ones of them.
    unspent: [lane], steps that were not short while the margin could go no lower, kept for later.
    """

    log_margin: Floats
    shadow: Floats
    step: int
    settled_step: Ints
    raw: Floats
    judged: Ints
    missed: Ints
    unspent: Floats

    @staticmethod
    def fresh(lanes: int, longest_lead: int, longest_look: int = 0) -> MarginState:
        """longest_look: earlier steps that `behavior` looks at, at most."""
        shadow = np.full((max(shadow_depth(longest_lead), longest_look + 1), lanes), np.nan)
        raw = np.full((longest_look + 1, lanes), np.nan)
        none = np.zeros(lanes, dtype=np.int64)
        first = np.full(lanes, np.log(FIRST_MARGIN))
        return MarginState(first, shadow, -1, none - 1, raw, none, none, np.zeros(lanes))

    @property
    def margin(self) -> Floats:
        return np.exp(self.log_margin)

    def unasked(self) -> MarginState:
        """As after a pause: what was wanted before it stood for nothing in it."""
        return replace(self, shadow=np.full_like(self.shadow, np.nan))

    def holds(self, longest_lead: int, longest_look: int) -> bool:
        """Whether the rings are deep enough."""
        return shadow_depth(longest_lead) <= len(self.shadow) and longest_look < len(self.raw)

    def carried(self, old: Ints, longest_lead: int, longest_look: int) -> MarginState:
        """For another fleet: lane l was old[l] here, or is new where that is -1. Rings only grow deeper."""
        fresh, stays = MarginState.fresh(len(old), longest_lead, longest_look), old >= 0

        def deepened(ring: Floats, least: int) -> Floats:
            out = np.full((max(least, len(ring)), len(old)), np.nan)
            out[: len(ring), stays] = ring[:, old[stays]]
            return out

        def kept(mine: Ints, blank: Ints) -> Ints:
            out = blank.copy()
            out[stays] = mine[old[stays]]
            return out

        log_margin, unspent = fresh.log_margin.copy(), fresh.unspent.copy()
        log_margin[stays], unspent[stays] = self.log_margin[old[stays]], self.unspent[old[stays]]
        return MarginState(
            log_margin, deepened(self.shadow, len(fresh.shadow)), self.step,
            kept(self.settled_step, fresh.settled_step), deepened(self.raw, len(fresh.raw)),
            kept(self.judged, fresh.judged), kept(self.missed, fresh.missed), unspent,
        )  # fmt: skip


def shadow_depth(longest_lead: int) -> int:
    """Entries that hold a whole lead window even behind the largest delay of the data."""
    return longest_lead + 2 + MOST_DELAY_STEPS


def gain(risk: Floats, step_s: int) -> Floats:
    """Step of the controller per miss at first: a day's worth of the risk moves the margin by about three percent.

    Twice as much kept the risk as well and cost more after every incident; half as much was late on short records.
    """
    return np.minimum(np.maximum(0.03 / (risk * (DAY_S / step_s)), 0.003), 0.02)


def least_margin(risk: Floats) -> Floats:
    """[lane], where a quiet time leaves the margin: CLOSE_MARGIN at a risk of 0.5 % and less, LEAST_MARGIN at 10 % and
    more, straight on logarithms between.

    A forecast alone hardly ever needs less: of records that want tens of replicas, one in twenty saw a margin below .98
    at 0.5 %, .97 at 1 %, .90 at 2 %, .79 at 5 %. At one or two replicas rounding up hides nearly every error, and the
    margin that this winds down is wrong for what follows.
    """
    looser = np.log(np.clip(risk, CLOSE_RISK, LOOSE_RISK) / CLOSE_RISK) / math.log(LOOSE_RISK / CLOSE_RISK)
    return np.asarray(CLOSE_MARGIN * (LEAST_MARGIN / CLOSE_MARGIN) ** looser)


def slowed(judged: Ints, settling_steps: float) -> Floats:
    """[lane], share of the gain after so many judged steps: one over time, down to LEAST_GAIN, where it stays.

    What is known of a load grows with its record, and each incident then moves the margin less; it never stops, as
    loads change. Source: Angelopoulos, Barber & Bates, Online conformal prediction with decaying step sizes (2024).
    """
    return np.maximum(LEAST_GAIN, 1 / (1 + judged / settling_steps))


@dataclass(frozen=True, slots=True, eq=False)
class Pushes:
    """[lane], by which the logarithm of the margin moves after a short step and after any other, at first, and the
    least that it becomes. settling_steps: judged steps that halve the moves, and steps that are kept unspent at most.
    """

    miss: Floats
    hit: Floats
    settling_steps: float
    log_least: Floats

    @staticmethod
    def of(risk: Floats, step_s: int) -> Pushes:
        """risk: [lane], accepted share of short steps."""
        one = gain(risk, step_s)
        return Pushes(one, -risk / (1 - risk) * one, SETTLING_S / step_s, np.log(least_margin(risk)))


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
    pushes = settled.pushes
    spent, unspent = _kept(state, miss, pushes)
    push = np.where(miss, pushes.miss, pushes.hit)
    push *= slowed(state.judged, pushes.settling_steps) * (1 + spent)
    moved = np.minimum(np.maximum(state.log_margin + push, pushes.log_least), LOG_GREATEST)
    return MarginState(
        log_margin=moved if everywhere(usable) else np.where(usable, moved, state.log_margin),
        shadow=state.shadow,
        step=state.step,
        settled_step=np.maximum(state.settled_step, settled.step),
        raw=state.raw,
        judged=state.judged + usable,
        missed=state.missed + (usable & miss),
        unspent=unspent if everywhere(usable) else np.where(usable, unspent, state.unspent),
    )


def _kept(state: MarginState, miss: Bools, pushes: Pushes) -> tuple[Floats, Floats]:
    """[lane], kept steps that this one spends, and those that are kept after it. A step that is short does neither.

    The long-run share of short steps stays what was asked: no step is spent twice.
    """
    resting = ~miss & (state.log_margin <= pushes.log_least)
    spent = np.where(miss | resting, 0.0, np.minimum(state.unspent, SPENDING))
    return spent, np.minimum(state.unspent - spent + resting, pushes.settling_steps)


def _ready(shadow: Floats, late: Ints, lead: Ints) -> Floats:
    """[lane], the least of our own wanted over the lead window before a step that lies `late` ticks back."""
    if everywhere(late == late[0]) and everywhere(lead == lead[0]):
        first = int(late[0])
        return np.minimum.reduce(shadow[max(first, 0) : max(first + int(lead[0]) + 1, 0)], initial=np.inf)
    behind = np.arange(shadow.shape[0])[:, None] - late
    return np.where((behind >= 0) & (behind <= lead), shadow, np.inf).min(axis=0)


def remember(state: MarginState, step: int, shadow: Floats, behavior: Behavior | None = None) -> MarginState:
    """Note what our own wanted is at `step`; steps without a tick keep the value before them.

    behavior: how fast it rises and comes down; None = at once. A second tick within a step changes nothing: a replica
    asked for later is ready later.
    """
    passed = step - state.step if state.step >= 0 else state.shadow.shape[0]
    if passed <= 0:
        return state
    first = state.step < 0
    raw, kept = _pushed(state.raw, shadow, passed, first), _pushed(state.shadow, shadow, passed, first)
    if behavior is not None:
        stands = behavior.kept(shadow, raw[1:], kept[1:])
        kept[0] = np.where(np.isnan(shadow), np.nan, stands)
    return replace(state, shadow=kept, step=step, raw=raw)


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
