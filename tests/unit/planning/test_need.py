import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.fleet import NO_LIMIT
from autoscaler.planning.need import ROUNDING, replicas_for


def _one(demand: float, capacity: float) -> int:
    return int(replicas_for(np.array([demand]), np.array([capacity]))[0])


@given(load=st.integers(0, 10**6), per=st.integers(1, 10**4))
def test_enough_but_not_one_more(load: int, per: int) -> None:
    n = _one(load, per)
    assert n * per >= load
    assert n == 0 or (n - 1) * per < load


@given(
    load=st.floats(0, 1e12, allow_subnormal=False),
    per=st.floats(1e-3, 1e6),
)
def test_enough_within_rounding_for_any_numbers(load: float, per: float) -> None:
    n = _one(load, per)
    if n < NO_LIMIT:
        assert n * per >= load * (1 - 3 * ROUNDING)
        assert n <= 1 or (n - 1) * per < load


@given(a=st.floats(0, allow_infinity=True), b=st.floats(0, allow_infinity=True), per=st.floats(1e-300, 1e300))
def test_D18_monotone_in_load(a: float, b: float, per: float) -> None:
    low, high = sorted((a, b))
    assert 0 <= _one(low, per) <= _one(high, per) <= NO_LIMIT


@given(load=st.floats(0, 1e9), per=st.floats(1e-3, 1e6))
def test_monotone_in_capacity(load: float, per: float) -> None:
    assert _one(load, per) >= _one(load, per * 1.5)


@pytest.mark.parametrize(
    ("demand", "capacity", "replicas"),
    [
        (0.0, 45.0, 0),
        (-0.0, 45.0, 0),
        (1e-9, 45.0, 1),
        (45.0, 45.0, 1),
        (450.0, 45.0, 10),
        (450.1, 45.0, 11),
        (0.1 + 0.2, 0.1, 3),  # 0.30000000000000004
        (0.7 * 10, 0.7, 10),
        (-3.0, 45.0, 0),
        (np.nan, 45.0, 0),
    ],
)
def test_worked_examples(demand: float, capacity: float, replicas: int) -> None:
    assert _one(demand, capacity) == replicas


@pytest.mark.parametrize(
    ("demand", "capacity"), [(2.2e8, 0.1), (1e300, 1e-300), (np.inf, 1.0), (1.7e308, 5e-324), (2.0**63, 1.0)]
)
def test_M06_a_huge_need_saturates_and_never_wraps(demand: float, capacity: float) -> None:
    n = _one(demand, capacity)
    assert n == min(NO_LIMIT, n)
    assert n > 10**9
    assert _one(np.inf, 1.0) == NO_LIMIT
