"""Features of the global model: causal, without a unit, the same in a block as alone, and never a surprise on gaps."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.series import Floats, Panel
from autoscaler.forecasting.features import PeakFeatures, history_steps, peak_features
from autoscaler.forecasting.features_windows import in_bins, window_max, window_sum

DAY = 1440
NO_VERDICTS = np.empty((0, 0), dtype=np.uint8)


def _panel(values: Any, step_s: int = 60, first: int = 0) -> Panel:
    return Panel(step_s, first, np.atleast_2d(np.asarray(values, dtype=np.float64)), NO_VERDICTS)


def _load(days: int = 9, rows: int = 3, seed: int = 0, step_s: int = 60, gaps: float = 0.1) -> Floats:
    rng = np.random.default_rng(seed)
    day = 86400 // step_s
    t = np.arange(days * day)
    values = rng.poisson(50 * (1.2 + np.sin(2 * np.pi * t / day)), size=(rows, len(t))).astype(np.float64)
    values[rng.random(values.shape) < gaps] = np.nan
    return values


def _same(one: PeakFeatures, other: PeakFeatures, origin: slice = slice(None)) -> None:
    assert one.names == other.names
    for k, name in enumerate(one.names):
        np.testing.assert_array_equal(one.table[k], other.table[k][:, origin], err_msg=name)
    np.testing.assert_array_equal(one.reference, other.reference[:, origin])
    np.testing.assert_array_equal(one.floor, other.floor[:, origin])


@pytest.mark.parametrize("lead", [0, 3, 10, DAY, 2 * DAY])
def test_nothing_at_or_after_the_origin_is_read(lead: int) -> None:
    values, origin = _load(), np.array([8 * DAY])
    honest = peak_features(_panel(values), origin, lead)
    for future in (np.nan, 0.0, 1e9):
        bent = values.copy()
        bent[:, 8 * DAY :] = future
        _same(peak_features(_panel(bent), origin, lead), honest)


def test_every_past_hour_tells_and_nothing_before_the_stated_history() -> None:
    values, origin, lead = _load(days=10, rows=1, gaps=0.0), np.array([9 * DAY]), 3
    whole = peak_features(_panel(values), origin, lead)
    reach = history_steps(60)
    forgotten = values.copy()
    forgotten[:, : 9 * DAY - reach] = np.nan
    _same(peak_features(_panel(forgotten), origin, lead), whole)
    for hours in range(1, 25):
        bent = values.copy()
        bent[:, 9 * DAY - 60 * hours] *= 50
        assert (peak_features(_panel(bent), origin, lead).table != whole.table).any(), hours


@pytest.mark.parametrize("step_s", [15, 60, 90, 300, 3600])
@pytest.mark.parametrize("stride", [1, 7])
def test_a_block_of_origins_is_the_same_as_single_origins_to_the_last_bit(step_s: int, stride: int) -> None:
    day = 86400 // step_s
    panel = _panel(_load(rows=2, step_s=step_s, days=8), step_s, first=5)
    origins = np.arange(8 * day - 40, 8 * day + 5, stride)
    block = peak_features(panel, origins, 2)
    for at, origin in enumerate(origins.tolist()):
        _same(peak_features(panel, np.array([origin]), 2), block, slice(at, at + 1))


def test_a_row_does_not_depend_on_the_others() -> None:
    values, origins = _load(rows=400, days=8), np.array([8 * DAY])
    together = peak_features(_panel(values), origins, 3)
    for row in (0, 199, 399):
        alone = peak_features(_panel(values[row]), origins, 3)
        np.testing.assert_array_equal(alone.table[:, 0], together.table[:, row])


@settings(max_examples=25, deadline=None)
@given(scale=st.integers(-20, 30).map(lambda k: 2.0**k), seed=st.integers(0, 50))  # exact: rounding may break a tie
def test_the_unit_does_not_matter(scale: float, seed: int) -> None:
    values, origins = _load(rows=2, seed=seed, days=8), np.arange(8 * DAY - 20, 8 * DAY)
    one, other = peak_features(_panel(values), origins, 3), peak_features(_panel(values * scale), origins, 3)
    np.testing.assert_allclose(other.table, one.table, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(other.reference, one.reference * scale, rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    known=st.lists(st.sampled_from([np.nan, 0.0, 1.0, 3.0, 1e-300, 1e15]), min_size=1, max_size=60),
    lead=st.integers(0, 12),
)
def test_gaps_zeros_and_extremes_give_numbers_or_unknown_never_infinity(known: list[float], lead: int) -> None:
    panel = _panel(known)
    features = peak_features(panel, np.arange(0, len(known) + 1), lead)
    assert not np.isinf(features.table).any()
    newest = features.reference[0, -1]
    assert np.isnan(newest) == bool(np.isnan(known[-5:]).all())


def test_nothing_known_says_nothing_and_zero_stays_zero() -> None:
    nothing = peak_features(_panel(np.full(DAY, np.nan)), np.array([DAY]), 3)
    assert np.isnan(nothing.reference).all()
    assert np.isnan(nothing.demand(np.zeros((1, 1)))).all()
    zero = peak_features(_panel(np.zeros(DAY)), np.array([DAY]), 3)
    np.testing.assert_array_equal(zero.demand(np.full((1, 1), 5.0)), 0.0)
    assert np.isnan(zero.relative(np.full((1, 1), 5.0))).all()


def test_what_is_learned_comes_back_as_demand() -> None:
    features = peak_features(_panel(_load(days=8)), np.arange(8 * DAY - 9, 8 * DAY), 3)
    peaks = np.abs(np.random.default_rng(1).normal(100, 50, features.reference.shape))
    np.testing.assert_allclose(features.demand(features.relative(peaks)), peaks)


def test_the_same_window_an_hour_and_a_day_ago_is_seen() -> None:
    values = np.full(8 * DAY + 1, 10.0)
    origin = 8 * DAY
    values[origin - 60 + 1] = 40.0
    values[origin - DAY + 2] = 80.0
    features = peak_features(_panel(values), np.array([origin]), 3)
    seen = dict(zip(features.names, features.table[:, 0, 0].tolist(), strict=True))
    assert seen["rise-1h-ago"] > 1.0 > seen["rise-2h-ago"]
    assert seen["rise-1d-ago"] > seen["rise-1h-ago"]
    assert seen["bursts-1d"] >= 1
    assert seen["since-burst"] < np.log(70)


@given(
    values=st.lists(st.one_of(st.just(float("nan")), st.floats(0, 1e6)), min_size=1, max_size=40),
    width=st.integers(1, 40),
)
def test_windows_are_what_they_say(values: list[float], width: int) -> None:
    if width > len(values):
        return
    array = np.array([values])
    slow = [array[0, j : j + width] for j in range(len(values) - width + 1)]
    largest = [np.fmax.reduce(part) for part in slow]
    np.testing.assert_array_equal(window_max(array, width)[0], largest)
    filled = np.nan_to_num(array)
    np.testing.assert_allclose(
        window_sum(filled, width)[0], [np.nan_to_num(part).sum() for part in slow], rtol=1e-12, atol=1e-9
    )


def test_bins_count_what_is_known() -> None:
    total, count, most = in_bins(np.array([[1.0, np.nan, 3.0, np.nan, np.nan, np.nan]]), 3)
    np.testing.assert_array_equal(total, [[4.0, 0.0]])
    np.testing.assert_array_equal(count, [[2.0, 0.0]])
    np.testing.assert_array_equal(most, [[3.0, np.nan]])
