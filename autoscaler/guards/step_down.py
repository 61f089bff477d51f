"""Step limit downward."""

from dataclasses import dataclass

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class StepDown:
    """Never below what `behavior.scaleDown` allows from the start of its periods."""

    name: str = "step-down"
    reason: Reason = Reason.STEP_DOWN_LIMITED

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.at_least(lanes.down_limit, self.reason)
