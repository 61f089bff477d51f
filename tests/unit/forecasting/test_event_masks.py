"""Events of the calendar teach nothing of usual days, and what owners exclude teaches nothing at all (FAULTS F08)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.calendar import Once
from autoscaler.domain.season import Season
from autoscaler.domain.series import Floats, Panel
from autoscaler.forecasting.catalogue import SEASONAL, serving_models
from autoscaler.forecasting.contract import PeakForecaster
from autoscaler.forecasting.local_seasons import BySeason, grouped
from autoscaler.forecasting.naive import DAY_S, REACH, SeasonalNaive
from autoscaler.forecasting.serving import PeakServer, Rows

STEP_S, DAY, LEAD = 300, 288, 2
START = 20_000 * DAY
EVENT = (10 * DAY + 120, 10 * DAY + 150)  # on the eleventh day, from ten till half past twelve
Models = tuple[PeakForecaster, ...]
EVERY = serving_models()
BY_DAY = tuple(m for m in EVERY if m.name == "seasonal-naive-day")
WINDOW = Once(float((START + EVENT[0]) * STEP_S), float((START + EVENT[1]) * STEP_S))


def load(days: int = 20, seed: int = 0) -> Floats:
    t = np.arange(days * DAY)
    return 100 * (1 + 0.5 * np.sin(2 * np.pi * t / DAY)) * np.random.default_rng(seed).lognormal(0, 0.03, len(t))


def with_event(values: Floats, factor: float = 4.0) -> Floats:
    out = values.copy()
    out[EVENT[0] : EVENT[1]] *= factor
    return out


def panel_of(*rows: Floats) -> Panel:
    return Panel(STEP_S, START, np.stack(rows), np.empty((0, 0), dtype=np.uint8))


def served(panel: Panel, begin: int, end: int, *seasons: Season | None, models: Models = EVERY) -> Floats:
    leads, none = np.full(panel.rows, LEAD), np.zeros(panel.rows, dtype=np.int64)
    rows = Rows(tuple("abcd"[: panel.rows]), leads, none, None, seasons)
    return PeakServer(models).forecast(panel, rows, np.arange(START + begin, START + end)).quantiles


@pytest.mark.parametrize("model", [m for m in serving_models() if m.name in SEASONAL], ids=lambda m: m.name)
def test_F08_an_event_is_unknown_once_it_is_over_and_there_until_then(model: PeakForecaster) -> None:
    values = with_event(load())
    panel, asked = panel_of(values), BySeason(model, grouped([Season(None, (WINDOW,))]))
    origins = np.arange(START + 9 * DAY, START + 19 * DAY, dtype=np.int64)
    found, plain = asked.peaks(panel, origins, LEAD)[0], model.peaks(panel, origins, LEAD)[0]
    hidden = values.copy()
    hidden[EVENT[0] : EVENT[1]] = np.nan
    blind = model.peaks(panel_of(hidden), origins, LEAD)[0]
    over = origins - START >= EVENT[1] + REACH
    np.testing.assert_array_equal(found[over], blind[over])
    np.testing.assert_array_equal(found[~over], plain[~over])
    assert (found[over] != plain[over]).any()


def test_F08_the_same_hour_of_the_next_day_is_not_planned_for_the_event_again() -> None:
    """Yesterday's event by yesterday alone: planned for once more, or left to what else there is."""
    calm = load()
    noisy = with_event(calm)
    begin, end = EVENT[0] + DAY, EVENT[1] + DAY - LEAD
    untold = served(panel_of(noisy), begin, end, None, models=BY_DAY)[0, :, 0]
    told = served(panel_of(noisy), begin, end, Season(None, (WINDOW,)), models=BY_DAY)[0, :, 0]
    assert (untold > 2.5 * calm[begin:end]).all()
    assert np.isnan(told).all()
    season = Season(None, (WINDOW,))
    both, never = (served(panel_of(row), begin, end, season)[0, :, 0] for row in (noisy, calm))
    np.testing.assert_allclose(both, never, rtol=0.06)


