"""Per-pod metrics: who counts, and how missing and unready pods hold a move back; expected numbers worked by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.simulator.hpa import (
    INT32_MAX,
    MetricFault,
    PodMetric,
    PodMetricKind,
    PodPhase,
    PodSample,
    Proposal,
    Tolerance,
    Unusable,
    pod_proposal,
)
from autoscaler.simulator.hpa.pods import group_pods

NOW_S = 1000.0
MISSING = PodSample(request_milli=1000)
TINY = PodSample(usage_milli=3, request_milli=2)
TINY_MISSING = PodSample(request_milli=1)
PENDING = PodSample(phase=PodPhase.PENDING, ready=False, request_milli=1000)


def _cpu(target: int, **settings: Any) -> PodMetric:
    return PodMetric(PodMetricKind.UTILIZATION, target, cpu=True, **settings)


def _busy(*usages: int) -> list[PodSample]:
    """Ready pods with a request of one core, long past their start."""
    return [PodSample(usage_milli=u, request_milli=1000, sampled_s=990.0, window_s=30.0) for u in usages]


def _replicas(metric: PodMetric, pods: list[PodSample], current: int, tolerance: Tolerance | None = None) -> int:
    answer = pod_proposal(metric, pods, current, NOW_S, tolerance or Tolerance())
    assert isinstance(answer, Proposal)
    return answer.replicas


@pytest.mark.parametrize(
    ("target", "pods", "current", "replicas", "why"),
    [
        (50, _busy(900, 900, 900), 3, 6, "90 / 50 = 1.8; ceil(5.4)"),
        (50, _busy(550, 550, 550), 3, 3, "ratio 1.1 is inside the tolerance"),
        (50, _busy(560, 560, 560), 3, 4, "ratio 1.12: ceil(3.36)"),
        (50, _busy(*[450] * 10), 10, 10, "ratio 0.9 is inside the tolerance"),
        (50, _busy(*[440] * 10), 10, 9, "ratio 0.88: ceil(8.8)"),
        (100, _busy(1110, 1110, 1109), 3, 3, "110.97 % is truncated to 110 before the tolerance looks"),
        (100, _busy(*[70] * 100), 100, 7, "exact ceil of 0.07 × 100; in floats it would be 8"),
        (50, [*_busy(*[200] * 8), MISSING, MISSING], 10, 8, "down: missing = request; 36 / 50 × 10 = 7.2"),
        (50, [*_busy(1200, 1200, 1200), MISSING], 4, 8, "up: missing = 0; 90 / 50 × 4 = 7.2"),
        (50, [*_busy(700, 700, 700), MISSING], 4, 4, "up: refilled ratio 52 / 50 falls inside the tolerance"),
        (50, [*_busy(400, 400), MISSING, MISSING], 4, 4, "down: refilled 70 / 50 flips direction"),
        (50, [*_busy(400, 400), MISSING, MISSING], 10, 10, "down: flips, even where 70 / 50 × 4 pods is below current"),
        (50, [*_busy(600, 600), MISSING, MISSING], 4, 4, "up: refilled 30 / 50 flips direction"),
        (200, [*_busy(500, 500, 500), *[MISSING] * 3], 6, 4, "down, target over 100 %: missing = target; 3.75"),
        (50, [*_busy(500, 500), MISSING], 3, 3, "exactly on target: missing pods are not filled in at all"),
        (150, [TINY, *[TINY_MISSING] * 8], 9, 9, "on target: filled in, truncated requests would drag it to 110 %"),
        (50, [*_busy(200, 200), PENDING, PENDING], 4, 1, "down: unready are left out; 0.4 × 2 ready"),
        (50, [*_busy(1000, 1000), PENDING, PENDING], 4, 4, "up: unready = 0; 50 / 50 is inside the tolerance"),
        (50, [*_busy(3000, 3000), PENDING, PENDING], 4, 12, "up: unready = 0; 150 / 50 × 4"),
        (50, [*_busy(540, 540), PENDING, PENDING], 4, 4, "inside tolerance, but unready make it flip: current"),
        (50, [*_busy(1000, 1000, 1000), MISSING], 10, 10, "75 / 50 × 4 pods = 6 < 10: the pod count flips it"),
        (50, [*_busy(100), MISSING, PENDING], 1, 1, "down: refilled 1100 / 2000 = 55 % of 50 flips direction"),
        (50, [*_busy(900, 900, 900), PodSample(deleted=True, usage_milli=0, request_milli=1000)], 3, 6, "deleted"),
        (50, [*_busy(900, 900, 900), PodSample(phase=PodPhase.FAILED, request_milli=1000)], 3, 6, "failed: gone"),
    ],
)
def test_cpu_utilization(target: int, pods: list[PodSample], current: int, replicas: int, why: str) -> None:
    assert _replicas(_cpu(target), pods, current) == replicas, why


def test_each_direction_has_its_own_tolerance() -> None:
    own = Tolerance(down=0.1, up=0.5)
    assert _replicas(_cpu(50), _busy(700, 700, 700), 3, own) == 3, "ratio 1.4 is inside 50 %"
    assert _replicas(_cpu(50), _busy(760, 760, 760), 3, own) == 5, "ratio 1.52: ceil(4.56)"


@pytest.mark.parametrize(
    ("usages", "current", "replicas", "why"),
    [
        ([150, 150, 150], 3, 5, "1.5 × 3 = 4.5"),
        ([110, 110, 112], 3, 3, "the average 110.67 is truncated to 110: inside the tolerance"),
        ([20, 20, 20, None], 4, 2, "down: missing = target; 40 / 100 × 4 = 1.6"),
        ([300, None], 2, 3, "up: missing = 0; 150 / 100 × 2"),
    ],
)
def test_average_value_of_a_pods_metric(usages: list[int | None], current: int, replicas: int, why: str) -> None:
    metric = PodMetric(PodMetricKind.AVERAGE_VALUE, 100)
    assert _replicas(metric, [PodSample(usage_milli=u) for u in usages], current) == replicas, why


def test_status_shows_the_ratio_before_missing_pods_are_filled_in() -> None:
    answer = pod_proposal(_cpu(50), [*_busy(*[200] * 8), MISSING, MISSING], 10, NOW_S)
    assert answer == Proposal(8, 0.4)


@pytest.mark.parametrize(
    ("pods", "fault", "why"),
    [
        ([], MetricFault.NO_PODS, "the selector finds nothing"),
        ([MISSING, PENDING], MetricFault.NO_SAMPLES, "no pod has a sample that counts"),
        ([*_busy(500), PodSample(usage_milli=5)], MetricFault.NO_REQUEST, "one pod has no request"),
        ([*_busy(500), PodSample(phase=PodPhase.FAILED)], MetricFault.NO_REQUEST, "even a failed one"),
        ([PodSample(usage_milli=5, request_milli=0)], MetricFault.NO_REQUEST, "requests sum to zero"),
    ],
)
def test_unusable_metrics(pods: list[PodSample], fault: MetricFault, why: str) -> None:
    assert pod_proposal(_cpu(50), pods, 3, NOW_S) == Unusable(fault), why


def test_a_raw_average_needs_no_request() -> None:
    assert _replicas(PodMetric(PodMetricKind.AVERAGE_VALUE, 100, cpu=True), [PodSample(usage_milli=300)], 1) == 3


def _cpu_pod(**fields: Any) -> PodSample:
    return PodSample(usage_milli=1, request_milli=1, window_s=30.0, **fields)


@pytest.mark.parametrize(
    ("pod", "group", "why"),
    [
        (_cpu_pod(started_s=900, ready_changed_s=910, sampled_s=940), "counted", "young, window began when Ready"),
        (_cpu_pod(started_s=900, ready_changed_s=910, sampled_s=939), "unready", "young, window began before Ready"),
        (_cpu_pod(started_s=900, ready=False, ready_changed_s=901, sampled_s=990), "unready", "young, not Ready"),
        (_cpu_pod(started_s=700, ready_changed_s=990, sampled_s=991), "counted", "300 s old: window no longer asked"),
        (_cpu_pod(started_s=701, ready_changed_s=990, sampled_s=991), "unready", "299 s old: still asked"),
        (_cpu_pod(started_s=100, ready=False, ready_changed_s=129), "unready", "old, never really Ready"),
        (_cpu_pod(started_s=100, ready=False, ready_changed_s=130), "counted", "old, changed 30 s after start"),
        (_cpu_pod(started_s=100, ready=False, ready_changed_s=500), "counted", "old, was Ready once"),
        (_cpu_pod(ready=None), "unready", "no Ready condition yet"),
        (_cpu_pod(started_s=None), "unready", "no start time yet"),
        (_cpu_pod(phase=PodPhase.PENDING), "unready", "Pending, although it has a sample"),
        (PodSample(request_milli=1), "missing", "no sample"),
        (PodSample(phase=PodPhase.SUCCEEDED, request_milli=1), "missing", "1.36 does not drop Succeeded"),
        (_cpu_pod(deleted=True), None, "deleted: dropped"),
        (_cpu_pod(phase=PodPhase.FAILED), None, "failed: dropped"),
    ],
)
def test_groups_of_a_cpu_metric(pod: PodSample, group: str | None, why: str) -> None:
    groups = group_pods(_cpu(50), [pod], NOW_S)
    found = [name for name in ("counted", "missing", "unready") if getattr(groups, name)]
    assert found == ([group] if group else []), why


def test_initialisation_rules_are_for_cpu_only() -> None:
    fresh = PodSample(usage_milli=1, request_milli=1, started_s=999.0, ready=False)
    assert group_pods(PodMetric(PodMetricKind.UTILIZATION, 50), [fresh], NOW_S).counted == (fresh,)


def test_initialisation_times_are_settings() -> None:
    young = _cpu_pod(started_s=900, ready_changed_s=910, sampled_s=911)
    assert group_pods(_cpu(50, cpu_initialization_period_s=60.0), [young], NOW_S).counted == (young,)
    unready = _cpu_pod(started_s=100, ready=False, ready_changed_s=120)
    assert group_pods(_cpu(50, initial_readiness_delay_s=10.0), [unready], NOW_S).counted == (unready,)


def test_impossible_targets_and_amounts_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        _cpu(0)
    with pytest.raises(ValueError, match="non-negative"):
        PodSample(usage_milli=-1)


def test_M06_huge_usage_over_a_tiny_request_saturates() -> None:
    pods = [PodSample(usage_milli=2**62, request_milli=1) for _ in range(3)]
    assert _replicas(PodMetric(PodMetricKind.UTILIZATION, 1), pods, 3) == INT32_MAX
    assert _replicas(PodMetric(PodMetricKind.AVERAGE_VALUE, 1), pods, 3) == INT32_MAX


@given(
    usage=st.tuples(st.integers(0, 5000), st.integers(0, 5000)),
    counted=st.integers(1, 12),
    missing=st.integers(0, 4),
    pending=st.integers(0, 4),
    target=st.integers(1, 250),
    kind=st.sampled_from(PodMetricKind),
)
def test_proposals_never_fall_when_every_counted_pod_is_busier(
    usage: tuple[int, int], counted: int, missing: int, pending: int, target: int, kind: PodMetricKind
) -> None:
    current = counted + missing + pending
    rest = [MISSING] * missing + [PENDING] * pending
    low, high = (_replicas(PodMetric(kind, target), _busy(*[u] * counted) + rest, current) for u in sorted(usage))
    assert low <= high
