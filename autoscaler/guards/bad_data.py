"""Data that is missing, not finite or negative decides nothing downward."""

from dataclasses import dataclass

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict


@dataclass(frozen=True, slots=True)
class BadData:
    """Hold while any demand of the lane has a verdict other than OK in its newest step."""

    name: str = "data-verdict"
    reason: Reason = Reason.BAD_DATA

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.hold(lanes.verdict != DataVerdict.OK, self.reason)
