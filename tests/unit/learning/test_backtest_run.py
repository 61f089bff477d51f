"""Rolling-origin backtests: nothing after an origin matters to its quantiles, and one model's failure is its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.series import Floats, Panel, SeriesBatch
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.contract import observed_peaks
from autoscaler.learning.backtest.candidates import Alone, Candidate, Engine
from autoscaler.learning.backtest.paths import PathJob, path_peaks
from autoscaler.learning.backtest.plan import LEVELS, Plan, errors_needed, levels_for, library_step, spacing
from autoscaler.learning.backtest.references import absent
from autoscaler.learning.backtest.run import BASELINE, Asked, Effort, backtest
from autoscaler.learning.process import Limits

STEP_S = 1800
DAY = 48
DAYS = 9
FIRST = 1_000_003
PLAN = Plan(STEP_S, FIRST, FIRST + DAYS * DAY, FIRST + 5 * DAY, 1, (1, 3), (0.5, 0.9, 0.95))
HOUSE: tuple[Candidate, ...] = (
    Engine(serving_models(), ("shop/a", "shop/b")),
    *(Alone(model) for model in serving_models()),
)


def demand(seed: int = 3, days: int = DAYS) -> Floats:
    rng = np.random.default_rng(seed)
    t = np.arange(days * DAY)
    base = np.stack([200 + 150 * np.sin(2 * np.pi * t / DAY), np.full(len(t), 40.0)])
    return base * rng.lognormal(0, 0.1, base.shape)


def panel_of(values: Floats, first: int = FIRST) -> Panel:
    return Panel.of(SeriesBatch.judge(STEP_S, first, values.copy()))


def test_every_model_has_figures_at_every_lead():
    found = backtest(panel_of(demand()), PLAN, Asked(HOUSE))
    assert [h.lead for h in found.horizons] == [1, 3]
    scored = len(PLAN.scored())
    for horizon in found.horizons:
        for name in ("foresail", "recent-mean", BASELINE):
            for figures in horizon.scored.figures[name]:
                assert figures is not None
                assert scored * 0.8 < figures.origins <= scored
        baseline = horizon.scored.figures[BASELINE][0]
        assert baseline is not None
        assert baseline.relative == 1.0
    assert {name for _, name in found.lost} <= {"seasonal-naive-week", "seasonal-difference-week"}, found.lost


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(cut=st.integers(5 * DAY + 10, DAYS * DAY - 10), seed=st.integers(0, 1000))
def test_the_future_of_an_origin_does_not_matter_to_it(cut, seed):
    before = demand()
    after = before.copy()
    after[:, cut:] = np.random.default_rng(seed).uniform(0, 5000, after[:, cut:].shape)
    origins = PLAN.scored()
    upto = origins <= FIRST + cut
    for each in HOUSE:
        first = each.quantiles(panel_of(before), PLAN, 1)
        second = each.quantiles(panel_of(after), PLAN, 1)
        np.testing.assert_array_equal(first[:, upto], second[:, upto], err_msg=each.name)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["ets", "theta", "ucm", "prophet"])
def test_no_library_sees_what_comes_after_an_origin(model):
    if (why := absent(model)) is not None:
        pytest.skip(why)
    before = demand()[0]
    cut = 6 * DAY + 5
    after = before.copy()
    after[cut:] *= 7
    plan = Plan(STEP_S, FIRST, FIRST + 7 * DAY, FIRST + 5 * DAY, 4, (1,))
    plan = replace(plan, end_step=FIRST + 8 * DAY)  # a day more: Prophet takes in nothing between its daily fits
    first, second = (path_peaks(PathJob(model, values[: 8 * DAY], plan)) for values in (before, after))
    upto = plan.origins() <= FIRST + cut
    np.testing.assert_array_equal(first[:, upto], second[:, upto])
    assert np.isfinite(first[:, plan.origins() >= PLAN.scored_step]).all()
    assert not np.array_equal(first[:, ~upto], second[:, ~upto], equal_nan=True)


def test_a_library_that_knows_the_season_beats_the_last_value_at_six_hours():
    values = demand()[:1]
    lead = 12
    plan = Plan(STEP_S, FIRST, PLAN.end_step, PLAN.scored_step, 4, (lead,), (0.5, 0.9))
    peak = observed_peaks(panel_of(values), plan.origins(), lead, plan.end_step)
    last = serving_models()[0].peaks(panel_of(values), plan.origins(), lead)
    late = plan.origins() >= plan.scored_step
    for model in ("ets", "theta"):
        point = path_peaks(PathJob(model, values[0], plan))
        assert np.nanmean(np.abs(point - peak)[:, late]) < 0.7 * np.nanmean(np.abs(last - peak)[:, late]), model


@pytest.mark.parametrize("values", [np.zeros(DAYS * DAY), np.full(DAYS * DAY, 7.0), np.full(DAYS * DAY, np.nan)])
def test_a_flat_or_absent_series_gives_numbers_or_nothing(values):
    plan = Plan(STEP_S, FIRST, PLAN.end_step, PLAN.scored_step, 8, (1,), (0.5,))
    for model in ("ets", "theta"):
        point = path_peaks(PathJob(model, values, plan))
        assert np.isnan(point).all() or np.allclose(point[:, -5:], values[0], atol=1e-3), model


def test_gaps_are_filled_from_the_past_alone():
    from autoscaler.learning.backtest.paths import coarse, filled

    points = np.array([np.nan, 1.0, 2.0, np.nan, np.nan, 5.0])
    np.testing.assert_array_equal(filled(points, 2), [np.nan, 1.0, 2.0, 1.0, 2.0, 5.0])
    np.testing.assert_array_equal(filled(np.array([3.0, np.nan, np.nan]), 5), [3.0, 3.0, 3.0])
    steps = np.array([1.0, 3.0, np.nan, 4.0, np.nan, np.nan, 7.0])
    np.testing.assert_array_equal(coarse(steps, 2), [2.0, np.nan, np.nan])
    np.testing.assert_array_equal(coarse(np.array([1.0, np.nan, 3.0]), 3), [2.0])


class Broken:
    name = "broken"

    def history_steps(self, step_s):
        return 1

    def peaks(self, panel, origins, lead):
        raise ZeroDivisionError("nothing to divide")


def test_a_model_that_raises_costs_its_own_figures():
    found = backtest(panel_of(demand()), PLAN, Asked((Alone(Broken()), *HOUSE[1:2])))
    assert found.lost[0, "broken"] == "raised ZeroDivisionError: nothing to divide"
    assert found.horizons[0].scored.figures["broken"] == (None, None)
    assert found.horizons[0].scored.figures["recent-mean"][0] is not None


@pytest.mark.slow
def test_f05_a_fit_beyond_its_limits_costs_its_own_cell():
    """F05: a fit that overruns its slot; everything else has its figures."""
    effort = Effort(Limits(seconds=0.02, memory_bytes=1 << 30))
    found = backtest(panel_of(demand()), PLAN, Asked(HOUSE[:2], ("theta",)), effort)
    assert set(found.lost) == {(row, "theta") for row in range(2)}
    assert all("did not end in time" in why and "limits: 0.02 s" in why for why in found.lost.values())
    assert found.horizons[0].scored.figures["foresail"][0] is not None


@pytest.mark.slow
def test_libraries_stand_beside_us_in_processes_of_their_own():
    told: list[float] = []
    plan = Plan(STEP_S, FIRST, PLAN.end_step, PLAN.scored_step, 2, (1,), (0.5, 0.9))
    found = backtest(
        panel_of(demand()), plan, Asked(HOUSE[:1], ("ets", "theta")), Effort(workers=2), lambda _, s: told.append(s)
    )
    assert found.lost == {}
    assert told == sorted(told)
    assert told[-1] == 1.0
    for name in ("ets", "theta"):
        figures = found.horizons[0].scored.figures[name][0]
        assert figures is not None
        assert figures.relative is not None
        assert figures.relative < 1.1


def test_a_row_that_is_never_observed_has_no_figures_and_says_so():
    values = demand()
    values[1] = np.nan
    found = backtest(panel_of(values), PLAN, Asked(HOUSE[:1]))
    assert found.horizons[0].scored.figures["foresail"][1] is None
    assert found.lost[1, "foresail"] == "answered 0 of 0 scored origins"


def test_lower_bounds_are_never_the_peak_that_came():
    values = demand()[:1]
    batch = SeriesBatch.judge(STEP_S, FIRST, values.copy())
    verdicts = batch.verdicts.copy()
    verdicts[:, 6 * DAY : 7 * DAY] = 1  # partial: true demand may be higher
    marked = Panel.of(SeriesBatch(STEP_S, FIRST, batch.values, verdicts))
    peak = backtest(marked, PLAN, Asked(HOUSE[1:2])).horizons[0].scored.peak[0]
    inside = (PLAN.scored() >= FIRST + 6 * DAY) & (PLAN.scored() + 1 < FIRST + 7 * DAY)
    assert np.isnan(peak[inside]).all()
    assert not np.isnan(peak[~inside]).all()


@pytest.mark.parametrize(
    "change",
    [
        {"leads": ()},
        {"leads": (3, 1)},
        {"levels": (0.9, 0.5)},
        {"levels": (0.5, 1.0)},
        {"every": 0},
        {"scored_step": FIRST - 1},
    ],
)
def test_a_plan_is_valid_or_is_none(change):
    with pytest.raises(ValueError):
        replace(PLAN, **change)


def test_origins_do_not_move_with_the_end_of_the_record():
    longer = Plan(STEP_S, FIRST, PLAN.end_step + 31, PLAN.scored_step, 4, (3,))
    shorter = Plan(STEP_S, FIRST, PLAN.end_step, PLAN.scored_step, 4, (3,))
    assert set(shorter.origins()) < set(longer.origins())
    assert (longer.origins() % 4 == 0).all()
    assert longer.origins()[-1] + 3 < longer.end_step


@pytest.mark.parametrize(
    ("step_s", "expected"), [(10, 300), (60, 300), (300, 300), (900, 900), (3600, 3600), (420, None), (86400, None)]
)
def test_libraries_get_steps_that_divide_a_day(step_s, expected):
    assert library_step(step_s) == expected


def test_a_short_warm_up_has_closer_origins_and_fewer_levels():
    assert spacing(60, 14 * 1440, LEVELS) == 60
    close = spacing(60, int(2.5 * 1440), LEVELS)
    assert close < 60
    assert levels_for(60, int(2.5 * 1440), close, 3) == LEVELS
    assert levels_for(3600, 48, 1, 1) == (0.5, 0.9, 0.95)
    assert [errors_needed(level) for level in LEVELS] == [1, 9, 19, 99]
