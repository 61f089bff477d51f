import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.forecasting.conformal import calibrate, error_scale

LEVELS = (0.5, 0.9, 0.95)


def _calibrated(errors: np.ndarray, least: int = 1) -> np.ndarray:
    """Offsets for given errors in units of the scale."""
    mean, point = np.array([100.0]), np.full((1, len(errors)), 90.0)
    peak = point + errors * error_scale(point, mean[:, None])
    return calibrate(point, peak, mean, LEVELS, least).offsets[0, 0]


@pytest.mark.parametrize(
    ("count", "ranks"),
    [
        (19, (10, 18, 19)),  # ⌈20 · level⌉, 1-based
        (20, (11, 19, 20)),
        (39, (20, 36, 38)),
        (99, (50, 90, 95)),
        (100, (51, 91, 96)),
    ],
)
def test_offsets_are_the_finite_sample_order_statistics(count: int, ranks: tuple[int, ...]) -> None:
    errors = np.random.default_rng(0).permutation(np.linspace(-1, 1, count))
    np.testing.assert_allclose(_calibrated(errors), np.sort(errors)[np.array(ranks) - 1], atol=1e-12)


def test_fewer_errors_than_the_highest_level_needs_give_no_offsets() -> None:
    assert np.isnan(_calibrated(np.linspace(-1, 1, 18))).all()
    assert np.isfinite(_calibrated(np.linspace(-1, 1, 19))).all()
    assert np.isnan(_calibrated(np.linspace(-1, 1, 30), least=31)).all()


@given(
    errors=st.lists(st.floats(-0.5, 2), min_size=19, max_size=60),
    gaps=st.integers(0, 30),
    seed=st.integers(0, 100),
)
def test_gaps_and_order_do_not_matter_and_offsets_rise(errors: list[float], gaps: int, seed: int) -> None:
    plain = _calibrated(np.array(errors))
    mixed = np.random.default_rng(seed).permutation(np.array(errors + [np.nan] * gaps))
    np.testing.assert_array_equal(_calibrated(mixed), plain)
    assert (np.diff(plain) >= 0).all()


def test_losses_rank_the_closer_forecast_first_and_unknown_last() -> None:
    rng = np.random.default_rng(2)
    peak = 100 + rng.normal(0, 5, (1, 200))
    mean = np.array([100.0])
    near = calibrate(peak + rng.normal(0, 1, peak.shape), peak, mean, LEVELS, 24)
    far = calibrate(peak + rng.normal(0, 20, peak.shape), peak, mean, LEVELS, 24)
    none = calibrate(np.full_like(peak, np.nan), peak, mean, LEVELS, 24)
    assert near.loss[0] < far.loss[0] < none.loss[0] == np.inf


def test_by_phase_each_phase_has_the_order_statistics_of_its_own_errors() -> None:
    rng = np.random.default_rng(3)
    errors = rng.normal(0, 1, (40, 4)) + np.array([0.0, 5.0, 0.0, -0.3])
    mean, point = np.array([100.0]), np.full((1, 160), 900.0)
    peak = point + errors.reshape(1, -1) * error_scale(point, mean[:, None])
    found = calibrate(point, peak, mean, LEVELS, 1, phases=4)
    for phase in range(4):
        np.testing.assert_allclose(found.offsets[0, phase], _calibrated(errors[:, phase]), atol=1e-9)
    origins = np.array([8, 9, 10, 11, 13])
    served = found.quantiles(np.full((1, 5), 900.0), origins)
    np.testing.assert_array_equal(served[0, 1], served[0, 4])
    assert served[0, 1, 2] > served[0, 0, 2]


def test_a_phase_with_too_few_errors_leaves_the_row_without_offsets() -> None:
    point, mean = np.full((1, 120), 90.0), np.array([100.0])
    peak = point + np.random.default_rng(0).normal(0, 5, point.shape)
    peak[0, 1::4] = np.where(np.arange(30) < 15, peak[0, 1::4], np.nan)
    found = calibrate(point, peak, mean, LEVELS, 1, phases=4)
    assert np.isnan(found.offsets).all()
    assert np.isinf(found.loss).all()


def test_samples_that_are_not_whole_turns_are_refused() -> None:
    with pytest.raises(ValueError, match="whole turns of 4"):
        calibrate(np.ones((1, 9)), np.ones((1, 9)), np.ones(1), LEVELS, 1, phases=4)
