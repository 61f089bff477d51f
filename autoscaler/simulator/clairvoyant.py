"""The clairvoyant bound: who knows all demand to come, and still has to wait for replicas to start."""

from __future__ import annotations

import numpy as np

from autoscaler.domain.series import Ints

UNOBSERVED = -1


def held(needed: Ints) -> Ints:
    """[step], with UNOBSERVED replaced by the last value before it; 0 where there was none yet."""
    last = np.maximum.accumulate(np.where(needed >= 0, np.arange(len(needed)), -1))
    return np.where(last >= 0, needed[last], 0).astype(np.int64)


def clairvoyant(needed: Ints, lead_steps: int) -> Ints:
    """Replicas to ask for at each step so that no step is short: the largest need of it and the next lead steps.

    needed: [step], replicas that the step's demand needs, UNOBSERVED where nobody knows (the last value is held).
    Nothing cheaper serves every step when a replica asked for at t serves from t + lead on and a removed one is
    gone at once (starting replicas are paid too). At the end of the record the window is what is left of it.
    """
    if lead_steps < 0:
        raise ValueError(f"a lead is zero or more steps, not {lead_steps}")
    most, width = held(needed), 1
    while width <= lead_steps:  # doubling: log2(lead) passes, whatever the lead
        shift = min(width, lead_steps + 1 - width)
        if shift >= len(most):
            shift = max(len(most) - 1, 0)
        most = np.concatenate((np.maximum(most[: len(most) - shift], most[shift:]), _tail(most, shift)))
        width += min(width, lead_steps + 1 - width)
    return most


def _tail(most: Ints, shift: int) -> Ints:
    """The last `shift` steps look at no more than what is left, which `most` covers already."""
    return most[len(most) - shift :] if shift else most[:0]
