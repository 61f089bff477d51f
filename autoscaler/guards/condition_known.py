"""A condition that cannot be answered is no permission."""

from dataclasses import dataclass
from typing import ClassVar

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class ConditionKnown:
    """Hold while some condition reads what is not known, or fails."""

    name: str = "condition-known"
    reason: Reason = Reason.CONDITION_UNKNOWN
    asks: ClassVar[frozenset[str]] = frozenset({"condition_unknown"})

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.hold(lanes.condition_unknown & ~lanes.frozen, self.reason)
