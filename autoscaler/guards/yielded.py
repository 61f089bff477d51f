"""A workload about which somebody else decides is left alone."""

from dataclasses import dataclass

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Yielded:
    """Another autoscaler on the same target, or a tool that keeps setting our field back: we do not fight."""

    name: str = "yielded"
    reason: Reason = Reason.YIELDED

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.freeze(lanes.yielded, self.reason)
