"""What a person set by hand stands for the policy's time."""

from dataclasses import dataclass
from typing import ClassVar

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Override:
    """Left as it is written now, both ways: whoever scales by hand in an incident knows something that we do not."""

    name: str = "override"
    reason: Reason = Reason.OVERRIDDEN
    asks: ClassVar[frozenset[str]] = frozenset({"overridden"})

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.freeze(lanes.overridden & ~lanes.frozen, self.reason)
