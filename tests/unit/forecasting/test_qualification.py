"""A model serves only while it errs less than seasonal-naive; the ladder says what a forecast rests on, till when."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from autoscaler.domain.forecast import PeakForecast
from autoscaler.domain.ladder import Rung, Standing, Why
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.conformal import Shift
from autoscaler.forecasting.contract import PeakForecaster
from autoscaler.forecasting.naive import DAY_S, LastValue, SeasonalNaive
from autoscaler.forecasting.qualification import Contest, Judged, naive_alone
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer, Rows

DAY = 1440
END = 20_000 * DAY
PLAN = CalibrationPlan()
RISK = np.array([0.005])


def _daily(days: float, seed: int = 0) -> Floats:
    t = np.arange(int(days * DAY))
    noise = np.random.default_rng(seed).lognormal(0, 0.05, len(t))
    return 100 * (1 + 0.6 * np.sin(2 * np.pi * (t - len(t)) / DAY)) * noise


def _served(values: Floats, models: tuple[PeakForecaster, ...], origin: int = END) -> tuple[PeakForecast, Standing]:
    panel = Panel(60, END - len(values), values[None], np.empty((0, 0), dtype=np.uint8))
    found = PeakServer(models, PLAN).forecast(panel, Rows.punctual(("shop/web",), np.array([5])), np.array([origin]))
    assert found.standing is not None
    return found, Standing.of(found.standing[0, 0])


@pytest.mark.parametrize(
    ("days", "rung"), [(0.02, Rung.REACTIVE), (0.5, Rung.HOURS), (3, Rung.DAY), (7.5, Rung.WEEK), (20, Rung.WEEK)]
)
def test_F01_the_rung_follows_the_history_and_the_next_one_has_a_date(days: float, rung: Rung) -> None:
    _, standing = _served(_daily(days), serving_models())
    assert standing.rung is rung
    if rung is Rung.WEEK:
        assert standing.next_at is None
        return
    assert standing.next_at is not None
    left_s = standing.next_at.timestamp() - END * 60
    expected_s = {
        Rung.REACTIVE: 7200 - days * 86400,
        Rung.HOURS: (26 / 24 - days) * 86400,
        Rung.DAY: (7 - days) * 86400,
    }
    assert expected_s[rung] - 7200 <= left_s <= expected_s[rung] + 3 * 7200


@pytest.mark.parametrize("days", [0.5, 3])
def test_F01_the_next_rung_is_reached_when_it_was_said(days: float) -> None:
    whole = _daily(9)
    start = len(whole) - int(9 * DAY)
    now = start + int(days * DAY)
    first = END - len(whole)

    def at(step: int) -> Standing:
        panel = Panel(60, first, whole[None], np.empty((0, 0), dtype=np.uint8))
        rows = Rows.punctual(("shop/web",), np.array([5]))
        found = PeakServer(serving_models()).forecast(panel, rows, np.array([step]))
        assert found.standing is not None
        return Standing.of(found.standing[0, 0])

    before = at(first + now)
    assert before.next_at is not None
    promised = int(before.next_at.timestamp()) // 60
    assert at(promised - 1).rung is before.rung
    assert at(promised).rung == before.rung + 1


def test_a_season_that_repeats_qualifies_and_says_by_how_much() -> None:
    _, standing = _served(_daily(12), serving_models())
    assert standing.why is Why.QUALIFIED
    assert standing.loss_ratio is not None
    assert 0 < standing.loss_ratio < 1
    assert standing.decision_ratio is not None
    assert 0 < standing.decision_ratio < 1


def test_before_a_past_day_nothing_is_compared() -> None:
    found, standing = _served(_daily(0.5), serving_models())
    assert found.present.all()
    assert (standing.why, standing.loss_ratio, standing.decision_ratio) == (Why.UNCOMPARED, None, None)


def test_what_loses_to_yesterday_gives_way_to_it() -> None:
    peak = np.tile([[100.0, 110.0]], (3, 50))
    near, far = peak + 5.0, peak + 20.0
    unknown = np.full_like(peak, np.nan)
    mean = np.full(3, 105.0)
    combined, naive = np.stack([near[0], far[0], far[0]]), np.stack([far[0], near[0], unknown[0]])
    ratio = Contest(combined, naive, peak, mean, 0.95, RISK, 10).loss_ratio(24)
    np.testing.assert_allclose(ratio, [0.25, 4.0, np.inf], rtol=1e-6)
    shift = Shift(mean, np.full((3, 3), 0.1))
    weights, moved = naive_alone(np.array([[1.0] * 3, [0.5] * 3]), shift, 1, np.isfinite(ratio) & (ratio > 1))
    np.testing.assert_allclose(weights, [[1, 1e-9, 1], [0.5, 1, 0.5]])
    np.testing.assert_array_equal(moved.offsets[:, 0], [0.1, 0.0, 0.1])


def test_losses_that_are_both_nothing_are_a_draw_and_too_few_samples_no_contest() -> None:
    peak, mean = np.full((1, 30), 100.0), np.array([100.0])
    assert Contest(peak, peak, peak, mean, 0.95, RISK, 10).loss_ratio(24)[0] == 1
    assert Contest(peak, peak, peak, mean, 0.95, RISK, 10).loss_ratio(31)[0] == np.inf
    nothing = np.zeros((1, 30))
    assert Contest(nothing, nothing, nothing, np.zeros(1), 0.95, RISK, 10).loss_ratio(24)[0] == 1


def _close_but_blind(days_with_peaks: int) -> tuple[Judged, float]:
    """A week at 100, with eight peaks of 200 on some of its days: the experts are close, and foresee none of them;
    the other is six percent off, evenly.
    """
    peak = np.full((7, 100), 100.0)
    peak[:days_with_peaks, ::12] = 200.0
    peak = peak.reshape(1, -1)
    combined, naive = np.full_like(peak, 101.0), peak * np.where(np.arange(700) % 2, 1.06, 0.94)
    contest = Contest(combined, naive, peak, peak.mean(axis=1), 0.5, RISK, 100)
    judged = Judged(contest.loss_ratio(24), *contest.decision(24))
    return judged, float(judged.decision_ratio[0])


def test_what_errs_less_but_plans_dearer_gives_way_too() -> None:
    judged, ratio = _close_but_blind(7)
    assert judged.loss_ratio[0] != 1
    assert ratio > 1
    assert judged.beaten.tolist() == [True]


def test_one_bad_day_is_no_proof_of_dearer_plans() -> None:
    """Else an incident would hand a week to yesterday, which cost three to six times as much of what followed."""
    judged, ratio = _close_but_blind(1)
    assert judged.loss_ratio[0] < 1 < ratio
    assert judged.beaten.tolist() == [False]


def test_where_nothing_was_compared_nobody_is_beaten() -> None:
    assert Judged.nobody(2).beaten.tolist() == [False, False]


def test_F04_nobody_qualifies_where_no_model_can_be_calibrated(make_panel: Callable[..., Panel]) -> None:
    found, standing = _served(np.zeros(5 * DAY), serving_models())
    assert not found.present.any()
    assert (standing.rung, standing.why) == (Rung.REACTIVE, Why.NONE_QUALIFIED)


def test_a_forecast_that_falls_silent_says_so() -> None:
    values = _daily(9)
    values[-DAY - 200 : -DAY + 200] = np.nan
    values[-200:] = np.nan
    models = (LastValue(), SeasonalNaive(DAY_S, "day"))
    found, standing = _served(values, models)
    assert not found.present.any()
    assert (standing.rung, standing.why) == (Rung.REACTIVE, Why.NOTHING_RECENT)


@dataclass(frozen=True)
class Spoiled:
    """Yesterday, but from `first` to `end` with noise of its own on top."""

    first: int
    end: int
    name: str = "spoiled"

    def history_steps(self, step_s: int) -> int:
        return DAY_S // step_s

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        good = SeasonalNaive(DAY_S, "day").peaks(panel, origins, lead)
        noise = 1 + 0.12 * np.sin(origins * 12.9898) * np.cos(origins * 78.233)
        return np.where((origins >= self.first) & (origins < self.end), good * noise, good)


def test_F06_what_errs_more_than_yesterday_is_demoted_and_comes_back_after_recovery() -> None:
    values = _daily(30)
    first = END - len(values)
    models = (SeasonalNaive(DAY_S, "day"), Spoiled(first + 10 * DAY, first + 15 * DAY))
    panel = Panel(60, first, values[None], np.empty((0, 0), dtype=np.uint8))
    rows = Rows.punctual(("shop/web",), np.array([5]))
    server, alone = PeakServer(models), PeakServer(models[:1])
    told: dict[int, Why] = {}
    for day in (9, 14, 18, 24):
        origin = np.array([first + day * DAY])
        found = server.forecast(panel, rows, origin)
        assert found.standing is not None
        standing = Standing.of(found.standing[0, 0])
        told[day] = standing.why
        if standing.why is Why.BASELINE:
            np.testing.assert_allclose(found.quantiles, alone.forecast(panel, rows, origin).quantiles, rtol=1e-3)
            assert found.models[int(found.model[0, 0])] == "seasonal-naive-day"
    assert told == {9: Why.QUALIFIED, 14: Why.BASELINE, 18: Why.BASELINE, 24: Why.QUALIFIED}
