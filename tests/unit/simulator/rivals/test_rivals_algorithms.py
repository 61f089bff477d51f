"""Each algorithm against its published description, in cases small enough to work by hand."""

import numpy as np
import pytest

from autoscaler.simulator.rivals import World
from autoscaler.simulator.rivals.crane import CraneDsp, found_period, fundamental_period, largest_cycle
from autoscaler.simulator.rivals.floored import AwsHourly, KedaCron, SameTime, by_day, column_quantile
from autoscaler.simulator.rivals.phpa import HoltWinters, PhpaHoltWinters, PhpaLinear, at_search_time
from autoscaler.simulator.rivals.simple import FIXED, SeasonalNaive, Static, TrailingMax

MONDAY = 4 * 24  # 1970-01-05 in hours


def hourly(**changes) -> World:
    return World(**({"step_s": 3600, "first_step": MONDAY, "capacity": 10.0, "lead_steps": 1} | changes))


def minutes(**changes) -> World:
    return World(**({"step_s": 60, "first_step": MONDAY * 60, "capacity": 10.0, "lead_steps": 2} | changes))


def test_static_and_its_ladder():
    assert Static((2.0, 7.0)).requested(np.ones(3), hourly()).tolist() == [[2] * 3, [7] * 3]
    assert FIXED[:25] == tuple(range(1, 26))
    assert len(set(FIXED)) == len(FIXED)
    assert FIXED[-1] > 2000


def test_a_trailing_maximum_of_completed_steps():
    seen = np.array([10.0, 90, 10, np.nan, 10, 10, 10])
    asked = TrailingMax(180, (1.0, 0.5)).requested(seen, hourly())
    assert asked.tolist() == [[1, 1, 9, 9, 9, 1, 1], [1, 2, 18, 18, 18, 2, 2]]


def test_seasonal_naive_takes_the_larger_of_now_and_yesterdays_window():
    seen = np.full(48, 10.0)
    seen[5], seen[30] = 80, 60
    asked = SeasonalNaive(knobs=(1.0,)).requested(seen, hourly())[0]
    assert np.flatnonzero(asked > 1).tolist() == [6, 28, 29, 31]  # now; a lead before; in time; now
    assert asked[[6, 28, 29, 31]].tolist() == [8, 8, 8, 6]


def test_the_same_time_on_past_days():
    days = [10.0, 20, 30, 40, 50]
    seen = np.repeat(days, 24)
    asked = SameTime(quantile=0.5, days=3, knobs=(1.0,)).requested(seen, hourly(lead_steps=0))[0]
    # At noon of the fifth day: median of 20, 30, 40 is 30, now is 50.
    assert asked[4 * 24 + 12] == 5
    assert asked[4 * 24] == 4  # what is known is still the fourth day's last hour
    seen[4 * 24 :] = 1
    asked = SameTime(quantile=0.5, days=3, knobs=(1.0,)).requested(seen, hourly(lead_steps=0))[0]
    assert asked[4 * 24 + 12] == 3


def test_quantiles_of_columns_leave_out_what_is_not_known():
    rows = np.array([[1.0, np.nan, np.nan], [3, 8, np.nan], [2, 4, np.nan]])
    assert np.array_equal(column_quantile(rows, 0.75), [2.5, 7, np.nan], equal_nan=True)


def test_aws_floors_of_hour_means_and_maxima_open_a_buffer_early():
    seen = np.full(2 * 1440, 10.0)
    seen[600:660] = np.tile([40.0, 80.0], 30)  # ten to eleven on the first day
    for rival, usual in ((AwsHourly("mean"), 60.0), (AwsHourly("max"), 80.0)):
        forecast = rival.forecast(seen, minutes())
        assert np.isnan(forecast[: 1440 - 5]).all()  # the first day has none before it but for the buffer
        assert (forecast[1440 : 1440 + 595] == 10).all()
        assert (forecast[1440 + 595 : 1440 + 660] == usual).all()  # SchedulingBufferTime 300 s
        assert (forecast[1440 + 660 :] == 10).all()
    slow = AwsHourly("max").forecast(seen, minutes(lead_steps=20))
    assert slow[1440 + 580] == 80


def test_aws_floors_are_means_over_days_and_never_scale_in():
    seen = np.concatenate((np.full(1440, 20.0), np.full(1440, 40.0), np.full(1440, 90.0)))
    assert AwsHourly("max").forecast(seen, minutes())[2 * 1440 + 5] == 30
    asked = AwsHourly("max", knobs=(1.0,)).requested(seen, minutes())[0]
    assert asked[2 * 1440 + 60 :].min() >= 9


def test_keda_cron_learns_hours_of_workdays_and_weekends_apart():
    week = np.full((8, 24), 10.0)
    week[:5, 9] = 70  # Monday to Friday at nine
    schedule = KedaCron(quantile=1.0).schedule(week.ravel(), hourly()).reshape(8, 24)
    assert np.isnan(schedule[0]).all()
    assert schedule[1, [7, 8, 9, 10]].tolist() == [10, 70, 70, 10]  # one lead early
    assert np.isnan(schedule[5]).all()  # no Saturday seen yet
    assert (schedule[6] == 10).all()
    assert schedule[7, [8, 9]].tolist() == [70, 70]


def test_days_are_cut_at_midnight():
    days = by_day(np.arange(30.0), hourly(first_step=MONDAY + 20))
    assert days.shape == (3, 24)
    assert np.isnan(days[0, :20]).all()
    assert days[0, 20:].tolist() == [0, 1, 2, 3]
    assert days[1, 0] == 4


