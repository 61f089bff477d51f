"""The array twin equals the scalar HPA lane by lane, on any sequence of loads, limits and interventions."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from autoscaler.domain.workload import PolicyType, ScalingRule, SelectPolicy, StepPolicy
from autoscaler.simulator.hpa import (
    DEFAULT_BEHAVIOR,
    INT32_MAX,
    Behavior,
    HpaLanes,
    HpaSpec,
    HpaState,
    LaneMetric,
    LaneTarget,
    PodMetric,
    PodMetricKind,
    PodPhase,
    PodSample,
    Proposal,
    Tolerance,
    Unusable,
    average_value_proposal,
    milli_value,
    pod_proposal,
    sync,
)


def _rule(
    window_s: int, *policies: tuple[PolicyType, int, int], select: SelectPolicy = SelectPolicy.MAX
) -> ScalingRule:
    return ScalingRule(window_s, tuple(StepPolicy(*p) for p in policies), select)


Row = tuple[float | None, float, tuple[int, int], int | None]
PODS, PERCENT = PolicyType.PODS, PolicyType.PERCENT
BEHAVIORS = [
    DEFAULT_BEHAVIOR,
    None,
    Behavior(_rule(60, (PODS, 2, 60)), _rule(120, (PERCENT, 10, 60), (PODS, 3, 30), select=SelectPolicy.MIN)),
    Behavior(_rule(0, (PODS, 2, 15)), _rule(0, (PERCENT, 10, 60))),
    Behavior(_rule(30, (PERCENT, 30, 60), (PODS, 5, 15), select=SelectPolicy.MIN), _rule(0, (PODS, 1, 15))),
    Behavior(_rule(0, select=SelectPolicy.DISABLED), _rule(30, (PERCENT, 50, 1800))),
    Behavior(ScalingRule(), _rule(0, select=SelectPolicy.DISABLED)),
    Behavior(ScalingRule(), ScalingRule()),
]
TARGETS = st.tuples(st.integers(1, 50).map(lambda n: n * 100), st.integers(1, 250))
TOLERANCES = st.sampled_from([Tolerance(), Tolerance(0.0, 0.0), Tolerance(0.3, 0.05)])


def _scalar_proposal(
    metric: LaneMetric, capacity_milli: int, percent: int, demand: float, ready: int, current: int, tolerance: Tolerance
) -> Proposal | Unusable:
    total_milli = None if math.isnan(demand) else milli_value(demand)
    if metric is LaneMetric.AVERAGE_VALUE:
        return average_value_proposal(total_milli, capacity_milli * percent // 100, current, tolerance)
    if total_milli is None:
        return average_value_proposal(None, 1, current)
    serving = min(ready, current)
    each, rest = divmod(total_milli, serving) if serving else (0, 0)
    pods = [PodSample(usage_milli=each + (k < rest), request_milli=capacity_milli) for k in range(serving)]
    pods += [PodSample(phase=PodPhase.PENDING, request_milli=capacity_milli)] * (current - serving)
    return pod_proposal(PodMetric(PodMetricKind.UTILIZATION, percent), pods, current, 0.0, tolerance)


def _assert_equal(
    metric: LaneMetric,
    behavior: Behavior | None,
    tolerance: Tolerance,
    targets: Sequence[tuple[int, int]],
    steps: Sequence[tuple[float, Sequence[Row]]],
) -> None:
    """steps: seconds since the last, and for each lane its load, ready share, limits, and a count set from outside."""
    capacity = np.array([c / 1000 for c, _ in targets])
    percents = np.array([p for _, p in targets])
    lanes = HpaLanes(LaneTarget(metric, capacity, percents, tolerance), behavior)
    states = [HpaState()] * len(targets)
    current = np.full(len(targets), 5)
    now_s = 0.0
    for wait_s, rows in steps:
        now_s += wait_s
        current = np.array([set_ if set_ is not None else c for c, (*_, set_) in zip(current, rows, strict=True)])
        demand = np.array(
            [
                math.nan if load is None else math.floor(load * c * p / 100) / 1000
                for (c, p), (load, *_) in zip(targets, rows, strict=True)
            ]
        )
        ready = np.array([math.ceil(row[1] * n) for row, n in zip(rows, current, strict=True)])
        least, most = (np.array([row[2][i] for row in rows]) for i in (0, 1))
        got = lanes.sync(now_s, demand, ready, current, min_replicas=least, max_replicas=most)
        for k, (capacity_milli, percent) in enumerate(targets):
            answer = _scalar_proposal(
                metric, capacity_milli, percent, float(demand[k]), int(ready[k]), int(current[k]), tolerance
            )
            spec = HpaSpec(int(least[k]), int(most[k]), behavior)
            outcome = sync(spec, states[k], now_s, int(current[k]), [answer])
            states[k] = outcome.state
            assert got[k] == outcome.desired, (now_s, k, answer, outcome)
        current = got


ROWS = st.tuples(
    st.one_of(st.none(), st.floats(0, 60)),
    st.sampled_from([1.0, 1.0, 0.7, 0.0, 1.2]),
    st.tuples(st.integers(0, 40), st.integers(1, 40)).map(lambda pair: (min(pair), max(pair))),
    st.one_of(st.none(), st.none(), st.integers(0, 45)),
)


@given(
    st.sampled_from(LaneMetric),
    st.sampled_from(BEHAVIORS),
    TOLERANCES,
    st.tuples(TARGETS, TARGETS),
    st.lists(st.tuples(st.sampled_from([0.0, 5.0, 15.0, 60.0, 300.0]), st.tuples(ROWS, ROWS)), max_size=12),
)
def test_lanes_equal_the_scalar_hpa(
    metric: LaneMetric,
    behavior: Behavior | None,
    tolerance: Tolerance,
    targets: Sequence[tuple[int, int]],
    steps: Sequence[tuple[float, Sequence[Row]]],
) -> None:
    _assert_equal(metric, behavior, tolerance, targets, steps)
    alone = [(wait_s, rows[:1]) for wait_s, rows in steps]  # a single lane is worked out in plain numbers
    _assert_equal(metric, behavior, tolerance, targets[:1], alone)


@pytest.mark.parametrize("metric", LaneMetric)
@pytest.mark.parametrize("behavior", BEHAVIORS)
def test_lanes_equal_the_scalar_hpa_over_a_long_run(metric: LaneMetric, behavior: Behavior | None) -> None:
    """Hundreds of syncs, one every 5 to 15 s, so that rings grow and slots are used again."""
    rng = np.random.default_rng(7)
    targets = [(1000, 70), (300, 100), (2500, 150)]
    steps = []
    for k in range(300):
        rows = []
        for lane in range(len(targets)):
            load = 15 + 12 * math.sin(k / 20 + lane) + 4 * rng.standard_normal()
            least = 12 if 100 < k < 140 else 2
            set_ = int(rng.integers(0, 50)) if rng.random() < 0.02 else None
            rows.append((max(load, 0.0) if rng.random() > 0.05 else None, rng.choice([1.0, 0.8]), (least, 40), set_))
        steps.append((15.0 if k < 150 else 5.0, rows))
    _assert_equal(metric, behavior, Tolerance(), targets, steps)
    _assert_equal(metric, behavior, Tolerance(), targets[:1], [(wait_s, rows[:1]) for wait_s, rows in steps])


def _one(metric: LaneMetric = LaneMetric.AVERAGE_VALUE, percent: int = 100) -> HpaLanes:
    return HpaLanes(LaneTarget(metric, np.array([10.0]), percent))


def _step(
    lanes: HpaLanes,
    now_s: float,
    demand: float,
    current: int,
    limits: tuple[int, int] = (1, 100),
    ready: int | None = None,
) -> int:
    pods = np.array([current if ready is None else ready])
    least, most = np.array([limits[0]]), np.array([limits[1]])
    desired = lanes.sync(now_s, np.array([demand]), pods, np.array([current]), min_replicas=least, max_replicas=most)
    assert desired.dtype == np.int64
    return int(desired[0])


@pytest.mark.parametrize(
    ("metric", "demand", "ready", "current", "limits", "desired", "why"),
    [
        (LaneMetric.AVERAGE_VALUE, 95.0, 5, 5, (1, 100), 10, "ceil(95 / 10) and 5 + 100 % allows it"),
        (LaneMetric.AVERAGE_VALUE, 95.0, 0, 5, (1, 100), 10, "ready pods play no part in an external metric"),
        (LaneMetric.AVERAGE_VALUE, 0.1 * 3 * 100, 1, 1, (1, 100), 3, "30.000000000000004 is 30: noise costs no pod"),
        (LaneMetric.AVERAGE_VALUE, math.nan, 5, 5, (1, 100), 5, "metric fails: kept"),
        (LaneMetric.AVERAGE_VALUE, math.inf, 5, 5, (1, 100), 5, "infinite is unknown, not endless"),
        (LaneMetric.AVERAGE_VALUE, -1.0, 5, 5, (1, 100), 5, "negative is unknown, not zero"),
        (LaneMetric.AVERAGE_VALUE, math.nan, 5, 5, (8, 100), 8, "metric fails: a raised min still holds"),
        (LaneMetric.AVERAGE_VALUE, math.nan, 5, 5, (1, 4), 4, "metric fails: max still holds"),
        (LaneMetric.AVERAGE_VALUE, 1e300, 5, 5, (40, 100), 40, "the jump to min skips metrics in that sync"),
        (LaneMetric.AVERAGE_VALUE, 50.0, 0, 0, (1, 100), 0, "zero with min > 0: stands down"),
        (LaneMetric.AVERAGE_VALUE, 25.0, 0, 0, (0, 100), 3, "zero with min 0: wakes to what is needed"),
        (LaneMetric.AVERAGE_VALUE, math.nan, 0, 0, (0, 100), 0, "zero with min 0, metric fails: stays"),
        (LaneMetric.UTILIZATION, 95.0, 5, 5, (1, 100), 10, "190 % of 5 pods: ceil(9.5)"),
        (LaneMetric.UTILIZATION, 95.0, 3, 5, (1, 100), 10, "two unready count as idle: 190 % of 5"),
        (LaneMetric.UTILIZATION, 40.0, 3, 5, (1, 100), 5, "133 % of 3 is 80 % of 5: flips, kept"),
        (LaneMetric.UTILIZATION, 95.0, 9, 5, (1, 100), 10, "ready beyond current are terminating: 190 % of 5"),
        (LaneMetric.UTILIZATION, 11.1 - 1e-14, 1, 1, (1, 100), 2, "a hair below 111 % is 111, not a held 110"),
        (LaneMetric.UTILIZATION, 95.0, 0, 5, (1, 100), 5, "no ready pod: no sample, metric fails"),
    ],
)
def test_one_lane(
    metric: LaneMetric, demand: float, ready: int, current: int, limits: tuple[int, int], desired: int, why: str
) -> None:
    assert _step(_one(metric), 0.0, demand, current, limits, ready) == desired, why


def test_several_syncs_within_one_step_climb_by_the_rate_policy() -> None:
    lanes, counts = _one(), [1]
    for k in range(4):
        counts.append(_step(lanes, 60.0 + 15 * k, 400.0, counts[-1]))
    assert counts == [1, 5, 10, 20, 40]


@pytest.mark.parametrize("metric", LaneMetric)
def test_M06_a_huge_demand_saturates_without_warning(metric: LaneMetric) -> None:
    lanes = HpaLanes(LaneTarget(metric, np.array([1e-200]), 1), Behavior(ScalingRule(), ScalingRule()))
    assert _step(lanes, 0.0, 1.7e308, 5, (1, INT32_MAX)) == INT32_MAX


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.integers(1, 50), st.sampled_from(LaneMetric))
def test_D18_lanes_stay_within_limits_and_rise_with_load(a: float, b: float, current: int, metric: LaneMetric) -> None:
    low, high = (_step(_one(metric, percent=70), 0.0, load, current, (1, 50)) for load in sorted((a, b)))
    assert 1 <= low <= high <= 50


def test_inputs_are_left_as_they_were() -> None:
    lanes = _one(LaneMetric.UTILIZATION)
    given_ = [np.array([95.0]), np.array([3]), np.array([0]), np.array([1]), np.array([9])]
    before = [a.copy() for a in given_]
    lanes.sync(0.0, given_[0], given_[1], given_[2], min_replicas=given_[3], max_replicas=given_[4])
    for was, now in zip(before, given_, strict=True):
        np.testing.assert_array_equal(was, now)


def test_impossible_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        LaneTarget(LaneMetric.UTILIZATION, np.array([0.0]), 50)
    with pytest.raises(ValueError, match="percent"):
        LaneTarget(LaneMetric.UTILIZATION, np.array([1.0]), 0)
    lanes = _one()
    _step(lanes, 10.0, 1.0, 1)
    with pytest.raises(ValueError, match="ran back"):
        _step(lanes, 9.0, 1.0, 1)
    with pytest.raises(ValueError, match="lanes"):
        lanes.sync(
            20.0,
            np.ones(2),
            np.ones(2, int),
            np.ones(2, int),
            min_replicas=np.ones(2, int),
            max_replicas=np.ones(2, int),
        )


@given(data=st.data(), behavior=st.sampled_from(BEHAVIORS), steps=st.integers(1, 25), per_step=st.integers(1, 8))
def test_syncs_that_rest_decide_and_remember_as_if_they_had_taken_place(
    data: st.DataObject, behavior: Behavior | None, steps: int, per_step: int
) -> None:
    lanes = 2
    of_lane = st.lists(st.integers(0, 40), min_size=lanes, max_size=lanes)
    target = LaneTarget(LaneMetric.UTILIZATION, np.full(lanes, 1.0), 70)
    plain, resting = HpaLanes(target, behavior), HpaLanes(target, behavior)
    current, least, ready = np.array([4, 9]), np.array([1, 1]), np.array([4, 9])
    rested = 0
    for step in range(steps):
        if data.draw(st.booleans()):
            least = 1 + np.array(data.draw(of_lane)) // 4
        demand = np.array(
            data.draw(st.lists(st.sampled_from([0.0, 3.0, 3.5, 8.0, 20.0, np.nan]), min_size=2, max_size=2))
        )
        limits = {"min_replicas": least, "max_replicas": least + 12}
        times_s = [step * 15.0 * per_step + 15.0 * k for k in range(per_step)]
        by_plain = current
        for at_s in times_s:
            by_plain = plain.sync(at_s, demand, ready, by_plain, **limits)
        for k, at_s in enumerate(times_s):
            wanted = resting.sync(at_s, demand, ready, current, **limits)
            moved, current = (wanted != current).any(), wanted
            if not moved and resting.rests_until(times_s[-1], np.ones(lanes, dtype=np.bool_)):
                rested += per_step - 1 - k
                resting.rest(times_s[k + 1 :])
                break
        np.testing.assert_array_equal(current, by_plain)
        ready = np.minimum(current, data.draw(of_lane))
    event(f"rested: {rested > 0}")


def test_an_hpa_on_target_rests_and_one_about_to_shrink_does_not() -> None:
    everyone = np.array([True])
    steady = HpaLanes(LaneTarget(LaneMetric.UTILIZATION, np.array([1.0]), 70))
    assert not steady.rests_until(45.0, everyone)
    ten = np.array([10])
    limits = {"min_replicas": np.array([1]), "max_replicas": np.array([99])}
    assert steady.sync(0.0, np.array([7.0]), ten, ten, **limits).tolist() == [10]
    assert steady.rests_until(45.0, everyone)
    # half the demand: the window of 300 s keeps ten, until it is over at 300 s
    assert steady.sync(60.0, np.array([3.5]), ten, ten, **limits).tolist() == [10]
    assert steady.rests_until(299.0, everyone)
    assert not steady.rests_until(300.0, everyone)
    # at its minimum there is nothing to lose
    limits = {"min_replicas": np.array([10]), "max_replicas": np.array([99])}
    assert steady.sync(75.0, np.array([3.5]), ten, ten, **limits).tolist() == [10]
    assert steady.rests_until(9e9, everyone)


@pytest.mark.parametrize("behavior", BEHAVIORS)
def test_a_lone_lane_that_rests_is_what_four_syncs_would_have_made_of_it(behavior: Behavior | None) -> None:
    """Minutes of a noisy load: where it says that it rests, the syncs of a twin move nothing, and both go on alike."""
    rng, target = np.random.default_rng(11), LaneTarget(LaneMetric.UTILIZATION, np.array([45.0]), 70)
    quick, plain = HpaLanes(target, behavior), HpaLanes(target, behavior)
    limits, current, rested = (np.array([2]), np.array([60])), np.array([10]), 0
    for minute in range(600):
        demand = np.array([300 + 200 * math.sin(minute / 40) + 15 * rng.standard_normal()])
        if rng.random() < 0.02:
            demand[:] = np.nan
        times_s = [60.0 * minute + 15 * k for k in range(4)]
        ready, rests = current, quick.rests(times_s, demand, current, current, limits)
        rested += rests
        before = current
        for at_s in times_s:
            desired = plain.sync(at_s, demand, ready, current, min_replicas=limits[0], max_replicas=limits[1])
            if not rests:
                own = quick.sync(at_s, demand, ready, current, min_replicas=limits[0], max_replicas=limits[1])
                np.testing.assert_array_equal(own, desired)
            current = desired
        assert not rests or current == before
    assert (rested > 50) is (behavior is not None)
    assert len(quick._highest._rows) <= 96
