"""Whole syncs of one HPA: branches, memory between syncs, and promises that hold for any load."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.workload import PolicyType, ScalingRule, SelectPolicy, StepPolicy
from autoscaler.simulator.hpa import (
    INT32_MAX,
    Behavior,
    HpaSpec,
    HpaState,
    HpaVerdict,
    MetricFault,
    Proposal,
    Recommendation,
    Unusable,
    average_value_proposal,
    milli_value,
    sync,
)

History = tuple[HpaSpec, HpaState, float, int]
FAILED = Unusable(MetricFault.NO_VALUE)
FROZEN = Behavior(ScalingRule(0, (), SelectPolicy.DISABLED), ScalingRule(300, (), SelectPolicy.DISABLED))
AT_ONCE = Behavior(ScalingRule(), ScalingRule())
SLOW = Behavior(
    ScalingRule(60, (StepPolicy(PolicyType.PODS, 2, 60),)),
    ScalingRule(120, (StepPolicy(PolicyType.PERCENT, 10, 60), StepPolicy(PolicyType.PODS, 3, 30)), SelectPolicy.MIN),
)


def _asked(*replicas: int | None) -> list[Proposal | Unusable]:
    return [FAILED if n is None else Proposal(n, 1.0) for n in replicas]


@pytest.mark.parametrize(
    ("spec", "current", "asked", "desired", "verdict", "active", "why"),
    [
        (HpaSpec(1, 10), 0, [5], 0, HpaVerdict.STOOD_DOWN, False, "zero with min > 0: a person's pause"),
        (HpaSpec(0, 10), 0, [3], 3, HpaVerdict.COMPUTED, True, "zero with min 0: metrics wake it"),
        (HpaSpec(2, 10), 14, [20], 10, HpaVerdict.ABOVE_MAX, None, "down to max at once"),
        (HpaSpec(2, 10, FROZEN), 14, [20], 10, HpaVerdict.ABOVE_MAX, None, "even when scale-down is disabled"),
        (HpaSpec(50, 90), 2, [1], 50, HpaVerdict.BELOW_MIN, None, "up to min at once, past its own +100 %"),
        (HpaSpec(50, 90, FROZEN), 2, [None], 50, HpaVerdict.BELOW_MIN, None, "metrics are not even looked at"),
        (HpaSpec(1, 10), 5, [None], 5, HpaVerdict.METRICS_FAILED, False, "all metrics fail: kept"),
        (HpaSpec(1, 10), 5, [3, None], 5, HpaVerdict.METRICS_FAILED, False, "one fails: no scale-down"),
        (HpaSpec(1, 10), 5, [8, None], 8, HpaVerdict.COMPUTED, True, "one fails: scale-up from the other"),
        (HpaSpec(1, 10), 5, [5], 5, HpaVerdict.COMPUTED, True, "nothing to do"),
        (HpaSpec(1, 10), 5, [2], 5, HpaVerdict.COMPUTED, True, "first sync: the count found is in the window"),
        (HpaSpec(1, 10, AT_ONCE), 5, [2], 2, HpaVerdict.COMPUTED, True, "no window, no policies: at once"),
    ],
)
def test_branches_of_a_first_sync(
    spec: HpaSpec,
    current: int,
    asked: list[int | None],
    desired: int,
    verdict: HpaVerdict,
    active: bool | None,
    why: str,
) -> None:
    outcome = sync(spec, HpaState(), 0.0, current, _asked(*asked))
    assert (outcome.desired, outcome.verdict) == (desired, verdict), why
    assert outcome.verdict.scaling_active is active, why


def test_a_jump_to_min_counts_for_later_rate_limits_but_recommends_nothing() -> None:
    jumped = sync(HpaSpec(10, 100), HpaState(), 0.0, 2, _asked(50))
    assert jumped.desired == 10
    assert jumped.state.recommendations == (Recommendation(0.0, 2),), "only the count found at the start"
    soon = sync(HpaSpec(10, 100), jumped.state, 5.0, 10, _asked(50))
    assert soon.desired == 10, "the period began at 2: max(2 + 4, 2 × 2) = 6 is no more than current"
    later = sync(HpaSpec(10, 100), soon.state, 15.0, 10, _asked(50))
    assert later.desired == 20, "the jump is out of the 15 s period"


def test_a_failed_sync_recommends_nothing() -> None:
    state = sync(HpaSpec(1, 10), HpaState(), 0.0, 5, _asked(5)).state
    assert sync(HpaSpec(1, 10), state, 15.0, 5, _asked(None)).state == state


def test_default_scale_down_waits_five_minutes() -> None:
    spec, state, current, counts = HpaSpec(1, 100), HpaState(), 8, []
    for k in range(22):
        outcome = sync(spec, state, 15.0 * k, current, _asked(8 if k == 0 else 3))
        state, current = outcome.state, outcome.desired
        counts.append(current)
    assert counts == [8] * 20 + [3] * 2, "the 8 of t = 0 leaves the window at t = 300"


BEHAVIORS = st.sampled_from([None, Behavior(), FROZEN, AT_ONCE, SLOW])
LIMITS = st.tuples(st.integers(0, 60), st.integers(1, 60)).map(sorted).filter(lambda pair: pair[1] >= 1)
LOADS = st.floats(0, 1e30, allow_nan=False)


@st.composite
def _histories(draw: st.DrawFn) -> History:
    """A spec with the state and count that some earlier syncs left behind."""
    least, most = draw(LIMITS)
    spec = HpaSpec(least, most, draw(BEHAVIORS))
    state, now_s, current = HpaState(), 0.0, draw(st.integers(0, 70))
    for wanted in draw(st.lists(st.integers(0, 80), max_size=8)):
        outcome = sync(spec, state, now_s, current, _asked(wanted))
        state, current, now_s = outcome.state, outcome.desired, now_s + draw(st.sampled_from([5.0, 15.0, 90.0]))
    return spec, state, now_s, current


@given(_histories(), LOADS)
def test_D18_the_result_lies_within_min_and_max(history: History, load: float) -> None:
    spec, state, now_s, current = history
    desired = sync(spec, state, now_s, current, [average_value_proposal(milli_value(load), 1500, current)]).desired
    if current == 0 and spec.min_replicas > 0:
        assert desired == 0
    else:
        assert spec.min_replicas <= desired <= spec.max_replicas


@given(_histories(), LOADS, LOADS)
def test_D18_more_load_never_means_fewer_replicas(history: History, a: float, b: float) -> None:
    spec, state, now_s, current = history
    low, high = (
        sync(spec, state, now_s, current, [average_value_proposal(milli_value(load), 1500, current)]).desired
        for load in sorted((a, b))
    )
    assert low <= high


@pytest.mark.parametrize(
    ("least", "most", "current", "load", "desired", "why"),
    [
        (1, 1, 1, 1000.0, 1, "min = max = 1: whatever the load"),
        (1, 10, 1, 1.1, 1, "1.1 is inside the tolerance of one pod"),
        (1, 10, 1, 1.101, 2, "just past it: two"),
        (1, 10, 1, 0.0, 1, "no load: min, not zero"),
        (1, 10, 2, 1.0, 1, "two pods, work for exactly one"),
        (1, 10, 2, 1.001, 2, "a thousandth more needs both"),
        (0, 10, 1, 0.0, 0, "min 0: the last pod may go"),
        (2, 10, 10, 10.0, 10, "exactly max"),
        (2, 10, 9, 11.0, 10, "one past max is max"),
        (2, 10, 3, 2.0, 2, "exactly min"),
    ],
)
def test_D18_rounding_at_one_min_and_max(
    least: int, most: int, current: int, load: float, desired: int, why: str
) -> None:
    spec = HpaSpec(least, most, AT_ONCE)
    answer = average_value_proposal(milli_value(load), 1000, current)
    assert sync(spec, HpaState(), 0.0, current, [answer]).desired == desired, why


@given(st.floats(min_value=1e12), st.integers(1, INT32_MAX), st.integers(1, 1000), BEHAVIORS)
def test_M06_an_overflowing_need_means_up_to_the_limits_never_down(
    load: float, most: int, current: int, behavior: Behavior | None
) -> None:
    current = min(current, most)
    answer = average_value_proposal(milli_value(load), 1, current)
    desired = sync(HpaSpec(1, most, behavior), HpaState(), 0.0, current, [answer]).desired
    assert current <= desired <= most
    if behavior == AT_ONCE and isinstance(answer, Proposal):
        assert desired == most
