"""What the loop remembers: windows, periods, first sights, and memory that neither grows nor creeps on."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.fleet import NO_LIMIT, Fleet, StepLimits
from autoscaler.domain.workload import Lead, PolicyType, ScalingRule, SelectPolicy, StepPolicy, Workload
from autoscaler.pipeline.state import MOST_ENTRIES, LoopState

YES = np.array([True])


def _windows(*seconds: float) -> StepLimits:
    return StepLimits.of(tuple(ScalingRule(int(each)) for each in seconds))


def _note(state: LoopState, now_s: float, recommended: int, current: int, known: bool = True,
          horizon_s: float = 300.0) -> LoopState:  # fmt: skip
    return state.noted(now_s, np.array([recommended]), np.array([current]), np.array([known]), horizon_s)


def _high(state: LoopState, now_s: float, window_s: float = 300.0) -> int:
    return int(state.recent_high(now_s, _windows(window_s))[0])


def _low(state: LoopState, now_s: float, window_s: float = 300.0) -> int:
    return int(state.recent_low(now_s, _windows(window_s))[0])


@pytest.fixture
def fresh(make_fleet: Callable[..., Fleet]) -> LoopState:
    return LoopState.fresh(make_fleet(lanes=1), 60)


def test_a_first_sight_counts_as_if_current_had_been_recommended_all_along(fresh: LoopState) -> None:
    state = _note(fresh, 0.0, 4, 10)
    assert (_high(state, 0.0), _low(state, 0.0)) == (10, 4)
    state = _note(state, 60.0, 4, 10)
    assert _high(state, 60.0) == 10
    for k in range(2, 5):
        state = _note(state, 60.0 * k, 4, 10)
    assert _high(state, 240.0) == 10
    assert _high(_note(state, 300.0, 4, 10), 300.0) == 4


def test_a_window_of_no_seconds_knows_the_newest_tick_only(fresh: LoopState) -> None:
    state = fresh
    for k, recommended in enumerate([9, 3, 7]):
        state = _note(state, 60.0 * k, recommended, 9, horizon_s=0.0)
    assert (_high(state, 120.0, 0.0), _low(state, 120.0, 0.0)) == (7, 7)
    assert len(state.times_s) == 1


@given(
    gaps=st.lists(st.floats(0.01, 120), min_size=1, max_size=60),
    window_s=st.sampled_from([0.0, 30.0, 300.0]),
    seed=st.integers(0, 99),
)
def test_windows_see_what_a_plain_list_sees(
    make_fleet: Callable[..., Fleet], gaps: list[float], window_s: float, seed: int
) -> None:
    rng, state = np.random.default_rng(seed), LoopState.fresh(make_fleet(lanes=1), 60)
    now, told = 1e9, []
    for gap in gaps:
        now += gap
        told.append((now, int(rng.integers(0, 50))))
        state = _note(state, now, told[-1][1], told[0][1])
        inside = [r for at, r in told if at > now - window_s] or [told[-1][1]]
        slack = 300.0 / MOST_ENTRIES
        nearly = [r for at, r in told if at > now - window_s - slack] + [told[-1][1]]
        assert max(inside) <= _high(state, now, window_s) <= max(nearly)
        assert min(nearly) <= _low(state, now, window_s) <= min(inside)


@pytest.mark.parametrize("tick_s", [0.05, 0.5, 1.0, 5.0])
def test_memory_is_bounded_and_a_peak_is_forgotten_in_time(fresh: LoopState, tick_s: float) -> None:
    """Folding the oldest entry into the next one once carried a peak on for ever."""
    horizon, state = 600.0, fresh
    for k in range(int(700 / tick_s)):
        now = 1e9 + k * tick_s
        state = _note(state, now, 90 if k == 1 else 4, 4, horizon_s=horizon)
        assert len(state.times_s) <= MOST_ENTRIES + 2
        age = now - (1e9 + tick_s)
        if age < horizon - tick_s and k >= 1:
            assert _high(state, now, horizon) == 90
        if age > horizon + 2 * horizon / MOST_ENTRIES:
            assert _high(state, now, horizon) == 4


def test_an_unknown_target_notes_nothing_and_is_a_first_sight_after_a_window(fresh: LoopState) -> None:
    state = _note(_note(fresh, 0.0, 10, 10), 60.0, 0, 0, known=False)
    limits = StepLimits.of((ScalingRule(0, (StepPolicy(PolicyType.PODS, 1, 60),)),))
    assert (_high(state, 60.0), _low(state, 60.0)) == (10, 10)
    assert int(state.step_limit(60.0, limits, np.array([10]), upward=False)[0]) == 9
    for k in range(2, 8):
        state = _note(state, 60.0 * k, 0, 0, known=False)
    assert _high(_note(state, 480.0, 2, 10), 480.0) == 10


def _limit(state: LoopState, now_s: float, rule: ScalingRule, current: int, upward: bool) -> int:
    return int(state.step_limit(now_s, StepLimits.of((rule,)), np.array([current]), upward=upward)[0])


PODS, PERCENT = PolicyType.PODS, PolicyType.PERCENT


@pytest.mark.parametrize(
    ("policies", "select", "upward", "limit"),
    [
        ((), SelectPolicy.MAX, True, NO_LIMIT),
        ((), SelectPolicy.MAX, False, 0),
        ((), SelectPolicy.DISABLED, True, 72),
        ((), SelectPolicy.DISABLED, False, 72),
        ((StepPolicy(PODS, 4, 60),), SelectPolicy.MAX, True, 76),
        ((StepPolicy(PODS, 4, 60),), SelectPolicy.MAX, False, 68),
        ((StepPolicy(PERCENT, 10, 60),), SelectPolicy.MAX, False, 64),  # 7.2 rounds up to 8
        ((StepPolicy(PERCENT, 10, 60),), SelectPolicy.MAX, True, 80),
        ((StepPolicy(PERCENT, 100, 60), StepPolicy(PODS, 4, 60)), SelectPolicy.MAX, True, 144),
        ((StepPolicy(PERCENT, 100, 60), StepPolicy(PODS, 4, 60)), SelectPolicy.MIN, True, 76),
        ((StepPolicy(PERCENT, 10, 60), StepPolicy(PODS, 4, 60)), SelectPolicy.MIN, False, 68),
        ((StepPolicy(PERCENT, 100, 60),), SelectPolicy.MAX, False, 0),
        ((StepPolicy(PODS, 2**31 - 1, 60),), SelectPolicy.MAX, True, NO_LIMIT),  # saturates
    ],
)
def test_what_behavior_allows_from_72(
    fresh: LoopState, policies: tuple[StepPolicy, ...], select: SelectPolicy, upward: bool, limit: int
) -> None:
    state = _note(fresh, 0.0, 72, 72)
    assert _limit(state, 0.0, ScalingRule(0, policies, select), 72, upward) == limit


def test_a_period_counts_from_its_start_and_never_pushes_back(fresh: LoopState) -> None:
    rule, state = ScalingRule(0, (StepPolicy(PODS, 4, 180),)), fresh
    for k, current in enumerate([10, 12, 14, 30]):
        state = _note(state, 60.0 * k, current, current)
    assert _limit(state, 180.0, rule, 30, upward=True) == 30  # start 12 allows 16, and 30 stands
    assert _limit(state, 180.0, rule, 13, upward=True) == 16
    assert _limit(state, 180.0, rule, 13, upward=False) == 8


def test_lanes_keep_their_memory_when_the_fleet_changes(make_workload: Callable[..., Workload]) -> None:
    a, b, c = (make_workload(n) for n in "abc")
    state = LoopState.fresh(Fleet((a, b)), 60)
    state = state.noted(0.0, np.array([5, 6]), np.array([5, 6]), np.array([True, True]), 300.0)
    moved = state.for_fleet(Fleet((c, b, a)), 60)
    assert moved.for_fleet(Fleet((c, b, a)), 60) is moved
    both = moved.noted(60.0, np.array([1, 1, 1]), np.array([9, 1, 1]), np.ones(3, dtype=np.bool_), 300.0)
    assert both.recent_high(60.0, _windows(300.0, 300.0, 300.0)).tolist() == [9, 6, 5]  # c is new, at nine
    assert both.recent_low(60.0, _windows(300.0, 300.0, 300.0)).tolist() == [1, 1, 1]
    longer = make_workload("a", lead=Lead(3600.0))
    deeper = both.for_fleet(Fleet((longer,)), 60)
    assert deeper.margin.shadow.shape[0] > both.margin.shadow.shape[0]
    nobody = deeper.for_fleet(Fleet(()), 60)
    assert nobody.counts.shape[1] == 0
    assert nobody.for_fleet(Fleet((a,)), 60).recent_high(60.0, _windows(300.0)).tolist() == [-1]


def test_margins_travel_with_their_lanes(make_workload: Callable[..., Workload]) -> None:
    a, b = make_workload("a"), make_workload("b")
    state = LoopState.fresh(Fleet((a, b)), 60)
    state.margin.log_margin[:] = [0.5, 0.7]
    swapped = state.for_fleet(Fleet((b, make_workload("c"), a)), 60)
    np.testing.assert_allclose(swapped.margin.log_margin, [0.7, np.log(1.1), 0.5])
