"""Data that is missing, not finite or negative decides nothing downward."""

from dataclasses import dataclass

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import valueless


@dataclass(frozen=True, slots=True)
class BadData:
    """Hold while the newest step of any demand of the lane has no value: its verdict says why."""

    name: str = "data-verdict"
    reason: Reason = Reason.BAD_DATA

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.hold(valueless(lanes.verdict), self.reason)
