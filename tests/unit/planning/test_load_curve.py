"""The rising curve of load and resource."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.planning.load_curve import BINS, Curves, bins_of, curves_of, rising, sums_by_bin

LOAD = np.linspace(1.0, 50.0, 1000)[None, :]


def _curves(load: Any, resource: Any) -> Curves:
    bins = bins_of(load, ~np.isnan(load) & ~np.isnan(resource))
    return curves_of(*(sums_by_bin(v, bins)[:, 0] for v in (np.ones_like(load), load, resource)))


def test_a_worked_example_of_the_closest_rising_series():
    np.testing.assert_allclose(rising(np.array([1.0, 3.0, 2.0, 4.0]), np.ones(4)), [1.0, 2.5, 2.5, 4.0])
    np.testing.assert_allclose(
        rising(np.array([1.0, 3.0, 2.0, 4.0]), np.array([1.0, 3.0, 1.0, 1.0])), [1, 2.75, 2.75, 4]
    )


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 9)), min_size=2, max_size=12))
def test_what_rises_is_as_close_as_pooling_neighbours_says(pairs):
    """Against the pool-adjacent-violators algorithm, which is another way to the same answer."""
    means, weights = np.array(pairs).T
    pools: list[list[float]] = []
    for mean, weight in pairs:
        pools.append([mean, weight, 1])
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (m1, w1, n1), (m0, w0, n0) = pools.pop(), pools.pop()
            pools.append([(m0 * w0 + m1 * w1) / (w0 + w1), w0 + w1, n0 + n1])
    expected = np.concatenate([[m] * int(n) for m, _, n in pools])
    np.testing.assert_allclose(rising(means, weights), expected, rtol=1e-9, atol=1e-9)


def test_a_line_is_found_with_its_idle_intercept_and_read_both_ways():
    found = _curves(LOAD, 0.1 + 0.02 * LOAD)
    assert (found.idle[0], found.slope[0]) == pytest.approx((0.1, 0.02))
    for level, load in [(0.5, 20.0), (1.0, 45.0), (1.5, 70.0), (0.1, 0.0), (0.05, 0.0)]:
        assert found.load_at(np.array([level]))[0] == pytest.approx(load, abs=1e-9)
    np.testing.assert_allclose(found.level_at(np.array([[0.0, 20.0, 70.0]])), [[0.1, 0.5, 1.5]])


def test_beyond_what_was_seen_a_bend_goes_on_with_its_steepest_part():
    """A curve that is flat, then steep: the mean slope would promise more load than there is."""
    resource = np.where(LOAD < 40, 0.1, 0.1 + 0.05 * (LOAD - 40))
    found = _curves(LOAD, resource)
    by_line = 50 + (2.0 - 0.6) / found.slope[0]
    assert found.load_at(np.array([2.0]))[0] < by_line


def test_a_resource_that_never_rises_never_reaches_the_level():
    found = _curves(LOAD, np.full_like(LOAD, 0.3))
    assert found.load_at(np.array([1.0]))[0] == np.inf


def test_too_few_samples_are_no_curve_and_never_zero():
    unknown = np.full((1, 10), np.nan)
    assert np.isnan(_curves(unknown, unknown).load_at(np.array([1.0]))[0])


def test_every_known_sample_is_in_one_bin_and_bins_rise_with_the_load():
    load = np.where(np.arange(1000) % 7 == 0, np.nan, np.random.default_rng(0).permutation(LOAD[0]))[None, :]
    bins = bins_of(load, ~np.isnan(load))
    assert (bins[np.isnan(load)] == BINS).all()
    tops = [np.nanmax(load[bins == k]) for k in range(BINS)]
    assert tops == sorted(tops)
    assert sums_by_bin(np.ones_like(load), bins).sum() == np.isfinite(load).sum()


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 3.0))
def test_more_resource_allowed_is_never_less_load(seed, level):
    rng = np.random.default_rng(seed)
    load = rng.uniform(0, 10, (1, 300))
    found = _curves(load, rng.uniform(0, 1, (1, 300)) + 0.1 * load)
    low, high = found.load_at(np.array([level]))[0], found.load_at(np.array([level * 1.1]))[0]
    assert 0 <= low <= high
