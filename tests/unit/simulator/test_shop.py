from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.series import step_at, time_of
from autoscaler.simulator.shop import LABEL, STARTS, ShopLoad, shop_events, shop_load, shop_window

WINDOW = shop_window()


@pytest.fixture(scope="module")
def whole() -> ShopLoad:
    return shop_load(WINDOW.first_step, WINDOW.end_step - WINDOW.first_step)


def test_window_is_eight_days_of_history_from_a_monday_then_seven_days() -> None:
    assert STARTS.weekday() == 0
    assert time_of(WINDOW.first_step, 60) == STARTS
    assert (WINDOW.week_step - WINDOW.first_step, WINDOW.end_step - WINDOW.week_step) == (8 * 1440, 7 * 1440)


def test_it_says_that_it_is_synthetic() -> None:
    assert "SYNTHETIC" in LABEL


@settings(max_examples=15, deadline=None)
@given(start=st.integers(0, 15 * 1440 - 1), steps=st.integers(1, 4000))
def test_a_cut_has_the_values_of_the_whole(start: int, steps: int) -> None:
    step = WINDOW.first_step + start
    cut = shop_load(step, steps)
    wider = shop_load(step - 777, steps + 1555)
    np.testing.assert_array_equal(cut.demand, wider.demand[777 : 777 + steps])
    np.testing.assert_array_equal(cut.seen, wider.seen[777 : 777 + steps])


def test_same_seed_same_load_other_seed_other_load(whole: ShopLoad) -> None:
    again = shop_load(WINDOW.first_step, 1440)
    other = shop_load(WINDOW.first_step, 1440, seed=8)
    np.testing.assert_array_equal(again.demand, whole.demand[:1440])
    assert (other.demand != again.demand).mean() > 0.99


def test_demand_is_always_known_and_seen_equals_it_where_observed(whole: ShopLoad) -> None:
    assert np.isfinite(whole.demand).all()
    assert (whole.demand > 0).all()
    known = ~np.isnan(whole.seen)
    np.testing.assert_array_equal(whole.seen[known], whole.demand[known])


def test_lost_scrapes_are_about_one_in_a_thousand(whole: ShopLoad) -> None:
    history = whole.seen[: 8 * 1440]
    assert 2 <= np.isnan(history).sum() <= 30


def test_outage_lasts_45_minutes_and_sits_on_a_morning_ramp(whole: ShopLoad) -> None:
    outage = next(e for e in whole.events if e.name == "metrics outage")
    first, end = outage.first_step - whole.first_step, outage.end_step - whole.first_step
    assert end - first == 45
    assert np.isnan(whole.seen[first:end]).all()
    assert whole.demand[end : end + 10].mean() > 1.25 * whole.demand[first - 10 : first].mean()


def test_campaign_lifts_the_evening_and_crowd_multiplies_within_five_minutes(whole: ShopLoad) -> None:
    campaign = next(e for e in whole.events if e.name == "campaign")
    at, week = campaign.first_step - whole.first_step, 7 * 1440
    middle = slice(at + 30, at + 150)
    before = slice(at + 30 - week, at + 150 - week)
    assert 1.6 < whole.demand[middle].mean() / whole.demand[before].mean() < 2.0
    assert campaign.end_step - campaign.first_step == 180

    crowd = next(e for e in whole.events if e.name == "flash crowd")
    at = crowd.first_step - whole.first_step
    quiet = whole.demand[at - 30 : at].mean()
    assert 3.0 < whole.demand[at + 5 : at + 8].mean() / quiet < 4.0
    assert whole.demand[at + 65 : at + 75].mean() / quiet < 1.4


def test_weekdays_have_two_humps_and_weekends_differ(whole: ShopLoad) -> None:
    hourly = whole.demand[: 7 * 1440].reshape(7, 24, 60).mean(axis=2)
    monday, sunday = hourly[0], hourly[6]
    assert monday[12] > monday[15] < monday[20]
    assert monday[20] > 4 * monday[3]
    assert abs(monday[15] - sunday[15]) > 0.1 * monday[15]


def test_events_of_a_cut_are_those_that_touch_it() -> None:
    outage, campaign, crowd = shop_events()
    assert outage.first_step < campaign.first_step < crowd.first_step
    assert shop_load(WINDOW.first_step, 1440).events == ()
    assert shop_load(campaign.first_step + 5, 3).events == (campaign,)
    assert step_at(datetime(2026, 6, 11, 18, tzinfo=UTC), 60) == campaign.first_step


def test_other_steps_keep_the_level(whole: ShopLoad) -> None:
    coarse = shop_load(shop_window(300).first_step, 288, step_s=300)
    assert coarse.demand.mean() == pytest.approx(whole.demand[:1440].mean(), rel=0.02)


@pytest.mark.parametrize("step_s", [0, -60, 7, 7200])
def test_steps_that_do_not_divide_an_hour_are_refused(step_s: int) -> None:
    with pytest.raises(ValueError, match="does not divide an hour"):
        shop_load(0, 10, step_s=step_s)


def test_an_empty_load_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        shop_load(0, 0)
