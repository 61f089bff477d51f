"""Stabilisation: what was wanted a moment ago still counts."""

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import everywhere


@dataclass(frozen=True, slots=True)
class Stabilization:
    """Down only to the highest recommendation of its window, up only to the lowest of its window.

    Source: autoscaling/v2 `stabilizationWindowSeconds` (kubernetes, horizontal.go,
    stabilizeRecommendationWithBehaviors). Unlike there, observed need is never delayed.
    """

    name: str = "stabilization"
    reason: Reason = Reason.STABILIZING

    def review(self, lanes: Proposals) -> Verdicts:
        stable = np.minimum(np.maximum(lanes.current, lanes.recent_low), lanes.recent_high)
        if everywhere(stable == lanes.wanted):  # observed need asks for no more than is wanted already
            return lanes.unchanged(self.reason)
        wanted = np.maximum(stable, np.minimum(lanes.trusted_need, lanes.wanted))
        if everywhere(lanes.held | (wanted == lanes.wanted)):
            return lanes.unchanged(self.reason)
        limit = np.where(wanted > lanes.wanted, lanes.recent_high, lanes.recent_low)
        return Verdicts(self.reason, np.where(lanes.held, lanes.wanted, wanted), lanes.held, lanes.frozen, limit=limit)
