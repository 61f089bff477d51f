"""From the global model to a workload's own calibration."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.series import Floats
from autoscaler.forecasting.pretrained_start import ALONE_S, FADE_S, beginners, global_share, with_own

OWN, GLOBAL = np.array([[[1.0, 2.0, 3.0]]]), np.array([[[3.0, 4.0, 9.0]]])


def _at(seconds: float) -> Floats:
    return np.array([float(seconds)])


def test_alone_then_half_then_gone() -> None:
    np.testing.assert_array_equal(with_own(OWN, GLOBAL, _at(0)), GLOBAL)
    np.testing.assert_array_equal(with_own(OWN, GLOBAL, _at(ALONE_S)), GLOBAL)
    np.testing.assert_allclose(with_own(OWN, GLOBAL, _at(ALONE_S + FADE_S / 2)), [[[2.0, 3.0, 6.0]]])
    np.testing.assert_array_equal(with_own(OWN, GLOBAL, _at(ALONE_S + FADE_S)), OWN)
    np.testing.assert_array_equal(beginners(np.array([0.0, ALONE_S + FADE_S - 1.0, ALONE_S + FADE_S])), [1, 1, 0])


def test_where_one_cannot_say_the_other_does() -> None:
    unknown = np.full_like(OWN, np.nan)
    for seconds in (0, ALONE_S + 60, ALONE_S + FADE_S):
        np.testing.assert_array_equal(with_own(unknown, GLOBAL, _at(seconds)), GLOBAL)
        np.testing.assert_array_equal(with_own(OWN, unknown, _at(seconds)), OWN)
        assert np.isnan(with_own(unknown, unknown, _at(seconds))).all()


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_share_falls_and_quantiles_stay_between_and_rising(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert global_share(_at(low)) >= global_share(_at(high))
    mixed = with_own(OWN, GLOBAL, _at(one))
    assert (mixed >= OWN).all()
    assert (mixed <= GLOBAL).all()
    assert (np.diff(mixed) >= 0).all()
