"""Metrics with one total, the choice among several metrics, and quantities; expected numbers worked by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.simulator.hpa import (
    INT32_MAX,
    MetricFault,
    Proposal,
    Tolerance,
    Unusable,
    average_value_proposal,
    largest_proposal,
    milli_value,
    value_proposal,
)
from autoscaler.simulator.hpa.quantities import INT64_MAX


def _replicas(answer: Proposal | Unusable) -> int:
    assert isinstance(answer, Proposal)
    return answer.replicas


@pytest.mark.parametrize(
    ("total", "target", "current", "ready", "replicas", "why"),
    [
        (30_000, 10_000, 4, 3, 9, "ratio 3 × 3 ready pods, not × 4 replicas"),
        (11_000, 10_000, 4, 3, 4, "ratio 1.1 is still inside the tolerance: current, not ready"),
        (11_001, 10_000, 4, 4, 5, "just past the tolerance: ceil(4.4004)"),
        (9_000, 10_000, 4, 4, 4, "ratio 0.9 is inside the tolerance"),
        (8_000, 10_000, 10, 10, 8, "ratio 0.8 × 10"),
        (500, 10_000, 0, 0, 1, "at zero replicas: ceil(ratio), no tolerance, no ready pods needed"),
        (10_500, 10_000, 0, 0, 2, "at zero replicas ratio 1.05 asks for 2"),
        (0, 10_000, 5, 5, 0, "no work: nothing needed, min decides"),
        (30_000, 10_000, 4, 0, 0, "no pod ready: upstream multiplies by zero"),
        (7, 100, 100, 100, 7, "exact ceil of 0.07 × 100; in floats it would be 8"),
    ],
)
def test_value_target(total: int, target: int, current: int, ready: int, replicas: int, why: str) -> None:
    assert _replicas(value_proposal(total, target, current, ready)) == replicas, why


@pytest.mark.parametrize(
    ("total", "target", "status", "replicas", "why"),
    [
        (95_000, 10_000, 5, 10, "ceil(95 / 10), ready pods play no part"),
        (55_000, 10_000, 5, 5, "55 / (10 × 5) = 1.1 is inside the tolerance"),
        (55_001, 10_000, 5, 6, "just past it"),
        (45_000, 10_000, 5, 5, "0.9 is inside the tolerance"),
        (44_999, 10_000, 6, 5, "0.75: ceil(4.4999)"),
        (1, 10_000, 0, 1, "zero replicas: any work needs one, no tolerance"),
        (0, 10_000, 0, 0, "zero replicas, no work: 0 / 0 upstream, stays at zero"),
        (30_000, 100, 3, 300, "0.3 / 0.001 = 300 on integers; 299.99999999999994 or 300.00000000000006 never show"),
    ],
)
def test_average_value_target(total: int, target: int, status: int, replicas: int, why: str) -> None:
    assert _replicas(average_value_proposal(total, target, status)) == replicas, why


def test_each_direction_has_its_own_tolerance() -> None:
    own = Tolerance(down=0.3, up=0.0)
    assert _replicas(average_value_proposal(50_001, 10_000, 5, own)) == 6, "up: none"
    assert _replicas(average_value_proposal(50_000, 10_000, 5, own)) == 5, "exactly on target is always held"
    assert _replicas(average_value_proposal(35_000, 10_000, 5, own)) == 5, "down: 0.7 is inside 30 %"
    assert _replicas(average_value_proposal(34_999, 10_000, 5, own)) == 4, "down: past it"


def test_a_total_that_could_not_be_read_is_unusable() -> None:
    assert value_proposal(None, 10, 1, 1) == Unusable(MetricFault.NO_VALUE)
    assert average_value_proposal(None, 10, 1) == Unusable(MetricFault.NO_VALUE)


@pytest.mark.parametrize(("total", "target"), [(-1, 10), (1, 0)])
def test_impossible_totals_and_targets_are_refused(total: int, target: int) -> None:
    with pytest.raises(ValueError, match="milli-units"):
        value_proposal(total, target, 1, 1)


def test_an_impossible_tolerance_is_refused() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        Tolerance(up=math.nan)


@pytest.mark.parametrize(
    ("asked", "expected", "why"),
    [
        ([3, 8, 5], Proposal(8, 1.0), "several metrics: the largest"),
        ([8, None], Proposal(8, 1.0), "one fails: scale-up from the healthy one is allowed"),
        ([5, None], Proposal(5, 1.0), "one fails, the other wants no change: fine"),
        ([3, None], Unusable(MetricFault.NO_VALUE), "one fails: no scale-down on the word of the other"),
        ([None, None], Unusable(MetricFault.NO_VALUE), "all fail"),
        ([], Unusable(MetricFault.NO_METRICS), "no metric at all"),
    ],
)
def test_choice_among_metrics_at_five_replicas(
    asked: list[int | None], expected: Proposal | Unusable, why: str
) -> None:
    answers = [Unusable(MetricFault.NO_VALUE) if n is None else Proposal(n, 1.0) for n in asked]
    assert largest_proposal(answers, 5) == expected, why


@pytest.mark.parametrize(
    ("quantity", "milli"),
    [
        (0.1, 100),
        (8.2, 8200),
        (0.0001, 1),
        (1.0005, 1001),
        (0, 0),
        (1e300, INT64_MAX),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (-1.0, None),
    ],
)
def test_milli_value(quantity: float, milli: int | None) -> None:
    assert milli_value(quantity) == milli


@pytest.mark.parametrize("current", [0, 1, 7, INT32_MAX])
def test_M06_a_huge_total_saturates_and_never_wraps(current: int) -> None:
    assert _replicas(value_proposal(INT64_MAX, 1, current, max(current, 1))) == INT32_MAX
    assert _replicas(average_value_proposal(milli_value(2.2e8), 100, current)) == INT32_MAX, "2.2e8 / 0.1 is past int32"
    assert _replicas(average_value_proposal(INT64_MAX, 1, current)) == INT32_MAX


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(1, 10**6), st.integers(0, 500))
def test_proposals_never_fall_when_the_total_grows(a: int, b: int, target: int, current: int) -> None:
    low, high = sorted((a, b))
    assert _replicas(average_value_proposal(low, target, current)) <= _replicas(
        average_value_proposal(high, target, current)
    )
    assert _replicas(value_proposal(low, target, current, current)) <= _replicas(
        value_proposal(high, target, current, current)
    )


@given(st.integers(0, 10**9), st.integers(1, 10**6), st.integers(0, 500))
def test_an_average_value_beyond_tolerance_is_enough_but_not_one_more(total: int, target: int, current: int) -> None:
    answer = average_value_proposal(total, target, current)
    assert isinstance(answer, Proposal)
    if answer.replicas != current:
        assert answer.replicas * target >= total
        assert answer.replicas == 0 or (answer.replicas - 1) * target < total
