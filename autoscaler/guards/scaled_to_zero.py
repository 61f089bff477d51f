"""A workload that a person scaled to zero stays there."""

from dataclasses import dataclass

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class ScaledToZero:
    """Zero replicas while min is at least one is a person's doing (the HPA stands down there too)."""

    name: str = "scaled-to-zero"
    reason: Reason = Reason.SCALED_TO_ZERO

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.freeze((lanes.desired == 0) & (lanes.min_replicas > 0), self.reason)
