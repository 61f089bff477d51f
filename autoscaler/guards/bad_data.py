"""Data that is missing, not finite, negative or not believed decides nothing; the forecast from before may add."""

from dataclasses import dataclass

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import valueless


@dataclass(frozen=True, slots=True)
class BadData:
    """Hold while the newest step of any demand of the lane has no value: its verdict says why. Below what runs it never
    goes; above, as far as a forecast asks that was made from what was seen before.
    """

    name: str = "data-verdict"
    reason: Reason = Reason.BAD_DATA

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.hold_blindly(valueless(lanes.verdict), self.reason)
