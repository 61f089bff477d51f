"""Per-pod metrics: which pods count, and what the others stand for. Knows nothing of behavior or limits.

Source: `GetResourceReplicas`, `calcPlainMetricReplicas`, `groupPods`, `calculateRequests` in replica_calculator.go and
metrics/utilization.go; Kubernetes 1.36. Sums and divisions are integer there and here: utilization is a truncated
percent, an average a truncated number of milli-units. In 1.36 a Succeeded pod is not dropped: it usually has no sample
and counts as missing (kubernetes#141298, mended later).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from autoscaler.simulator.hpa.proposals import DEFAULT_TOLERANCE, MetricFault, Proposal, Tolerance, Unusable
from autoscaler.simulator.hpa.quantities import INT32_MAX, replicas_ceil

CPU_INITIALIZATION_PERIOD_S: Final = 300.0
INITIAL_READINESS_DELAY_S: Final = 30.0


class PodPhase(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class PodMetricKind(StrEnum):
    """UTILIZATION: percent of the request. AVERAGE_VALUE: milli-units a pod (resource or pods metric)."""

    UTILIZATION = "Utilization"
    AVERAGE_VALUE = "AverageValue"


@dataclass(frozen=True, slots=True)
class PodMetric:
    """What is measured on each pod. target: percent of the request, or milli-units a pod.

    cpu: only the cpu resource has the initialisation rules; memory and pods metrics count every running sample.
    """

    kind: PodMetricKind
    target: int
    cpu: bool = False
    cpu_initialization_period_s: float = CPU_INITIALIZATION_PERIOD_S
    initial_readiness_delay_s: float = INITIAL_READINESS_DELAY_S

    def __post_init__(self) -> None:
        if self.target <= 0:
            raise ValueError(f"a target is positive, not {self.target}")


@dataclass(frozen=True, slots=True)
class PodSample:
    """One pod that the selector finds, with its newest sample.

    started_s: status.startTime. ready, ready_changed_s: the Ready condition and its last change; None = no condition.
    usage_milli: None = no sample. sampled_s, window_s: end and length of the sample's window.
    request_milli: sum of the containers' requests for this resource; None = at least one container has none.
    """

    phase: PodPhase = PodPhase.RUNNING
    deleted: bool = False
    started_s: float | None = 0.0
    ready: bool | None = True
    ready_changed_s: float = 0.0
    usage_milli: int | None = None
    sampled_s: float = 0.0
    window_s: float = 0.0
    request_milli: int | None = None

    def __post_init__(self) -> None:
        for amount in (self.usage_milli, self.request_milli):
            if amount is not None and amount < 0:
                raise ValueError(f"usage and request are non-negative milli-units, not {amount}")


@dataclass(frozen=True, slots=True)
class _Counted:
    """One pod in the sum: usage and request in milli-units."""

    usage_milli: int
    request_milli: int


@dataclass(frozen=True, slots=True)
class PodGroups:
    """Pods with a sample that counts; pods without one; pods not yet to be trusted. Deleted and failed are gone."""

    counted: tuple[PodSample, ...]
    missing: tuple[PodSample, ...]
    unready: tuple[PodSample, ...]


def group_pods(metric: PodMetric, pods: Sequence[PodSample], now_s: float) -> PodGroups:
    """Sort the pods in upstream's order: dropped, Pending, no sample, then (cpu only) unready."""
    counted: list[PodSample] = []
    missing: list[PodSample] = []
    unready: list[PodSample] = []
    for pod in pods:
        if pod.deleted or pod.phase is PodPhase.FAILED:
            continue
        if pod.phase is PodPhase.PENDING:
            unready.append(pod)
        elif pod.usage_milli is None:
            missing.append(pod)
        elif metric.cpu and _sample_not_trusted(metric, pod, now_s):
            unready.append(pod)
        else:
            counted.append(pod)
    return PodGroups(tuple(counted), tuple(missing), tuple(unready))


def pod_proposal(
    metric: PodMetric,
    pods: Sequence[PodSample],
    current: int,
    now_s: float,
    tolerance: Tolerance = DEFAULT_TOLERANCE,
) -> Proposal | Unusable:
    """Replicas that bring the counted pods to target, with missing and unready pods filled in against the move.

    pods: everything the selector finds, deleted and failed ones too: one pod without a request makes a utilization
    unusable whatever its phase. current: spec.replicas.
    """
    if not pods:
        return Unusable(MetricFault.NO_PODS)
    groups = group_pods(metric, pods, now_s)
    if not groups.counted:
        return Unusable(MetricFault.NO_SAMPLES)
    if metric.kind is PodMetricKind.UTILIZATION and any(pod.request_milli is None for pod in pods):
        return Unusable(MetricFault.NO_REQUEST)
    sums = [_Counted(pod.usage_milli or 0, pod.request_milli or 0) for pod in groups.counted]
    usage = _measured(metric, sums)
    if usage is None:
        return Unusable(MetricFault.NO_REQUEST)
    ratio = usage / metric.target
    return Proposal(_replicas(metric, groups, sums, current, tolerance), ratio)


def _replicas(metric: PodMetric, groups: PodGroups, sums: list[_Counted], current: int, tolerance: Tolerance) -> int:
    usage = _measured(metric, sums) or 0
    rising = usage > metric.target
    if not groups.missing and not (groups.unready and rising):
        held = tolerance.holds(usage / metric.target)
        return current if held else replicas_ceil(usage * len(sums), metric.target)
    filled = list(sums)
    if usage != metric.target:
        filled += [
            _Counted(0 if rising else _full_milli(metric, pod), pod.request_milli or 0) for pod in groups.missing
        ]
    if rising:
        filled += [_Counted(0, pod.request_milli or 0) for pod in groups.unready]
    refilled = _measured(metric, filled) or 0
    if tolerance.holds(refilled / metric.target) or (refilled > metric.target) != rising:
        return current
    replicas = replicas_ceil(refilled * len(filled), metric.target)
    turned = replicas < current if rising else replicas > current
    return current if turned else replicas


def _sample_not_trusted(metric: PodMetric, pod: PodSample, now_s: float) -> bool:
    if pod.ready is None or pod.started_s is None:
        return True
    if pod.started_s + metric.cpu_initialization_period_s > now_s:
        return not pod.ready or pod.sampled_s < pod.ready_changed_s + pod.window_s
    never_ready = pod.started_s + metric.initial_readiness_delay_s > pod.ready_changed_s
    return not pod.ready and never_ready


def _measured(metric: PodMetric, sums: list[_Counted]) -> int | None:
    """Percent of the requests, or milli-units a pod, truncated; None when the requests sum to nothing."""
    total_milli = sum(pod.usage_milli for pod in sums)
    if metric.kind is PodMetricKind.AVERAGE_VALUE:
        return total_milli // len(sums)
    requests_milli = sum(pod.request_milli for pod in sums)
    if requests_milli == 0:
        return None
    return min(total_milli * 100 // requests_milli, INT32_MAX)


def _full_milli(metric: PodMetric, pod: PodSample) -> int:
    """What a pod without a sample stands for on the way down: its request, or the target if that is more."""
    if metric.kind is PodMetricKind.AVERAGE_VALUE:
        return metric.target
    return (pod.request_milli or 0) * max(100, metric.target) // 100
