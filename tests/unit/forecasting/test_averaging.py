"""Experts are averaged by recent loss; an expert that cannot say leaves its share to the others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.series import Panel, SeriesBatch
from autoscaler.forecasting.averaging import SHARPNESS, averaged, weights_of
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer, Rows


def test_weights_fall_with_the_loss_to_the_power_and_none_goes_to_the_uncalibrated() -> None:
    weights = weights_of(np.array([[2.0, 0.0], [4.0, 0.0], [np.inf, 3.0]]), np.zeros(2))
    np.testing.assert_allclose(weights[:, 0], [1.0, 0.5**SHARPNESS, 0.0])
    np.testing.assert_allclose(weights[:, 1], [1.0, 1.0, 0.0], atol=1e-12)


def test_a_row_that_nobody_can_say_anything_about_has_no_weights() -> None:
    np.testing.assert_array_equal(weights_of(np.full((3, 1), np.inf), np.ones(1)), 0.0)


def test_the_mean_is_over_those_that_can_say() -> None:
    one = np.array([[[10.0, 20.0]], [[10.0, 20.0]]])
    two = np.array([[[30.0, 60.0]], [[np.nan, np.nan]]])
    mean, heaviest = averaged([one, two], np.array([[1.0, 1.0], [3.0, 3.0]]), (2, 1), 2)
    np.testing.assert_allclose(mean[:, 0], [[25.0, 50.0], [10.0, 20.0]])
    np.testing.assert_array_equal(heaviest[:, 0], [1, 0])


def test_where_none_can_say_the_mean_is_unknown() -> None:
    mean, _ = averaged([np.full((1, 2, 2), np.nan)], np.ones((1, 1)), (1, 2), 2)
    assert np.isnan(mean).all()
    nobody, _ = averaged([], np.empty((0, 1)), (1, 2), 2)
    assert np.isnan(nobody).all()


DEMAND = st.floats(1e-200, 1e300) | st.just(0.0)


@given(st.lists(st.tuples(DEMAND, DEMAND, st.floats(1e-9, 1) | st.just(0.0)), min_size=1, max_size=6))
def test_the_mean_lies_between_its_experts_and_rises_with_the_level(experts: list[tuple[float, float, float]]) -> None:
    answers = [np.array([[[min(a, b), max(a, b)]]]) for a, b, _ in experts]
    weights = np.array([[w] for *_, w in experts])
    mean, _ = averaged(answers, weights, (1, 1), 2)
    if weights.sum() == 0:
        assert np.isnan(mean).all()
        return
    low = min(a[0, 0, 0] for a in answers)
    high = max(a[0, 0, 1] for a in answers)
    assert low * (1 - 1e-12) <= mean[0, 0, 0] <= mean[0, 0, 1] <= high * (1 + 1e-12) + 1e-300


@pytest.fixture(scope="module")
def by_the_clock() -> tuple[Panel, int]:
    """Five days at one minute; at 2 and 32 minutes past, in one hour of two, five minutes of five times the load."""
    rng = np.random.default_rng(4)
    steps = 5 * 1440
    load = 100 * rng.lognormal(0, 0.03, steps)
    for start in range(0, steps, 30):
        if rng.random() < 0.5:
            load[start + 2 : start + 7] *= 5
    return Panel.of(SeriesBatch.judge(60, 0, load[np.newaxis])), steps


def test_what_comes_by_the_clock_is_expected_at_its_minutes_and_only_there(by_the_clock: tuple[Panel, int]) -> None:
    panel, steps = by_the_clock
    origins = np.arange(steps - 60, steps)
    served = PeakServer(serving_models()).forecast(panel, Rows.punctual(["shop/web"], np.array([2])), origins)
    q95 = served.quantiles[0, :, -1]
    minute = origins % 30
    before_the_burst, quiet = q95[minute <= 2], q95[(minute >= 14) & (minute <= 26)]
    assert before_the_burst.min() > 350
    assert quiet.max() < 300


def test_without_a_clock_on_the_grid_all_steps_are_alike() -> None:
    """A step of seven minutes has no whole hour: nothing is calibrated by minute, and all serve."""
    rng = np.random.default_rng(1)
    panel = Panel.of(SeriesBatch.judge(420, 0, 100 * rng.lognormal(0, 0.1, (1, 2000))))
    served = PeakServer(serving_models()).forecast(panel, Rows.punctual(["a"], np.array([1])), np.array([2000]))
    assert served.present.all()
