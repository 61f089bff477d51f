"""Stabilisation, rate policies and limits; expected numbers worked by hand from upstream's formulas."""

import pytest

from autoscaler.domain.workload import PolicyType, ScalingRule, SelectPolicy, StepPolicy
from autoscaler.simulator.hpa import (
    DEFAULT_BEHAVIOR,
    INT32_MAX,
    Behavior,
    HpaSpec,
    HpaState,
    Recommendation,
    ScaleEvent,
)
from autoscaler.simulator.hpa.behavior import down_limit, granted_replicas, stabilized, up_limit

NOW_S = 10_000.0
PODS_4 = StepPolicy(PolicyType.PODS, 4, 60)
PERCENT_10 = StepPolicy(PolicyType.PERCENT, 10, 60)
PERCENT_90 = StepPolicy(PolicyType.PERCENT, 90, 60)


def _events(*pairs: tuple[float, int]) -> tuple[ScaleEvent, ...]:
    return tuple(ScaleEvent(NOW_S - age_s, change) for age_s, change in pairs)


def _past(*pairs: tuple[float, int]) -> HpaState:
    return HpaState(recommendations=tuple(Recommendation(NOW_S - age_s, n) for age_s, n in pairs))


@pytest.mark.parametrize(
    ("rule", "state", "current", "limit", "why"),
    [
        (DEFAULT_BEHAVIOR.scale_up, HpaState(), 1, 5, "+4 pods beats +100 % of one"),
        (DEFAULT_BEHAVIOR.scale_up, HpaState(), 10, 20, "+100 % beats +4 pods"),
        (DEFAULT_BEHAVIOR.scale_up, HpaState(scale_ups=_events((10, 4))), 5, 5, "period began at 1: no more now"),
        (DEFAULT_BEHAVIOR.scale_up, HpaState(scale_ups=_events((15, 4))), 5, 10, "15 s old is out of the period"),
        (ScalingRule(0, (PERCENT_10,)), HpaState(), 72, 80, "ceil(79.2)"),
        (ScalingRule(0, (PERCENT_10,)), HpaState(), 100, 111, "upstream's float 100 × 1.1 is a hair above 110"),
        (ScalingRule(0, (PODS_4, PERCENT_10), SelectPolicy.MIN), HpaState(), 72, 76, "Min: the least change"),
        (ScalingRule(0, (PODS_4, PERCENT_10), SelectPolicy.MAX), HpaState(), 72, 80, "Max: the largest"),
        (ScalingRule(0, (PODS_4,), SelectPolicy.DISABLED), HpaState(), 72, 72, "Disabled: stays"),
        (ScalingRule(0, ()), HpaState(), 72, INT32_MAX, "no policies: no step limit"),
        (
            ScalingRule(0, (PODS_4,)),
            HpaState(scale_ups=_events((30, 4)), scale_downs=_events((20, 6))),
            10,
            16,
            "both directions are undone: the period began at 10 − 4 + 6 = 12",
        ),
    ],
)
def test_up_limit(rule: ScalingRule, state: HpaState, current: int, limit: int, why: str) -> None:
    assert up_limit(rule, state, NOW_S, current) == limit, why


@pytest.mark.parametrize(
    ("rule", "state", "current", "limit", "why"),
    [
        (DEFAULT_BEHAVIOR.scale_down, HpaState(), 72, 0, "100 %: all may go"),
        (ScalingRule(0, (PERCENT_10,)), HpaState(), 72, 64, "the removal rounds up: 8 of 72"),
        (ScalingRule(0, (PERCENT_10,)), HpaState(), 1, 0, "even one pod may go: min decides"),
        (ScalingRule(0, (PERCENT_90,)), HpaState(), 10, 0, "upstream's float 10 × (1 − 0.9) is a hair below 1"),
        (ScalingRule(0, (PERCENT_10,)), HpaState(scale_downs=_events((59, 8))), 64, 64, "72 at the period's start"),
        (ScalingRule(0, (PERCENT_10,)), HpaState(scale_downs=_events((60, 8))), 64, 57, "60 s old is out"),
        (ScalingRule(0, (PODS_4, PERCENT_10), SelectPolicy.MIN), HpaState(), 72, 68, "Min: the least change"),
        (ScalingRule(0, (PODS_4, PERCENT_10), SelectPolicy.MAX), HpaState(), 72, 64, "Max: the largest"),
        (ScalingRule(0, (PODS_4,), SelectPolicy.DISABLED), HpaState(), 72, 72, "Disabled: stays"),
        (ScalingRule(0, ()), HpaState(), 72, 0, "no policies: no step limit"),
    ],
)
def test_down_limit(rule: ScalingRule, state: HpaState, current: int, limit: int, why: str) -> None:
    assert down_limit(rule, state, NOW_S, current) == limit, why


