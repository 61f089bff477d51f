"""What a guard is."""

from typing import Protocol

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


class Guard(Protocol):
    """Reviews all lanes at once. A lane's answer depends on that lane alone, so a failing batch can be
    reviewed again lane by lane.

    One that has nothing to say unless a policy, or something unusual, filled certain fields may name them in `asks`, a
    frozenset of names: while all of those are among the proposals' `silent` it is passed over.
    """

    @property
    def name(self) -> str: ...

    @property
    def reason(self) -> Reason: ...

    def review(self, lanes: Proposals) -> Verdicts: ...
