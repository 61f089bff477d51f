"""The way back from a fallback."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class FallbackDecay:
    """Never below what the fallback's stated rule still keeps of the dark; it raises nothing."""

    name: str = "fallback-decay"
    reason: Reason = Reason.FALLBACK_DECAYING
    asks: ClassVar[frozenset[str]] = frozenset({"fallback_level"})

    def review(self, lanes: Proposals) -> Verdicts:
        if not np.count_nonzero(lanes.fallback_level):
            return lanes.unchanged(self.reason)
        return lanes.at_least(np.minimum(lanes.fallback_level, lanes.current), self.reason)
