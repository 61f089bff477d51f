"""How far a forecast is believed."""

from dataclasses import dataclass
from typing import ClassVar

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class ForecastTrust:
    """Never above what a policy believes of the forecast; without belief that is the plan without a forecast."""

    name: str = "forecast-trust"
    reason: Reason = Reason.FORECAST_NOT_TRUSTED
    asks: ClassVar[frozenset[str]] = frozenset({"trust_cap"})

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.at_most(lanes.trust_cap, self.reason)
