"""The last word: min and max."""

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere, everywhere


@dataclass(frozen=True, slots=True)
class MinMax:
    """Inside [min, max]; from outside (limits changed under us) one permitted step nearer. Max wins over need."""

    name: str = "min-max"
    reason: Reason = Reason.OUTSIDE_LIMITS

    def review(self, lanes: Proposals) -> Verdicts:
        now, low, high = lanes.current, lanes.min_replicas, lanes.max_replicas
        above, below = now > high, now < low
        if anywhere(above):
            slowest = np.maximum(lanes.down_limit, lanes.least_replicas)
            high = np.where(above, np.maximum(high, np.minimum(slowest, now)), high)
        if anywhere(below):
            low = np.where(below, np.minimum(low, np.maximum(lanes.up_limit, now)), low)
        wanted = np.minimum(np.maximum(lanes.wanted, low), high)
        if everywhere(wanted == lanes.wanted):
            return lanes.unchanged(self.reason, high)
        return Verdicts(self.reason, wanted, lanes.held, lanes.frozen, limit=high, glides=True)
