"""The path to a day ahead: its contract over odd series, causality, what it learns, and where it must not speak."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from autoscaler.domain.series import DataVerdict, Panel, SeriesBatch
from autoscaler.forecasting.path import EDGES_S, PathForecast, PathForecaster
from autoscaler.forecasting.path_experts import BASELINE, Lags

STEP_S = 900
DAY = 96
STEPS = 16 * DAY
FIRST = 1_800_003
END = FIRST + STEPS
FORECASTER = PathForecaster()


def _series() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    t = np.arange(STEPS)
    noisy = (200 + 150 * np.sin(2 * np.pi * t / DAY)) * rng.lognormal(0, 0.1, STEPS)
    return {
        "constant": np.full(STEPS, 42.0),
        "short": np.where(t < STEPS - 20, np.nan, 50.0 + t % 7),
        "gappy": np.where(rng.random(STEPS) < 0.4, np.nan, noisy),
        "outage": np.where((t > STEPS - 200) & (t < STEPS - 10), np.nan, noisy),
        "spiky": np.where(rng.random(STEPS) < 0.01, 5000.0, 20.0) + rng.random(STEPS),
        "seasonal": noisy,
        "zero": np.zeros(STEPS),
        "huge": 1e300 * rng.random(STEPS),
        "largest": np.where(t % 2 == 0, np.finfo(np.float64).max, 0.0),
        "tiny": np.full(STEPS, 5e-324),
        "unknown": np.full(STEPS, np.nan),
    }


SERIES = _series()
ALL = np.stack(list(SERIES.values()))


def _panel(raw: np.ndarray, first: int = FIRST, step_s: int = STEP_S) -> Panel:
    return Panel.of(SeriesBatch.judge(step_s, first, np.atleast_2d(raw)))


def _pinball(truth: np.ndarray, path: PathForecast) -> np.ndarray:
    """[step], mean over levels of row 0."""
    miss = truth[:, None] - path.quantiles[0]
    levels = np.array(path.levels)
    return np.maximum(levels * miss, (levels - 1) * miss).mean(axis=1)


@pytest.mark.parametrize("kind", SERIES)
@pytest.mark.parametrize("step_s", [60, 300, STEP_S, 3600, 86400])
def test_a_path_is_finite_or_unknown_rises_along_level_and_leaves_its_input(kind, step_s):
    panel = _panel(SERIES[kind].copy(), step_s=step_s)
    before = panel.values.copy()
    found = FORECASTER.path(panel, END)
    assert found.quantiles.shape == (1, 86400 // step_s, 3)
    assert not np.isinf(found.quantiles).any()
    np.testing.assert_array_equal(panel.values, before)
    np.testing.assert_array_equal(FORECASTER.path(panel, END).quantiles, found.quantiles)


def test_zero_stays_zero_a_constant_stays_and_nothing_known_says_nothing():
    found = FORECASTER.path(_panel(ALL), END).quantiles
    rows = dict(zip(SERIES, found, strict=True))
    np.testing.assert_array_equal(rows["zero"], 0.0)
    np.testing.assert_allclose(rows["constant"], 42.0)
    assert np.isnan(rows["unknown"]).all()
    assert np.isfinite(rows["seasonal"]).all()
    assert np.isfinite(rows["gappy"]).all()


def test_a_row_does_not_depend_on_the_others():
    many = np.concatenate([ALL, ALL[::-1], ALL])  # beyond one chunk of rows
    together = FORECASTER.path(_panel(many), END)
    for row, raw in enumerate(many):
        alone = FORECASTER.path(_panel(raw), END)
        np.testing.assert_array_equal(alone.quantiles[0], together.quantiles[row])
        if np.nan_to_num(raw).max() > 1e-300:  # losses of the smallest number there is are a matter of rounding
            np.testing.assert_array_equal(alone.weights[0], together.weights[row])


@pytest.mark.parametrize("step_s", [60, 300, STEP_S, 3600])
def test_nothing_at_or_after_the_origin_is_read(step_s):
    origin = END - 50
    honest = FORECASTER.path(_panel(ALL, step_s=step_s), origin)
    for future in (np.nan, 1e9, 0.0):
        bent = ALL.copy()
        bent[:, STEPS - 50 :] = future
        np.testing.assert_array_equal(FORECASTER.path(_panel(bent, step_s=step_s), origin).quantiles, honest.quantiles)


def test_past_origins_read_nothing_that_came_after_them():
    """A smoothed day before may not reach over its origin, or past errors would look better than those to come."""
    origins = np.array([END - 400, END - 200])
    ahead = np.arange(DAY)
    honest = Lags.of(_panel(SERIES["seasonal"]), origins, ahead)
    bent = SERIES["seasonal"].copy()
    bent[STEPS - 400 :] = 1e6
    later = replace(Lags.of(_panel(bent), origins, ahead), mean=honest.mean)  # a scale, of the whole window
    for name, expert in FORECASTER.experts.items():
        np.testing.assert_array_equal(expert(honest)[:, 0], expert(later)[:, 0], err_msg=name)
    usual = FORECASTER.experts["usual-day"]
    assert not np.array_equal(usual(honest)[:, 1], usual(later)[:, 1], equal_nan=True)


def test_older_history_than_it_states_makes_no_difference():
    needed = FORECASTER.history_steps(STEP_S)
    bent = ALL.copy()
    bent[:, : STEPS - needed] = 7e3
    np.testing.assert_array_equal(
        FORECASTER.path(_panel(bent), END).quantiles, FORECASTER.path(_panel(ALL), END).quantiles
    )


def test_lower_bounds_are_not_learned_from():
    raw = SERIES["seasonal"].copy()
    raw[STEPS - 40 :] = 3.0
    verdicts = np.zeros((1, STEPS), dtype=np.uint8)
    verdicts[0, STEPS - 40 :] = DataVerdict.PARTIAL
    marked = Panel(STEP_S, FIRST, raw[None], verdicts)
    unknown = raw.copy()
    unknown[STEPS - 40 :] = np.nan
    np.testing.assert_array_equal(
        FORECASTER.path(marked, END).quantiles, FORECASTER.path(_panel(unknown), END).quantiles
    )


def test_f01_half_a_day_of_history_says_the_next_hours_by_its_level_and_nothing_beyond():
    half_day = np.where(np.arange(STEPS) < STEPS - 720, np.nan, 30.0 + np.arange(STEPS) % 9)
    found = FORECASTER.path(_panel(half_day, step_s=60), END)
    known = np.isfinite(found.quantiles[0]).all(axis=1)
    assert known[:60].all()
    assert not known[420:].any()
    assert set(np.flatnonzero(found.weights[0].any(axis=0))) == {found.experts.index("last-level")}


def test_it_beats_seasonal_naive_by_day_where_the_level_moves_and_keeps_its_coverage():
    rng = np.random.default_rng(8)
    steps = 40 * DAY
    t = np.arange(steps)
    level = np.exp(np.cumsum(rng.normal(0, 0.02, steps)))
    raw = 100 * level * (1.5 + np.sin(2 * np.pi * t / DAY)) * rng.lognormal(0, 0.1, steps)
    panel, base = _panel(raw), PathForecaster(BASELINE)
    ours, theirs, below = [], [], []
    for origin in range(FIRST + 16 * DAY, FIRST + steps - DAY, 61):
        truth = raw[origin - FIRST : origin - FIRST + DAY]
        path = FORECASTER.path(panel, origin)
        ours.append(_pinball(truth, path))
        theirs.append(_pinball(truth, base.path(panel, origin)))
        below.append(truth[:, None] <= path.quantiles[0])
    mine, its = np.mean(ours, axis=0), np.mean(theirs, axis=0)
    for low, high in pairwise(EDGES_S):
        part = slice(low // STEP_S, max(high // STEP_S, 1))
        assert mine[part].mean() < its[part].mean() * (1.03 if high == EDGES_S[-1] else 0.95)
    assert mine[:4].mean() < 0.75 * its[:4].mean()
    np.testing.assert_allclose(np.mean(below, axis=(0, 1)), path.levels, atol=0.08)


def test_weights_are_shares_and_lean_on_the_level_soon_and_on_past_days_later():
    found = FORECASTER.path(_panel(SERIES["seasonal"]), END)
    np.testing.assert_allclose(found.weights.sum(axis=2), 1.0)
    last = found.experts.index("last-level")
    assert found.weights[0, -1, last] < 0.05
    steady = FORECASTER.path(_panel(100 + np.cumsum(np.random.default_rng(3).normal(0, 1.0, STEPS))), END)
    assert steady.weights[0, 0, last] > 0.2


@pytest.mark.parametrize(("step_s", "steps"), [(STEP_S, 0), (STEP_S, DAY + 1), (7, 10)])
def test_a_path_beyond_a_day_or_of_broken_days_is_refused(step_s, steps):
    with pytest.raises(ValueError, match="whole steps of a day"):
        FORECASTER.path(_panel(ALL, step_s=step_s), END, steps)


def test_f04_impossible_paths_cannot_be_made():
    good = np.array([[[1.0, 2.0]]])
    for bad in (good[:, :, ::-1], good * np.inf, -good, good[0]):
        with pytest.raises(ValueError, match=r"path|quantiles"):
            PathForecast(60, 0, (0.5, 0.9), bad, ("a",), np.zeros((1, 1, 1)))
