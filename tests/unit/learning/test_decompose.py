"""The decomposition: parts that are known by construction, gaps, what is refused, and a library that fails."""

from pathlib import Path

import numpy as np
import pytest

from autoscaler.domain.errors import Refused
from autoscaler.learning.decompose import decompose, strength_words
from autoscaler.learning.decompose_reference import reference_path

STEP_S = 600
DAY = 144
FIRST = 2_900_002


def _load(days: int, week: float = 0.0, noise: float = 3.0) -> np.ndarray:
    t = np.arange(days * DAY)
    rng = np.random.default_rng(4)
    trend = 100 + 20 * t / len(t)
    weekday = np.where(t // DAY % 7 < 5, week, -2.5 * week)
    return trend + 30 * np.sin(2 * np.pi * t / DAY) + weekday + rng.normal(0, noise, len(t))


def _of(strength: float | None) -> float:
    assert strength is not None
    return strength


@pytest.mark.slow
def test_trend_day_week_and_remainder_are_found_and_add_up_to_the_demand():
    raw = _load(28, week=10.0)
    found = decompose(raw, STEP_S, FIRST)
    assert (found.step_s, found.first) == (1800, -(-FIRST // 3))
    assert found.week is not None
    known = ~np.isnan(found.observed)
    whole = found.trend + found.day + found.week + found.remainder
    np.testing.assert_allclose(whole[known], found.observed[known])
    assert 0.9 < _of(found.day_strength) <= 1
    assert 0.6 < _of(found.week_strength) <= 1
    assert abs(np.ptp(found.day[480:960]) - 60) < 8
    assert 14 < found.trend[-48] - found.trend[48] < 24
    at = (found.first * 3 - FIRST) + np.arange(len(found.day)) * 3 + 1
    season = 30 * np.sin(2 * np.pi * at / DAY)
    assert np.corrcoef(found.day, season)[0, 1] > 0.98


@pytest.mark.slow
def test_gaps_are_handled_and_stay_unknown_and_a_burst_stays_in_the_remainder():
    raw = _load(10)
    raw[3 * DAY : 4 * DAY] = np.nan
    raw[6 * DAY + 30 : 6 * DAY + 36] += 500.0
    found = decompose(raw, STEP_S, FIRST)
    assert found.week is None
    assert found.week_strength is None
    assert np.isnan(found.remainder).sum() == pytest.approx(48, abs=1)
    assert np.isfinite(found.trend).all()
    assert np.nanmax(found.remainder) > 450
    assert np.nanmax(np.abs(found.day)) < 60
    assert _of(found.day_strength) > 0.9


@pytest.mark.slow
def test_noise_and_a_constant_have_no_season():
    for days in (3, 10, 22, 28):
        found = decompose(np.random.default_rng(1).lognormal(3, 0.5, days * DAY), STEP_S, FIRST)
        assert _of(found.day_strength) < 0.3
        assert found.week_strength is None or found.week_strength < 0.3
    still = decompose(np.full(10 * DAY, 7.0), STEP_S, FIRST)
    assert still.day_strength is None
    np.testing.assert_allclose(still.trend, 7.0)


@pytest.mark.parametrize(
    ("raw", "step_s", "words"),
    [
        (_load(2), STEP_S, "too few: a season of the day needs 3"),
        (np.where(np.arange(10 * DAY) % 9 < 5, np.nan, 1.0), 1800, "days are known"),
        (np.full(400, np.nan), STEP_S, "no demand is known"),
        (_load(10), 7 * 60, "no daily season"),
        (_load(10), 86400, "no daily season"),
    ],
)
def test_what_cannot_be_decomposed_is_refused_with_why(raw, step_s, words):
    with pytest.raises(Refused, match=words):
        decompose(raw, step_s, FIRST)


@pytest.mark.slow
def test_f05_a_decomposition_without_time_or_memory_costs_itself_alone():
    with pytest.raises(Refused, match=r"not made: it did not end in time"):
        decompose(_load(10), STEP_S, FIRST, seconds=0.2)
    with pytest.raises(Refused, match=r"not made: it "):
        decompose(_load(10), STEP_S, FIRST, memory_bytes=64 * 1024**2)


@pytest.mark.parametrize(
    ("strength", "words"),
    [(None, "nothing varies"), (0.95, "very strong"), (0.7, "strong"), (0.5, "clear"), (0.2, "weak"), (0.0, "hardly")],
)
def test_strength_in_words(strength, words):
    assert words in strength_words(strength)


@pytest.mark.slow
def test_a_librarys_path_follows_the_day_and_is_refused_when_it_cannot(tmp_path: Path):
    raw = _load(6, noise=0.5)
    truth = raw[5 * DAY :]
    path = reference_path("theta", raw[: 5 * DAY], STEP_S, FIRST, DAY)
    assert path.shape == (DAY,)
    assert np.abs(path - truth).mean() < 5.0
    with pytest.raises(Refused, match="not known; use ets"):
        reference_path("arima", raw, STEP_S, FIRST, DAY)
    with pytest.raises(Refused, match="needs 2 days"):
        reference_path("ets", raw[: DAY + 9], STEP_S, FIRST, DAY)
    with pytest.raises(Refused, match="no path: it did not end in time"):
        reference_path("ets", raw, STEP_S, FIRST, DAY, seconds=0.2)
