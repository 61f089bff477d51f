"""A mean of experts is judged, where errors are few, by errors that it was not weighed by: its coverage is nominal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.averaging import averaged, weights_of
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.learned import Experts, _Said
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer, Rows

HOUR_S, WEEK = 3600, 168
PLAN = CalibrationPlan()
IN_SAMPLE = replace(PLAN, apart_below=0)


@dataclass(frozen=True, slots=True)
class Guess:
    """A level with a noise of its own at each step: no guess is better than another, but by luck."""

    seed: int

    @property
    def name(self) -> str:
        return f"guess-{self.seed}"

    def history_steps(self, step_s: int) -> int:
        return 1

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        noise = [np.random.default_rng((self.seed, int(u))).lognormal(0, 0.25, panel.rows) for u in origins]
        return 100 * np.stack(noise, axis=1)


def coverage(plan: CalibrationPlan, rows: int = 48, hours: int = 60) -> Floats:
    """[level], share of peaks of independent hours that stay within the quantiles of six guesses."""
    values = 100 * np.random.default_rng(5).lognormal(0, 0.25, (rows, WEEK + hours + 24))
    panel = Panel(HOUR_S, 0, values, np.empty((0, 0), dtype=np.uint8))
    asked = Rows.punctual([f"w{k}" for k in range(rows)], np.zeros(rows, dtype=np.int64))
    origins = np.arange(WEEK + 24, WEEK + 24 + hours, dtype=np.int64)
    server = PeakServer(tuple(Guess(k) for k in range(6)), plan)
    quantiles = server.forecast(panel, asked, origins).quantiles
    assert np.isfinite(quantiles).all()
    return np.asarray((values[:, origins, None] <= quantiles).mean(axis=(0, 1)))


def test_luck_of_the_week_does_not_narrow_the_quantiles() -> None:
    apart, in_sample = coverage(PLAN), coverage(IN_SAMPLE)
    nominal = np.array([0.9, 0.95])
    assert (np.abs(apart[1:] - nominal) < 0.01).all()
    assert (in_sample[1:] < apart[1:]).all()


def said_of(rng: np.random.Generator, rows: int, samples: int, models: int) -> _Said:
    points = tuple(rng.gamma(4.0, 25.0, (rows, samples)) for _ in range(models))
    return _Said(points, points, 1, np.full(rows, 100.0))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), day=st.integers(0, 6), gap=st.floats(0, 0.5))
def test_what_came_on_a_day_does_not_move_the_weights_of_that_day_and_does_move_others(
    seed: int, day: int, gap: float
) -> None:
    rng = np.random.default_rng(seed)
    said, experts = said_of(rng, 3, WEEK, 3), Experts(("a", "b", "c"), ((0, 1), (1, 1), (2, 1)), (0.5, 0.9, 0.95), 1)
    peak = rng.gamma(4.0, 25.0, (3, WEEK))
    peak[rng.random(peak.shape) < gap] = np.nan
    other = peak.copy()
    here = slice(24 * day, 24 * day + 24)
    other[:, here] = rng.gamma(4.0, 250.0, (3, 24))
    whole = [
        weights_of(np.stack([c.loss for c in said.calibrated(p, p, experts, PLAN)]), said.mean) for p in (peak, other)
    ]
    one, two = (said.weights_apart(w, (p, p), experts, PLAN) for w, p in zip(whole, (peak, other), strict=True))
    np.testing.assert_array_equal(one[:, :, here], two[:, :, here])
    assert (one != two).any()


def test_where_the_other_days_are_too_few_the_weights_of_all_days_stand() -> None:
    rng = np.random.default_rng(0)
    said, experts = said_of(rng, 2, WEEK, 2), Experts(("a", "b"), ((0, 1), (1, 1)), (0.5, 0.9, 0.95), 1)
    peak = rng.gamma(4.0, 25.0, (2, WEEK))
    peak[0, 24:] = np.nan  # one day alone is known
    weights = weights_of(np.stack([c.loss for c in said.calibrated(peak, peak, experts, PLAN)]), said.mean)
    found = said.weights_apart(weights, (peak, peak), experts, PLAN)
    np.testing.assert_array_equal(found[:, 0, :24], np.repeat(weights[:, 0, None], 24, axis=1))
    assert (found[:, 1] != weights[:, 1, None]).any()


@pytest.mark.parametrize(("step_s", "differs"), [(300, False), (900, True)])
def test_grids_with_many_samples_learn_by_all_days_at_once(step_s: int, *, differs: bool) -> None:
    day = 86400 // step_s
    values = np.random.default_rng(2).gamma(4.0, 25.0, (2, 16 * day))
    panel = Panel(step_s, 0, values, np.empty((0, 0), dtype=np.uint8))
    rows, origins = Rows.punctual(["a", "b"], np.array([1, 1])), np.array([16 * day - 1])
    one, two = (
        PeakServer(serving_models(), plan).forecast(panel, rows, origins).quantiles for plan in (PLAN, IN_SAMPLE)
    )
    assert bool((one != two).any()) is differs


def test_weights_may_differ_by_origin() -> None:
    answers = [np.full((1, 2, 1), 10.0), np.full((1, 2, 1), 20.0)]
    weights = np.array([[[1.0, 0.25]], [[0.0, 0.75]]])
    mean, heaviest = averaged(answers, weights, (1, 2), 1)
    np.testing.assert_allclose(mean[0, :, 0], [10.0, 17.5])
    assert heaviest.tolist() == [[0, 1]]
