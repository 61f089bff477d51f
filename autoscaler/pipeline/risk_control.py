"""Risk control in a tick: what is learned of the newest step, and what both plans are remembered by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import LEVELS, ForesightAt
from autoscaler.domain.series import Bools, Floats, anywhere
from autoscaler.pipeline.state import LoopState
from autoscaler.planning.behavior import behavior_of
from autoscaler.planning.margin import Pushes, Settled, remember, settle
from autoscaler.planning.need import Needs
from autoscaler.planning.plan import Plan, shadow_of
from autoscaler.planning.twofold import sized_by


def learned(fleet: Fleet, seen: ForesightAt, state: LoopState, needs: Needs, doubts: Bools | None) -> LoopState:
    """Was the newest settled step short of what either plan had wanted in time for it? Wrong data is no answer."""
    lead = fleet.lead_steps_of_lanes(seen.step_s)
    pushes = fleet.once("pushes", seen.step_s, lambda: Pushes.of(fleet.risk, seen.step_s))
    needed = needs.settled if doubts is None else np.where(doubts, np.nan, needs.settled)
    settled = Settled(seen.step - 1 - seen.data_delay_steps, needed, lead, pushes)
    first, second = settle(state.margin, settled), settle(state.twofold.second, settled)
    twofold = state.twofold.after((state.margin, first), second, settled, seen.step_s, fleet.risk)
    return state.learned(first, twofold)


def remembered(
    fleet: Fleet, seen: ForesightAt, state: LoopState, served: Plan, *, needs: Needs, uplift: Floats | None
) -> LoopState:
    """What both plans want now. seen: as it was foreseen, for neither of them. served: the plan in force; where it is
    not to be judged, the other is not either.
    """
    first, twofold = state.margin, state.twofold
    second = twofold.serves > 0
    margin = np.where(second, first.margin, twofold.second.margin)
    raised = margin if uplift is None else margin * uplift
    other = shadow_of(fleet, sized_by(fleet, seen, LEVELS, ~second), LEVELS, raised, needs)
    other[np.isnan(served.shadow)] = np.nan
    wanted = (served.shadow, other)
    if anywhere(second):
        wanted = np.where(second, other, served.shadow), np.where(second, served.shadow, other)
    behavior = behavior_of(fleet, seen.step_s)
    return state.learned(
        remember(first, seen.step, wanted[0], behavior),
        replace(twofold, second=remember(twofold.second, seen.step, wanted[1], behavior)),
    )
