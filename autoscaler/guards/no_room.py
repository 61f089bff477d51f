"""Pods that cannot be placed or created are not helped by asking for more of them."""

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere


@dataclass(frozen=True, slots=True)
class NoRoom:
    """No rise above what is written while new pods stay Pending or a quota refuses them.

    Not even for observed need: what is already asked for and cannot start covers it as soon as there is room.
    """

    name: str = "no-room"
    reason: Reason = Reason.NO_ROOM

    def review(self, lanes: Proposals) -> Verdicts:
        if not anywhere(lanes.stuck):
            return lanes.unchanged(self.reason)
        rising = lanes.stuck & ~lanes.frozen & (lanes.wanted > np.maximum(lanes.current, lanes.hold_level))
        if not anywhere(rising):
            return lanes.unchanged(self.reason)
        kept = np.where(rising, np.maximum(lanes.current, lanes.hold_level), lanes.wanted)
        return Verdicts(self.reason, kept, lanes.held, lanes.frozen, glides=True)
