"""What a live tick adds to the account of shortage: asked for, planned, and real."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autoscaler.domain.decision import Decisions
from autoscaler.domain.realised import Look
from autoscaler.pipeline.state import LoopState


def counted(decisions: Decisions, state: LoopState) -> tuple[Decisions, LoopState]:
    """The tick's decisions and state with the account up to now. Of several demands the first one is counted."""
    fleet, seen, status, twofold = decisions.fleet, decisions.seen, decisions.status, state.twofold
    capacity = fleet.capacity[fleet.row_start]
    settled = seen.settled[fleet.row_start]
    look = Look(
        step=seen.step,
        step_s=seen.step_s,
        late=seen.data_delay_steps,
        demand=settled if fleet.unsized is None else np.where(np.isnan(capacity), np.nan, settled),
        capacity=capacity,
        known=status.known,
        ready=status.ready,
        judged=twofold.judged,
        missed=twofold.missed,
    )
    realised = state.realised.after(look)
    return replace(decisions, realised=realised), replace(state, realised=realised)
