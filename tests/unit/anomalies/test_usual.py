"""What was usual: causal, restartable, not to be raised by an event."""

import numpy as np
import pytest

from autoscaler.detection.usual import Usual, by_day

DAY = 1440


def daily(days: int, rows: int = 2) -> np.ndarray:
    minute = np.arange(days * DAY)
    wave = 100 + 50 * np.sin(2 * np.pi * minute / DAY)
    return np.stack([wave * (k + 1) for k in range(rows)])


def fed(values: np.ndarray, left_out: np.ndarray | None = None, cut: int = DAY) -> Usual:
    usual = Usual(60, len(values))
    out = np.zeros(values.shape, dtype=np.bool_) if left_out is None else left_out
    for a, b in by_day(0, values.shape[1], 60):
        for c in range(a, b, cut):
            usual.learn(c, values[:, c : min(b, c + cut)], out[:, c : min(b, c + cut)])
    return usual


def test_the_range_of_an_hour_is_that_of_the_days_before() -> None:
    usual = fed(daily(8))
    at = usual.reached(8 * DAY, daily(1))
    np.testing.assert_allclose(at.highest, [150, 300])
    assert (at.known_days == 8).all()
    noon = 6 * 60
    assert at.least[0, noon] < at.typical[0, noon] <= at.most[0, noon] == pytest.approx(150, rel=1e-3)
    assert np.all(at.most[0] >= daily(1)[0] - 1e-3)
    assert np.all(at.least[0] <= daily(1)[0] + 1e-3)


def test_today_is_not_yet_usual() -> None:
    usual = fed(daily(3))
    usual.learn(3 * DAY, np.full((2, 10), 9000.0), np.zeros((2, 10), dtype=np.bool_))
    assert usual.reached(3 * DAY + 10, np.ones((2, 1))).highest[0] == pytest.approx(150)
    assert usual.reached(4 * DAY, np.ones((2, 1))).highest[0] == 9000


def test_S09_what_is_left_out_never_becomes_usual() -> None:
    values = daily(6)
    values[:, 5 * DAY + 100 : 5 * DAY + 900] = 9000
    out = values == 9000
    at = fed(values, out).reached(6 * DAY, daily(1))
    assert at.highest[0] == pytest.approx(150, rel=0.01)
    assert at.steepest[0] < 2


def test_a_day_of_which_nothing_was_seen_is_not_known() -> None:
    usual = fed(daily(3))
    assert (usual.reached(6 * DAY, np.ones((2, 1))).known_days == 3).all()
    assert (usual.reached(40 * DAY, np.ones((2, 1))).known_days == 0).all()


def test_blocks_steps_and_restarts_tell_the_same() -> None:
    values = daily(3)
    whole, steps = fed(values), fed(values, cut=7)
    again = Usual(60, 3)
    again.restore(whole.arrays(), np.array([2, 0]), np.array([0, 1]))
    new = daily(1)
    a, b = (u.reached(3 * DAY, new) for u in (whole, steps))
    c = again.reached(3 * DAY, np.stack([new[1], new[0] * np.nan, new[0]]))
    for name in ("highest", "steepest", "climb", "most", "least", "typical"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        np.testing.assert_allclose(getattr(c, name)[[2, 0]], getattr(a, name), rtol=1e-6)
        assert np.isnan(getattr(c, name)[1]).all()


def test_another_grid_is_not_taken_over() -> None:
    with pytest.raises(ValueError, match="another grid"):
        Usual(300, 2).restore(fed(daily(1)).arrays(), np.array([0]), np.array([0]))


def test_days_are_cut_at_midnight() -> None:
    assert by_day(1430, 2890, 60) == [(1430, 1440), (1440, 2880), (2880, 2890)]
    assert by_day(5, 5, 60) == []
