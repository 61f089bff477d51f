"""A policy that cannot be read is no permission."""

from dataclasses import dataclass
from typing import ClassVar

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class PolicyKnown:
    """Hold while a policy that may be about the lane is broken and has no last good form, as after a restart."""

    name: str = "policy-known"
    reason: Reason = Reason.POLICY_UNKNOWN
    asks: ClassVar[frozenset[str]] = frozenset({"policy_unknown"})

    def review(self, lanes: Proposals) -> Verdicts:
        return lanes.hold(lanes.policy_unknown, self.reason)