@pytest.mark.parametrize(
    ("windows", "past", "current", "wanted", "stable", "why"),
    [
        ((0, 300), [(100, 10), (299, 12), (300, 20)], 15, 5, 12, "down: the highest of the last 300 s, 300 not in"),
        ((0, 300), [(100, 3)], 5, 9, 9, "up without a window: at once"),
        ((60, 300), [(30, 6), (90, 2)], 5, 10, 6, "up: the lowest of the last 60 s"),
        ((60, 300), [(30, 3), (100, 12)], 8, 10, 8, "one window bars up, none asks for less: stay"),
        ((0, 300), [(10, 50)], 15, 5, 15, "down: a higher recommendation keeps current, it does not raise it"),
        ((0, 0), [(0, 50)], 15, 5, 5, "no window: at once"),
    ],
)
def test_stabilisation(
    windows: tuple[int, int], past: list[tuple[float, int]], current: int, wanted: int, stable: int, why: str
) -> None:
    behavior = Behavior(ScalingRule(windows[0]), ScalingRule(windows[1]))
    assert stabilized(behavior, _past(*past), NOW_S, current, wanted) == stable, why


@pytest.mark.parametrize(
    ("spec", "past", "current", "wanted", "granted", "why"),
    [
        (HpaSpec(1, 100), [], 1, 50, 5, "stabilise passes 50, the rate allows 5"),
        (HpaSpec(1, 3), [], 1, 50, 3, "max after rate"),
        (HpaSpec(4, 100), [], 10, 1, 4, "min after rate"),
        (HpaSpec(1, 100), [(60, 9)], 10, 1, 9, "stabilise before rate: down to 9 only"),
        (HpaSpec(1, 100, None), [], 1, 50, 4, "no behavior field: max(2 × 1, 4)"),
        (HpaSpec(1, 100, None), [], 10, 50, 20, "no behavior field: 2 × 10"),
        (HpaSpec(1, 100, None), [(300, 8)], 10, 1, 8, "no behavior field: 300 s old still counts"),
        (HpaSpec(1, 100, None), [(10, 15)], 10, 12, 15, "no behavior field: an older peak raises even on the way up"),
        (HpaSpec(3, 100, None), [], 10, 1, 3, "no behavior field: no rate down, min holds"),
    ],
)
def test_granted_in_order(
    spec: HpaSpec, past: list[tuple[float, int]], current: int, wanted: int, granted: int, why: str
) -> None:
    assert granted_replicas(spec, _past(*past), NOW_S, current, wanted) == granted, why


def test_a_stale_event_gives_its_slot_to_the_next_of_its_direction() -> None:
    behavior = Behavior(ScalingRule(0, (StepPolicy(PolicyType.PODS, 4, 15),)), ScalingRule(0, (PERCENT_10,)))
    state = HpaState().scaled(behavior, 0.0, 1, 5).scaled(behavior, 15.0, 5, 6).scaled(behavior, 31.0, 6, 8)
    assert state.scale_ups == (ScaleEvent(0.0, 4), ScaleEvent(31.0, 2)), "the last stale one, not the oldest"
    state = state.scaled(behavior, 32.0, 8, 7).scaled(behavior, 33.0, 7, 7)
    assert state.scale_downs == (ScaleEvent(32.0, 1),)


def test_without_behavior_no_scale_event_is_kept() -> None:
    assert HpaState().scaled(None, 0.0, 1, 4) == HpaState()


def test_recommendations_are_forgotten_once_no_window_reaches_them() -> None:
    state = HpaState().begun(0.0, 3).recommended(DEFAULT_BEHAVIOR, 200.0, 5).recommended(DEFAULT_BEHAVIOR, 301.0, 6)
    assert state.recommendations == (Recommendation(200.0, 5), Recommendation(301.0, 6))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="3600"):
        Behavior(scale_up=ScalingRule(3601))
    with pytest.raises(ValueError, match="min"):
        HpaSpec(5, 4)
    with pytest.raises(ValueError, match="max"):
        HpaSpec(0, 0)


def test_M06_rate_limits_saturate() -> None:
    huge = ScalingRule(0, (StepPolicy(PolicyType.PERCENT, 100, 60), StepPolicy(PolicyType.PODS, INT32_MAX, 60)))
    assert up_limit(huge, HpaState(), NOW_S, INT32_MAX) == INT32_MAX
    assert down_limit(huge, HpaState(scale_ups=_events((1, INT32_MAX))), NOW_S, 1) == -INT32_MAX
