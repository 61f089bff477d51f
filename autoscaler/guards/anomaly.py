"""What is abnormal may take less, and never makes anything grow."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoscaler.domain.anomaly_rules import FORESEEN, NO_CAP, NOT_TRUSTED
from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere
from autoscaler.guards.change_freeze import OBSERVED_NEED


@dataclass(frozen=True, slots=True)
class Anomaly:
    """By cause: growth by forecast waits, all growth waits, growth is capped, or nothing shrinks.

    A cap is about growth: it never takes away what is there. Observed need is spared unless the policy says otherwise;
    where the data itself is at fault nobody trusts that need, but the forecast from before the fault may add.
    """

    name: str = "anomaly"
    reason: Reason = Reason.ANOMALY
    asks: ClassVar[frozenset[str]] = frozenset({"anomaly_causes"})

    def review(self, lanes: Proposals) -> Verdicts:
        if not np.count_nonzero(lanes.anomaly_causes):
            return lanes.unchanged(self.reason)
        there = np.maximum(lanes.current, lanes.hold_level)
        need = lanes.trusted_need
        still = np.asarray(lanes.anomaly_growth >= NOT_TRUSTED)
        most = np.where(lanes.anomaly_growth >= OBSERVED_NEED, np.maximum(there, need), NO_CAP)
        foreseen = np.where(lanes.anomaly_growth == FORESEEN, lanes.foreseen_need, 0)
        most = np.where(still, np.maximum(there, foreseen), most)
        most = np.minimum(most, np.maximum(np.maximum(lanes.anomaly_cap, need), there))
        most = np.minimum(most, np.maximum(lanes.anomaly_short_cap, there))
        wanted = np.minimum(lanes.wanted, most)
        holds = lanes.anomaly_hold & ~lanes.held & ~lanes.frozen
        wanted = np.where(lanes.anomaly_hold & ~lanes.frozen, np.maximum(wanted, lanes.hold_level), wanted)
        if not anywhere(holds) and not anywhere(wanted != lanes.wanted):
            return lanes.unchanged(self.reason)
        short = still | (lanes.anomaly_short_cap < NO_CAP)
        return Verdicts(self.reason, wanted, lanes.held | holds, lanes.frozen, short=short)
