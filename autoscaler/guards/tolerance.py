"""Small moves are not made."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Stays where the change is at most `behavior` tolerance of what is there, by direction; observed need is spared.

    Source: autoscaling/v2 `tolerance` (KEP-4951), there of the metric's ratio, here of the replicas.
    """

    name: str = "tolerance"
    reason: Reason = Reason.WITHIN_TOLERANCE
    asks: ClassVar[frozenset[str]] = frozenset({"tolerance_up", "tolerance_down"})

    def review(self, lanes: Proposals) -> Verdicts:
        if not (np.count_nonzero(lanes.tolerance_up) or np.count_nonzero(lanes.tolerance_down)):
            return lanes.unchanged(self.reason)
        rises = lanes.wanted > lanes.current
        share = np.where(rises, lanes.tolerance_up, lanes.tolerance_down)
        small = np.abs(lanes.wanted - lanes.current) <= share * lanes.current + 1e-9
        small &= (lanes.wanted != lanes.current) & ~lanes.held & ~lanes.frozen
        if not anywhere(small):
            return lanes.unchanged(self.reason, share * 100)
        kept = np.maximum(lanes.current, np.minimum(lanes.trusted_need, lanes.wanted))
        return Verdicts(self.reason, np.where(small, kept, lanes.wanted), lanes.held, lanes.frozen, limit=share * 100)
