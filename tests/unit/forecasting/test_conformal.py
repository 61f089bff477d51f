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
    return calibrate(point, peak, mean, LEVELS, least).offsets[0]


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
