"""Without the capacity of a replica no demand becomes a count."""

from dataclasses import dataclass
from typing import ClassVar

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class CapacityKnown:
    """Hold while some demand of the lane waits for its capacity to be learned; a floor is kept where it is written."""

    name: str = "capacity-known"
    reason: Reason = Reason.CAPACITY_UNKNOWN
    asks: ClassVar[frozenset[str]] = frozenset({"capacity_unknown"})

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.hold(lanes.capacity_unknown, self.reason)
