"""Policies whose limits contradict each other decide nothing."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere


@dataclass(frozen=True, slots=True)
class LimitsClash:
    """While the strictest min is above the strictest max: stay at what is written now, until people mend it."""

    name: str = "limits-clash"
    reason: Reason = Reason.LIMITS_CLASH
    asks: ClassVar[frozenset[str]] = frozenset({"clash"})

    def review(self, lanes: Proposals) -> Verdicts:
        if not anywhere(lanes.clash):
            return lanes.unchanged(self.reason)
        wanted = np.where(lanes.clash, lanes.current, lanes.wanted)
        return Verdicts(self.reason, wanted, lanes.held | lanes.clash, lanes.frozen | lanes.clash)
