"""Disruption budgets bind evictions only; a shrink that ignored them would leave none for a node that drains."""

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """Never below what the budgets over the lane's pods allow now; asked again at the next tick."""

    name: str = "disruption-budget"
    reason: Reason = Reason.DISRUPTION_BUDGET

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.at_least(np.minimum(lanes.least_replicas, lanes.current), self.reason)
