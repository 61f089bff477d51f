"""A workload that a person scaled to zero stays there."""

from dataclasses import dataclass

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere


@dataclass(frozen=True, slots=True)
class ScaledToZero:
    """Zero replicas while min is at least one is a person's doing (the HPA stands down there too)."""

    name: str = "scaled-to-zero"
    reason: Reason = Reason.SCALED_TO_ZERO

    def review(self, lanes: Proposals) -> Verdicts:
        gone = lanes.desired == 0
        return lanes.freeze(gone & (lanes.min_replicas > 0) if anywhere(gone) else gone, self.reason)
