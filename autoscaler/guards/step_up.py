"""Step limit upward."""

from dataclasses import dataclass

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class StepUp:
    """Never above what `behavior.scaleUp` allows from the start of its periods; observed need is spared."""

    name: str = "step-up"
    reason: Reason = Reason.STEP_UP_LIMITED

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.at_most(lanes.up_limit, self.reason)