def test_F08_the_errors_of_an_event_stay_where_they_count() -> None:
    """Shortages happen there: only what owners exclude is taken out of the errors that are learned."""
    calm = load()
    noisy = with_event(calm)
    begin, end = EVENT[1] + 2 * DAY, EVENT[1] + 3 * DAY
    event, excluded = Season(None, (WINDOW,)), Season(None, (), (WINDOW,))
    width = {}
    for name, row, season in (("calm", calm, None), ("event", noisy, event), ("excluded", noisy, excluded)):
        quantiles = served(panel_of(row), begin, end, season)[0]
        width[name] = float((quantiles[:, -1] / quantiles[:, 0]).mean())
    assert width["excluded"] == pytest.approx(width["calm"], rel=0.02)
    assert width["event"] > width["excluded"]


def test_F08_what_is_excluded_is_as_if_it_had_not_been_observed() -> None:
    noisy = with_event(load())
    hidden = noisy.copy()
    hidden[EVENT[0] : EVENT[1]] = np.nan
    for begin, end in ((EVENT[0] - 10, EVENT[1] + 30), (EVENT[0] + DAY, EVENT[1] + DAY)):
        excluded = served(panel_of(noisy), begin, end, Season(None, (), (WINDOW,)))
        np.testing.assert_array_equal(excluded, served(panel_of(hidden), begin, end, None))


def test_rows_without_a_window_are_as_before() -> None:
    noisy = with_event(load())
    begin, end = EVENT[0] + DAY, EVENT[1] + DAY
    both = served(panel_of(noisy, noisy, noisy), begin, end, Season(None, (WINDOW,)), None, Season(None, (), (WINDOW,)))
    alone = served(panel_of(noisy, noisy, noisy), begin, end, None, None, None)
    np.testing.assert_array_equal(both[1], alone[1])
    assert (both[0] != alone[0]).any()
    assert (both[2] != alone[2]).any()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_blocks_and_single_origins_agree(seed: int) -> None:
    """With events and a change of the clock at once; the future is not seen."""
    rng = np.random.default_rng(seed)
    change = 1_774_746_000 // STEP_S  # 29 March 2026, Europe/Berlin
    first = change - 9 * DAY
    values = rng.gamma(3.0, 10.0, (2, 20 * DAY))
    values[rng.random(values.shape) < 0.05] = np.nan
    starts = [float((first + int(k)) * STEP_S) for k in rng.integers(0, 19 * DAY, 3)]
    season = Season("Europe/Berlin", tuple(Once(s, s + float(rng.integers(1, 40_000))) for s in starts))
    model = [m for m in serving_models() if m.name in SEASONAL][int(rng.integers(0, 4))]
    asked = BySeason(model, grouped([season, None]))
    begin = first + 8 * DAY + int(rng.integers(0, 3 * DAY))
    origins = np.arange(begin, begin + 40, dtype=np.int64)

    def panel(shown: Floats) -> Panel:
        return Panel(STEP_S, first, shown, np.empty((0, 0), dtype=np.uint8))

    block = asked.peaks(panel(values), origins, LEAD)
    for k in (0, 11, 39):
        cut = values.copy()
        cut[:, origins[k] - first :] = 1e9
        np.testing.assert_array_equal(block[:, k], asked.peaks(panel(cut), origins[k : k + 1], LEAD)[:, 0])


def test_an_event_that_lasts_for_days_leaves_the_last_steps_to_the_present() -> None:
    values = load()
    long = Once(float((START + 5 * DAY) * STEP_S), float((START + 12 * DAY) * STEP_S))
    asked = BySeason(SeasonalNaive(DAY_S, "day"), grouped([Season(None, (long,))]))
    origins = np.arange(START + 8 * DAY, START + 14 * DAY, dtype=np.int64)
    found = asked.peaks(panel_of(values), origins, 0)[0]
    plain = SeasonalNaive(DAY_S, "day").peaks(panel_of(values), origins, 0)[0]
    during = origins < START + 12 * DAY + REACH
    np.testing.assert_array_equal(found[during], plain[during])
    assert np.isnan(found[~during][: DAY - REACH]).all()
    np.testing.assert_array_equal(found[~during][DAY:], plain[~during][DAY:])
