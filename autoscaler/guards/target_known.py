"""A target that cannot be read is left alone."""

from dataclasses import dataclass

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class TargetKnown:
    """No read, no write: the lane keeps what it has until its target is found again."""

    name: str = "target-known"
    reason: Reason = Reason.TARGET_UNKNOWN

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.freeze(~lanes.target_known, self.reason)
