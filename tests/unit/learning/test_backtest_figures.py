"""Losses, coverage and their means: against values worked out by hand, and promises that hold for any data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.series import Panel, SeriesBatch
from autoscaler.learning.backtest.conformal import rolling_quantiles, trailing_means
from autoscaler.learning.backtest.figures import Figures, Scored, pinball, score, weighted_loss
from autoscaler.learning.backtest.plan import Plan
from autoscaler.learning.backtest.pooled import Measured, geometric_mean, pooled

HOUR = 3600


def _panel(values: np.ndarray, first: int = 0) -> Panel:
    return Panel.of(SeriesBatch.judge(HOUR, first, np.atleast_2d(values).copy()))


def test_pinball_by_hand():
    came = np.array([10.0, 10.0])
    quantile = np.array([[8.0, 12.0], [10.0, 20.0]])
    np.testing.assert_allclose(pinball(quantile, came, (0.5, 0.9)), [[1.0, 0.2], [0.0, 1.0]])
    loss = weighted_loss(quantile[None], came[None], np.ones((1, 2), dtype=bool), (0.5, 0.9))
    np.testing.assert_allclose(loss, [2 * 2.2 / (2 * 20)])


@given(st.lists(st.floats(0, 1e6), min_size=30, max_size=80), st.floats(0.05, 0.95))
def test_no_constant_beats_the_empirical_quantile(values, level):
    came = np.array(values)
    best = np.quantile(came, level, method="inverted_cdf")
    for other in (best * 0.9, best * 1.1, best + 1.0, float(came.mean())):
        mine, theirs = (pinball(np.full((len(came), 1), q), came, (level,)).sum() for q in (best, other))
        assert mine <= theirs * (1 + 1e-9) + 1e-6


def test_conformal_quantiles_cover_as_they_say():
    rng = np.random.default_rng(5)
    plan = Plan(HOUR, 0, 24 * 60, 24 * 10, 1, (0,), (0.5, 0.9, 0.95, 0.99))
    values = 100 * rng.lognormal(0, 0.4, 24 * 60)
    panel = _panel(values)
    point = np.full((1, len(plan.origins())), 90.0)
    peak = values[plan.origins()][None]
    found = rolling_quantiles(point, peak, trailing_means(panel, plan), plan, 0)
    covered = (values[plan.scored()][None, :, None] <= found).mean(axis=(0, 1))
    np.testing.assert_allclose(covered, plan.levels, atol=0.035)
    assert (np.diff(found, axis=2) >= 0).all()


def test_too_few_errors_give_no_quantile_of_that_level():
    plan = Plan(HOUR, 0, 24 * 3, 24, 1, (0,), (0.5, 0.99))
    values = np.linspace(1, 2, 72)
    found = rolling_quantiles(
        values[plan.origins()][None], values[plan.origins()][None], trailing_means(_panel(values), plan), plan, 0
    )
    assert np.isfinite(found[..., 0]).all()
    assert np.isnan(found[..., 1]).all()


def test_zero_demand_is_forecast_as_zero():
    plan = Plan(HOUR, 0, 24 * 6, 24 * 5, 1, (0,))
    zeros = np.zeros((1, len(plan.origins())))
    found = rolling_quantiles(zeros, zeros, trailing_means(_panel(np.zeros(144)), plan), plan, 0)
    assert (found == 0).all()


def test_a_quantile_that_lies_a_last_bit_below_covers():
    """As the mean of equal numbers does; a demand that is really above is not covered."""
    values = np.concatenate([np.full(48, 42.0), [42.0, 42.0, 42.00001, 42.0]])
    plan = Plan(HOUR, 0, 52, 48, 1, (0,), (0.5, 0.95))
    found = np.full((1, len(plan.scored()), 2), np.nextafter(42.0, 0.0))
    (figures,) = score({"day": found}, _panel(values), plan, 0, "day").figures["day"]
    assert figures is not None
    assert figures.peak_coverage == figures.step_coverage == (0.75, 0.75)


def test_figures_by_hand():
    """Two scored windows of two steps; quantiles .5 and .95; the day before was 4 lower in the warm-up."""
    values = np.concatenate([np.full(24, 6.0), np.full(24, 10.0), [10.0, 20.0, 8.0]])
    plan = Plan(HOUR, 0, 51, 48, 1, (1,), (0.5, 0.95))
    scored = plan.scored()
    assert scored.tolist() == [48, 49]
    ours = np.array([[[18.0, 20.0], [19.0, 19.0]]])
    base = np.full((1, 2, 2), 10.0)
    found = score({"ours": ours, "base": base}, _panel(values), plan, 1, "base")
    np.testing.assert_array_equal(found.peak, [[20.0, 20.0]])
    figures = found.figures["ours"][0]
    assert figures is not None
    assert figures.origins == 2
    assert figures.peak_coverage == (0.0, 0.5)
    assert figures.step_coverage == (0.5, 0.75)
    assert figures.loss == pytest.approx(2 * (1.0 + 0.0 + 0.5 + 0.95) / (2 * 40))
    assert figures.relative == pytest.approx((1.0 + 0.0 + 0.5 + 0.95) / (2 * (5 + 9.5)))
    assert figures.mase == pytest.approx(1.5 / _warm_error(values))
    assert figures.size == pytest.approx(19.5 / 20)


def _warm_error(values: np.ndarray) -> float:
    warm = np.arange(24, 47)  # windows of two steps that end before step 48 and have a day before them
    now = np.maximum(values[warm], values[warm + 1])
    before = np.maximum(values[warm - 24], values[warm - 23])
    return float(np.abs(now - before).mean())


def test_all_models_are_scored_on_the_same_origins_and_the_silent_take_none_away():
    values = np.arange(1.0, 101.0)
    plan = Plan(HOUR, 0, 100, 80, 1, (0,), (0.5,))
    count = len(plan.scored())
    full = np.full((1, count, 1), 90.0)
    partly = full.copy()
    partly[:, :5] = np.nan
    silent = np.full((1, count, 1), np.nan)
    silent[:, -3:] = 1.0
    found = score({"base": full, "partly": partly, "silent": silent}, _panel(values), plan, 0, "base")
    assert found.figures["silent"] == (None,)
    assert [_origins(found, name) for name in ("base", "partly")] == [count - 5, count - 5]


def test_a_peak_that_was_not_observed_is_not_scored():
    values = np.arange(1.0, 101.0)
    values[90:95] = np.nan
    plan = Plan(HOUR, 0, 100, 80, 1, (0,), (0.5,))
    found = score({"base": np.full((1, len(plan.scored()), 1), 5.0)}, _panel(values), plan, 0, "base")
    assert _origins(found, "base") == len(plan.scored()) - 5


def _origins(found: Scored, name: str) -> int:
    (figures,) = found.figures[name]
    assert figures is not None
    return figures.origins


def _figures(relative: float, loss: float) -> Figures:
    return Figures(10, loss, relative, 1.0, (0.5, 0.9), (0.6, 0.95), 1.2)


def test_every_source_weighs_the_same():
    ratios = [("a", 0.25)] * 9 + [("b", 1.0)]
    assert geometric_mean(ratios) == pytest.approx(0.5)
    assert geometric_mean([]) is None


def test_losses_stand_beside_wins():
    measured = [
        Measured("a", "one", {"ours": _figures(0.5, 1.0), "ets": _figures(0.8, 2.0)}),
        Measured("b", "two", {"ours": _figures(1.5, 4.0), "ets": _figures(0.9, 2.0)}),
        Measured("b", "three", {"ours": _figures(0.9, 1.0), "ets": None}),
    ]
    ets, ours = pooled(measured, "ets", "ours"), pooled(measured, "ours", "ours")
    assert (ets.series, ets.beats_baseline, ets.compared, ets.beats_us, ets.met) == (2, 2, 2, 1, 2)
    assert ets.against_us == pytest.approx((2.0 * 0.5) ** 0.5)
    assert (ours.beats_baseline, ours.compared, ours.beats_us) == (2, 3, 0)
    assert ours.peak_coverage == pytest.approx((0.5, 0.9))
    assert pooled(measured, "prophet", "ours").relative is None
