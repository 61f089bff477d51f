"""Many workloads that grow at once, by forecast, are more often a broken metric than a busy morning."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoscaler.domain.fleet import NO_LIMIT
from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere


@dataclass(frozen=True, slots=True)
class GrowthBrake:
    """No growth beyond observed need on a lane whose turn it is not."""

    name: str = "growth-brake"
    reason: Reason = Reason.GROWTH_BRAKE
    asks: ClassVar[frozenset[str]] = frozenset({"growth_braked"})

    def review(self, lanes: Proposals) -> Verdicts:
        if not anywhere(lanes.growth_braked):
            return lanes.unchanged(self.reason)
        cap = np.where(lanes.growth_braked, np.maximum(lanes.current, lanes.hold_level), NO_LIMIT)
        return lanes.at_most(cap, self.reason, lanes.short_growth)
