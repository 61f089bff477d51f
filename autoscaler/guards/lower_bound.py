"""Data that is only a lower bound of demand may add replicas, never remove them."""

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere, usable


@dataclass(frozen=True, slots=True)
class LowerBound:
    """While a demand is partial or recovering: not below the hold level; any growth, forecast too, is allowed."""

    name: str = "lower-bound"
    reason: Reason = Reason.LOWER_BOUND

    def review(self, lanes: Proposals) -> Verdicts:
        bound = ~(usable(lanes.verdict) | lanes.held)
        if not anywhere(bound):
            return lanes.unchanged(self.reason)
        wanted = np.where(bound, np.maximum(lanes.wanted, lanes.hold_level), lanes.wanted)
        return Verdicts(self.reason, wanted, lanes.held | bound, lanes.frozen)
