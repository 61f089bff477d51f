"""One sync of one HPA. Knows nothing of how a proposal came about, nor of the cluster it writes to.

Source: `reconcileAutoscaler` in horizontal.go; Kubernetes 1.36.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from autoscaler.simulator.hpa.behavior import HpaSpec, HpaState, granted_replicas
from autoscaler.simulator.hpa.proposals import Proposal, Unusable, largest_proposal


class HpaVerdict(StrEnum):
    """Which branch of the sync decided."""

    STOOD_DOWN = "ScalingDisabled"
    ABOVE_MAX = "AboveMax"
    BELOW_MIN = "BelowMin"
    METRICS_FAILED = "FailedComputeMetricsReplicas"
    COMPUTED = "ValidMetricFound"

    @property
    def scaling_active(self) -> bool | None:
        """The ScalingActive condition after the sync; None = the sync leaves it as it was."""
        if self is HpaVerdict.COMPUTED:
            return True
        return None if self in {HpaVerdict.ABOVE_MAX, HpaVerdict.BELOW_MIN} else False


@dataclass(frozen=True, slots=True)
class HpaOutcome:
    """desired: what spec.replicas becomes. state: hand it to the next sync."""

    desired: int
    state: HpaState
    verdict: HpaVerdict


def sync(
    spec: HpaSpec, state: HpaState, now_s: float, current: int, proposals: Sequence[Proposal | Unusable]
) -> HpaOutcome:
    """What one sync writes to spec.replicas, and what it remembers.

    Outside [min, max] the HPA jumps to the bound at once: metrics are not looked at in that sync, its own behavior
    does not slow it, and nothing is recommended, but the jump counts as a scale event for later rate policies.
    """
    state = state.begun(now_s, current)
    if current == 0 and spec.min_replicas != 0:
        return HpaOutcome(0, state, HpaVerdict.STOOD_DOWN)
    if current > spec.max_replicas:
        desired, verdict = spec.max_replicas, HpaVerdict.ABOVE_MAX
    elif current < spec.min_replicas:
        desired, verdict = spec.min_replicas, HpaVerdict.BELOW_MIN
    else:
        wanted = largest_proposal(proposals, current)
        if isinstance(wanted, Unusable):
            return HpaOutcome(current, state, HpaVerdict.METRICS_FAILED)
        desired = granted_replicas(spec, state, now_s, current, wanted.replicas)
        state = state.recommended(spec.behavior, now_s, wanted.replicas)
        verdict = HpaVerdict.COMPUTED
    return HpaOutcome(desired, state.scaled(spec.behavior, now_s, current, desired), verdict)
