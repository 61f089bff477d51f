"""What is at least there while demand cannot be seen for long."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere


@dataclass(frozen=True, slots=True)
class Fallback:
    """On a lane that holds and whose newest usable sample is older than `fallback.after`: at least the largest of
    the last plan on good data, what healthy signals ask for, and `fallback.min`. Never less than a hold keeps.
    """

    name: str = "fallback"
    reason: Reason = Reason.FALLBACK
    asks: ClassVar[frozenset[str]] = frozenset({"fallback_least"})

    def review(self, lanes: Proposals) -> Verdicts:
        dark = lanes.held & ~(lanes.data_age_s <= lanes.fallback_after_s) & (lanes.fallback_least > 0)
        if not anywhere(dark):
            return lanes.unchanged(self.reason)
        return lanes.at_least(np.where(dark, lanes.fallback_least, 0), self.reason)
