"""A person's pause: nothing, nothing in one direction, or a number of replicas, until it ends."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import Ints, anywhere


@dataclass(frozen=True, slots=True)
class Pause:
    """Paused both ways: stays. Down: never below current. Up: never above. At a number: goes there by its steps."""

    name: str = "pause"
    reason: Reason = Reason.PAUSED
    asks: ClassVar[frozenset[str]] = frozenset({"pause_up", "pause_down", "pause_level"})

    def review(self, lanes: Proposals) -> Verdicts:
        levelled = lanes.pause_level >= 0
        some = anywhere(levelled)
        if not (some or anywhere(lanes.pause_up) or anywhere(lanes.pause_down)):
            return lanes.unchanged(self.reason)
        frozen = lanes.freeze(lanes.pause_up & lanes.pause_down, self.reason)
        wanted, stays = frozen.wanted, frozen.frozen
        if some:
            levelled &= ~stays & (lanes.desired > 0)
            wanted, stays = np.where(levelled, _level(lanes), wanted), stays | levelled
        wanted = np.where(lanes.pause_down, np.maximum(wanted, lanes.current), wanted)
        wanted = np.where(lanes.pause_up, np.minimum(wanted, lanes.current), wanted)
        return Verdicts(self.reason, wanted, frozen.held, stays)


def _level(lanes: Proposals) -> Ints:
    """[lane], the pause's number inside the limits, downward no further than steps and disruption budgets allow."""
    high = np.maximum(lanes.max_replicas, 1)
    level = np.minimum(np.maximum(lanes.pause_level, lanes.min_replicas), high)
    slowest = np.minimum(np.maximum(lanes.down_limit, lanes.least_replicas), lanes.current)
    return np.maximum(level, slowest)
