"""A change freeze: nothing shrinks, and only so much grows."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere

ANY, OBSERVED_NEED, NOTHING = 1, 2, 3


@dataclass(frozen=True, slots=True)
class ChangeFreeze:
    """Never below the hold level while a freeze window is open. Growth: any, up to observed need, or none."""

    name: str = "change-freeze"
    reason: Reason = Reason.CHANGE_FREEZE
    asks: ClassVar[frozenset[str]] = frozenset({"change_freeze"})

    def review(self, lanes: Proposals) -> Verdicts:
        code = lanes.change_freeze
        if not anywhere(code > 0):
            return lanes.unchanged(self.reason)
        level = lanes.hold_level
        loose, needed, still = (np.asarray(code == kind) & ~lanes.held for kind in (ANY, OBSERVED_NEED, NOTHING))
        wanted = np.where(loose, np.maximum(lanes.wanted, level), lanes.wanted)
        wanted = np.where(needed, np.maximum(level, lanes.trusted_need), wanted)
        still |= np.asarray(code == NOTHING)
        within = np.minimum(level, np.maximum(lanes.max_replicas, lanes.current))  # no later guard sees a frozen lane
        wanted = np.where(still, within, wanted)
        return Verdicts(self.reason, wanted, lanes.held | (code > 0), lanes.frozen | still)