def test_phpa_extrapolates_the_line_through_its_history():
    assert at_search_time(3, 2.0) @ np.array([1.0, 2, 3]) == pytest.approx(5)
    # y = 2, 4, 9: mean 5, slope 3.5; two steps on from the last: 5 + 3.5 × 3
    assert at_search_time(3, 2.0) @ np.array([2.0, 4, 9]) == pytest.approx(15.5)
    predict = PhpaLinear(history=3).predictor(1, 2.0)
    assert predict(0, np.array([5.0])) is None
    assert predict(1, np.array([7.0])) == pytest.approx([11])
    assert predict(2, np.array([9.0])) == pytest.approx([13])
    assert predict(3, np.array([11.0])) == pytest.approx([15])  # the oldest is forgotten


def test_phpa_takes_the_larger_of_the_hpa_and_its_model():
    ramp = np.linspace(7.0, 210.0, 30)
    asked = PhpaLinear(history=6, knobs=(0.7,)).requested(ramp, minutes(lead_steps=3))[0]
    assert asked[-1] >= 29 + 3  # the ramp is known to 29 and gains one a step; what is held by tolerance is the model's
    falling = PhpaLinear(history=6, knobs=(0.7,)).requested(ramp[::-1].copy(), minutes(lead_steps=0))[0]
    assert (falling[8:] >= ramp[::-1][7:-1] / 7).all()


def test_holt_winters_is_the_textbooks_recursion():
    model = HoltWinters(alpha=0.5, beta=0.2, gamma=0.3, season=2, lanes=1)
    assert [model.predict(t, np.array([y])) for t, y in enumerate((4.0, 8.0))] == [None, None]
    # level 6, trend 0, season −2, 2
    model._seen = 12  # so that there are enough counts
    found = model.predict(2, np.array([6.0]))
    # level = .5·(6 + 2) + .5·6 = 7; trend = .2·1 = .2; season = .3·(6 − 6) + .7·(−2) = −1.4; ahead = 7.2 + 2
    assert found == pytest.approx([9.2])
    found = model.predict(3, np.array([9.0]))
    # level = .5·(9 − 2) + .5·7.2 = 7.1; trend = .2·(−.1)… = .2·.1 + .8·.2 = .18; ahead = 7.1 + .18 − 1.4
    assert found == pytest.approx([5.88])


def test_holt_winters_waits_for_a_season_and_ten():
    model = HoltWinters(0.5, 0.01, 0.3, season=4, lanes=1)
    answers = [model.predict(t, np.array([float(t % 4)])) for t in range(20)]
    assert [a is None for a in answers] == [True] * 13 + [False] * 7
    assert [round(float(a[0]), 6) for a in answers[13:] if a is not None] == [2, 3, 0, 1, 2, 3, 0]


def test_holt_winters_on_demand_starts_replicas_before_the_daily_rise():
    day = np.where(np.arange(288) < 144, 20.0, 80.0)
    world = World(300, 288 * 5, 10.0, 2)
    asked = PhpaHoltWinters(of="demand", knobs=(1.0,)).requested(np.tile(day, 4), world)[0]
    # One lead after the newest sample, which it takes for now; at most four more or the double in one sync.
    assert asked[3 * 288 + 142 : 3 * 288 + 145].tolist() == [2, 6, 8]
    assert asked[3 * 288 + 130] == 2


def test_dsp_finds_a_day_and_keeps_the_largest_of_each_time():
    world = hourly()
    day = 100 + 50 * np.sin(np.arange(24) / 24 * 2 * np.pi)
    history = np.tile(day, 7) + np.random.default_rng(0).normal(0, 2, 168)
    assert fundamental_period(history, 4, seed=1) == 24
    assert found_period(history, world, 1) == 24
    assert largest_cycle(np.array([9.0, 1, 2, 5, 4]), 2).tolist() == [5, 4]
    assert largest_cycle(np.array([1.0, 9, 2, 5]), 2).tolist() == [2, 9]


@pytest.mark.parametrize("kind", ["flat", "noise", "half-day", "empty", "one day"])
def test_dsp_finds_no_day_where_there_is_none(kind):
    rng = np.random.default_rng(3)
    history = {
        "flat": np.full(168, 7.0),
        "noise": rng.normal(100, 10, 168),
        "half-day": 100 + 50 * np.sin(np.arange(168) / 12 * 2 * np.pi),
        "empty": np.zeros(0),
        "one day": 100 + 50 * np.sin(np.arange(24) / 24 * 2 * np.pi),
    }[kind]
    assert found_period(history, hourly(), 0) is None


def test_dsp_provides_the_largest_of_the_coming_hour():
    at = np.arange(4 * 288)
    seen = 100 + 50 * np.sin(at / 288 * 2 * np.pi) + np.random.default_rng(0).normal(0, 0.1, len(at))
    world = World(300, 288 * 5, 10.0, 2)
    ahead = CraneDsp().predicted(seen, world)
    assert np.isnan(ahead[: 2 * 288]).all()
    assert not np.isnan(ahead[2 * 288 :]).any()
    past = seen[: 3 * 288].reshape(3, 288).max(axis=0)
    assert ahead[3 * 288 + 100] == past[100:113].max()
    richer = CraneDsp(margin=0.1).predicted(seen, world)
    assert richer[3 * 288 + 100] == pytest.approx(1.1 * ahead[3 * 288 + 100])
