"""What many workloads may have together."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Budget:
    """Never above the lane's part of a shared budget, by permitted steps; min comes after.

    Observed need is spared where no policy gives it up.
    """

    name: str = "budget"
    reason: Reason = Reason.BUDGET_REACHED
    asks: ClassVar[frozenset[str]] = frozenset({"budget_cap"})

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.at_most(np.maximum(lanes.budget_cap, lanes.down_limit), self.reason, lanes.short_budget)
