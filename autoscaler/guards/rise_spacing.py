"""Rises of a floor keep apart: an HPA that jumps to a new minimum ignores its metrics in that sync."""

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import anywhere


@dataclass(frozen=True, slots=True)
class RiseSpacing:
    """After a rise of a floor the next one waits two HPA syncs, so that the HPA's own metrics have their turn.

    Source: kubernetes, horizontal.go, reconcileAutoscaler: below minReplicas it sets desired = minReplicas and
    computes no metric in that sync. spacing_s: two syncs of the default --horizontal-pod-autoscaler-sync-period.
    """

    name: str = "rise-spacing"
    reason: Reason = Reason.RISE_SPACED
    spacing_s: float = 30.0

    def review(self, lanes: Proposals) -> Verdicts:
        since_s = lanes.now_s - lanes.raised_s
        early = lanes.rises_spaced & (since_s < self.spacing_s)
        if anywhere(early):
            kept = np.where(lanes.held, np.maximum(lanes.hold_level, lanes.trusted_need), lanes.current)
            early &= ~lanes.frozen & (lanes.wanted > kept)
        if not anywhere(early):
            return lanes.unchanged(self.reason, since_s)
        wanted = np.where(early, kept, lanes.wanted)
        return Verdicts(self.reason, wanted, lanes.held, lanes.frozen, limit=since_s, glides=True)
