"""Both sides of the bargain for a whole ladder at once: what each rung left short and what it paid.

The world: a replica asked for at t serves from t + lead on, a removed one is gone at once and the newest starting
ones go first; so the ready replicas at t are the fewest asked for at t − lead … t. Starting replicas are paid.
Steps that were not observed are neither scored nor paid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints
from autoscaler.planning.need import replicas_for
from autoscaler.simulator.clairvoyant import UNOBSERVED, clairvoyant
from autoscaler.simulator.rivals.contract import HOUR_S, World


@dataclass(frozen=True, slots=True, eq=False)
class LadderScores:
    """short: [knob], share of scored steps with more demand than ready replicas serve. paid: [knob], replica-hours.

    bound_hours: what the clairvoyant pays on the same steps. steps: how many were scored.
    """

    short: Floats
    paid: Floats
    bound_hours: float
    steps: int

    @property
    def over_bound(self) -> Floats:
        return self.paid / self.bound_hours


def ready(requested: Ints, lead_steps: int) -> Ints:
    """[..., step], replicas that serve, for requests [..., step]; before the first step nothing was different."""
    fewest, width = requested, 1
    while width <= lead_steps:  # doubling
        shift = min(width, lead_steps + 1 - width)
        if shift >= fewest.shape[-1]:
            return np.minimum.accumulate(fewest, axis=-1)
        tail = np.minimum(fewest[..., shift:], fewest[..., :-shift])
        fewest = np.concatenate((np.minimum.accumulate(fewest[..., :shift], axis=-1), tail), axis=-1)
        width += shift
    return fewest


def needed(demand: Floats, world: World) -> Ints:
    """[step], replicas that the step's demand needs, UNOBSERVED in gaps."""
    return np.where(np.isnan(demand), UNOBSERVED, replicas_for(demand, np.asarray(world.capacity)))


def short(requested: Ints, demand: Floats, world: World) -> Bools:
    """[..., step], observed and with more demand than the ready replicas serve."""
    return needed(demand, world) > ready(requested, world.lead_steps)


def score(requested: Ints, demand: Floats, world: World, warm_steps: int = 0) -> LadderScores:
    """requested: [knob, step]. warm_steps: of the recording's start, not scored."""
    scored = ~np.isnan(demand)
    scored[:warm_steps] = False
    steps, hour = int(scored.sum()), world.step_s / HOUR_S
    bound = np.clip(clairvoyant(needed(demand, world), world.lead_steps), world.least, world.most)
    missed = np.stack([(short(row, demand, world) & scored).sum() for row in requested])  # row by row: memory
    return LadderScores(
        short=missed / max(steps, 1),
        paid=np.stack([row[scored].sum() for row in requested]) * hour,
        bound_hours=float(bound[scored].sum()) * hour,
        steps=steps,
    )
