"""The Kubernetes HorizontalPodAutoscaler (autoscaling/v2) as arithmetic: no I/O, no clock, no random.

Source: kubernetes/kubernetes, pkg/controller/podautoscaler (`horizontal.go`, `replica_calculator.go`,
`metrics/utilization.go`), pinned to Kubernetes 1.36. Time is an argument in seconds on any one axis.

    pods, totals ──▶ proposals ──▶ sync ──▶ desired replicas      exact, one HPA, frozen values
                                   lanes ─▶ desired[lane]         the same rules over arrays, for simulation

Known differences from upstream, all on purpose:

- `ceil(ratio × pods)` is taken on exact integers. Upstream multiplies floats and may ask for one pod more
  where the product lands a hair above a whole number (7 % of 100 pods).
- Replica counts saturate at int32 max everywhere. Upstream 1.36 still wraps in some paths on amd64
  (kubernetes#126892, kubernetes#141397).
- A negative, NaN or infinite total is an unusable metric. Upstream reads a negative total as "scale to min".
- A scaling rule without policies sets no step limit; the API server refuses such a rule.
- The alpha condition `ScaledToZero` (KEP-2021) is not modelled: zero replicas with min > 0 always stands down.
"""

from autoscaler.simulator.hpa.behavior import (
    DEFAULT_BEHAVIOR,
    Behavior,
    HpaSpec,
    HpaState,
    Recommendation,
    ScaleEvent,
)
from autoscaler.simulator.hpa.lanes import HpaLanes, LaneMetric, LaneTarget
from autoscaler.simulator.hpa.pods import PodMetric, PodMetricKind, PodPhase, PodSample, pod_proposal
from autoscaler.simulator.hpa.proposals import (
    MetricFault,
    Proposal,
    Tolerance,
    Unusable,
    average_value_proposal,
    largest_proposal,
    value_proposal,
)
from autoscaler.simulator.hpa.quantities import INT32_MAX, milli_value
from autoscaler.simulator.hpa.reconcile import HpaOutcome, HpaVerdict, sync

__all__ = [
    "DEFAULT_BEHAVIOR",
    "INT32_MAX",
    "Behavior",
    "HpaLanes",
    "HpaOutcome",
    "HpaSpec",
    "HpaState",
    "HpaVerdict",
    "LaneMetric",
    "LaneTarget",
    "MetricFault",
    "PodMetric",
    "PodMetricKind",
    "PodPhase",
    "PodSample",
    "Proposal",
    "Recommendation",
    "ScaleEvent",
    "Tolerance",
    "Unusable",
    "average_value_proposal",
    "largest_proposal",
    "milli_value",
    "pod_proposal",
    "sync",
    "value_proposal",
]
