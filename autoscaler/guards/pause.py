"""A person's pause: nothing, or nothing in one direction, until it ends."""

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere


@dataclass(frozen=True, slots=True)
class Pause:
    """Paused both ways: stays. Paused down: never below current. Paused up: never above current."""

    name: str = "pause"
    reason: Reason = Reason.PAUSED

    def review(self, lanes: Proposals) -> Verdicts:
        if not (anywhere(lanes.pause_up) or anywhere(lanes.pause_down)):
            return lanes.unchanged(self.reason)
        frozen = lanes.freeze(lanes.pause_up & lanes.pause_down, self.reason)
        wanted = np.where(lanes.pause_down, np.maximum(frozen.wanted, lanes.current), frozen.wanted)
        wanted = np.where(lanes.pause_up, np.minimum(wanted, lanes.current), wanted)
        return Verdicts(self.reason, wanted, frozen.held, frozen.frozen)
