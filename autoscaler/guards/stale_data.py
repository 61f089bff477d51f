"""Data that is too old decides nothing; the forecast from before may add."""

from dataclasses import dataclass

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class StaleData:
    """Hold while the newest usable sample is older than maxDataAge; growth as in BadData."""

    name: str = "freshness"
    reason: Reason = Reason.STALE_DATA

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.hold_blindly(~(lanes.data_age_s <= lanes.max_data_age_s), self.reason, limit=lanes.data_age_s)
