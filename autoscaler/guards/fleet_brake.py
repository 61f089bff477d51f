"""Many workloads that shrink at once are more often a broken metric than a calm night."""

from dataclasses import dataclass
from typing import ClassVar

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class FleetBrake:
    """Hold a lane that would shrink in a tick in which it is not its turn to."""

    name: str = "fleet-brake"
    reason: Reason = Reason.FLEET_BRAKE
    asks: ClassVar[frozenset[str]] = frozenset({"braked"})

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.hold(lanes.braked & ~lanes.held & ~lanes.frozen, self.reason)
