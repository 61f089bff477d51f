"""Step limit upward."""

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.fleet import NO_LIMIT
from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere


@dataclass(frozen=True, slots=True)
class StepUp:
    """Never above what `behavior.scaleUp` allows from the start of its periods.

    Observed need is spared, but for step limits of a policy that accepts a shortage.
    """

    name: str = "step-up"
    reason: Reason = Reason.STEP_UP_LIMITED

    def review(self, lanes: Proposals) -> Verdicts:
        short = np.asarray(lanes.short_up_limit < NO_LIMIT)
        if not anywhere(short):
            return lanes.at_most(lanes.up_limit, self.reason)
        most = np.minimum(np.maximum(lanes.up_limit, lanes.trusted_need), lanes.short_up_limit)
        if not anywhere(most < lanes.wanted):
            return lanes.unchanged(self.reason, lanes.up_limit)
        wanted = np.minimum(lanes.wanted, most)
        return Verdicts(self.reason, wanted, lanes.held, lanes.frozen, limit=lanes.up_limit, short=short)
