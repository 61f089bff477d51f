"""What conditions of policies say now."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere


@dataclass(frozen=True, slots=True)
class Condition:
    """At least the highest floor, at most the lowest cap by permitted steps (observed need is spared), and holds."""

    name: str = "condition"
    reason: Reason = Reason.CONDITION
    asks: ClassVar[frozenset[str]] = frozenset({"condition_floor", "condition_hold", "condition_cap"})

    def review(self, lanes: Proposals) -> Verdicts:
        wanted, held, short = lanes.wanted, lanes.held, None
        spoken = np.count_nonzero(lanes.condition_floor) or np.count_nonzero(lanes.condition_hold)
        if not spoken and not anywhere(lanes.condition_cap < wanted):
            return lanes.unchanged(self.reason)
        if anywhere(lanes.condition_floor > wanted):
            wanted = np.maximum(wanted, lanes.condition_floor)
        cap = np.maximum(lanes.condition_cap, lanes.down_limit)
        if anywhere(cap < wanted):
            short = lanes.short_condition
            wanted = np.minimum(wanted, np.maximum(cap, np.where(short, 0, lanes.trusted_need)))
        if anywhere(lanes.condition_hold):
            holds = lanes.condition_hold & ~held & ~lanes.frozen
            kept = np.maximum(lanes.hold_level, np.minimum(np.maximum(wanted, lanes.trusted_need), lanes.wanted))
            wanted = np.where(holds, np.maximum(kept, wanted), wanted)
            held = held | holds
        if wanted is lanes.wanted and held is lanes.held:
            return lanes.unchanged(self.reason)
        return Verdicts(self.reason, wanted, held, lanes.frozen, short=short)
