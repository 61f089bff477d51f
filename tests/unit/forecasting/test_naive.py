"""The simple forecasters, worked by hand."""

from typing import Literal

import numpy as np
import pytest

from autoscaler.domain.series import Panel
from autoscaler.forecasting.naive import (
    LastValue,
    RecentMax,
    RecentMean,
    SeasonalNaive,
    UsualRise,
    column_median,
)

NAN = np.nan
HOUR = 3600


def grid(values: np.ndarray, step_s: int = HOUR) -> Panel:
    return Panel(step_s, 0, values.copy(), np.empty((0, 0), dtype=np.uint8))


def panel(values: list[float], step_s: int = HOUR) -> Panel:
    return grid(np.array([values]), step_s)


def at(origin: int) -> np.ndarray:
    return np.array([origin])


def test_the_last_value_is_the_newest_known_within_reach() -> None:
    assert LastValue().peaks(panel([1, 2, 7, NAN, NAN]), at(5), 0)[0, 0] == 7
    assert np.isnan(LastValue().peaks(panel([7, NAN, NAN, NAN, NAN, NAN]), at(6), 0)[0, 0])


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([1, 2, 3, 4, 5], 4.0),
        ([1, 2, 3, NAN, 5], 10 / 3),
        ([9, 3, NAN, NAN, NAN, NAN, NAN], NAN),  # the newest known is out of reach
        ([9, 3, NAN, NAN, NAN, NAN], 6.0),  # it is within: the mean may reach on
    ],
)
def test_the_recent_mean_is_of_the_newest_three_that_are_known(values: list[float], mean: float) -> None:
    np.testing.assert_allclose(RecentMean().peaks(panel(values), at(len(values)), 0), [[mean]])


def test_the_recent_max_looks_at_its_span_and_no_further() -> None:
    values = [9.0, 1.0, 5.0, NAN, 2.0]
    model = RecentMax(3 * HOUR, "3h")
    assert model.peaks(panel(values), at(5), 0)[0, 0] == 5
    assert RecentMax(4 * HOUR, "4h").peaks(panel(values), at(5), 0)[0, 0] == 5
    assert RecentMax(5 * HOUR, "5h").peaks(panel(values), at(5), 0)[0, 0] == 9
    assert np.isnan(model.peaks(panel([1.0, NAN, NAN, NAN]), at(4), 0)[0, 0])


def test_the_seasonal_naive_is_the_same_window_a_season_ago() -> None:
    values = [float(v) for v in range(24)]
    assert SeasonalNaive(6 * HOUR, "6h").peaks(panel(values), at(24), 2)[0, 0] == 20
    assert np.isnan(SeasonalNaive(2 * HOUR, "2h").peaks(panel(values), at(24), 2)[0, 0])


def days(*rises: tuple[float, float]) -> list[float]:
    """Days of 24 h at zero but for two hours: the start at 11:00 and the peak at 12:00; then today until 12:00."""
    out: list[float] = []
    for start, peak in rises:
        day = [0.0] * 24
        day[11], day[12] = start, peak
        out += day
    return out


def test_the_usual_rise_is_the_median_of_the_last_days() -> None:
    values = [*days((10, 14), (10, 50), (10, 16)), *[0.0] * 11, 100.0]
    noon = at(3 * 24 + 12)
    assert UsualRise("difference").peaks(panel(values), noon, 0)[0, 0] == 106
    assert UsualRise("ratio").peaks(panel(values), noon, 0)[0, 0] == pytest.approx(160)


@pytest.mark.parametrize("by", ["difference", "ratio"])
def test_M24_in_the_dark_the_usual_rise_goes_on_from_the_last_demand_that_was_seen(by: Literal["difference", "ratio"]):
    start, end = 8 * 24, 9 * 24
    day = 100 + 50 * np.sin(2 * np.pi * np.arange(24) / 24)
    values = np.stack([np.tile(day, 9), np.tile(day, 9) * np.random.default_rng(3).lognormal(0, 0.1, end)])
    values[:, start - 6 :] *= 1.5  # six hours before it goes dark the level rises for good
    dark = values.copy()
    dark[:, start:] = NAN
    model, origins = UsualRise(by), np.arange(start, end)
    blind = model.peaks(grid(dark), origins, 1)
    np.testing.assert_array_equal(blind[:, 0], model.peaks(grid(values), origins, 1)[:, 0])
    usual = np.maximum(day, np.roll(day, -1))[5:]  # from where the last demand counts as now no longer
    expected = 1.5 * usual if by == "ratio" else usual + 0.5 * day[-1]
    np.testing.assert_allclose(blind[0, 5:], np.minimum(expected, 150.0), err_msg="to the most that was seen at most")
    single = [model.peaks(grid(dark), at(int(origin)), 1)[:, 0] for origin in origins]
    np.testing.assert_array_equal(np.stack(single, axis=1), blind)
    longer = np.concatenate([dark, np.full((2, 24), NAN)], axis=1)
    assert np.isnan(model.peaks(grid(longer), np.arange(end, end + 24), 1)).all(), "for a day"
    dark[:, -3:] = 9999.0
    np.testing.assert_array_equal(model.peaks(grid(dark), origins[:20], 1), blind[:, :20])


@pytest.mark.parametrize("by", ["difference", "ratio"])
@pytest.mark.parametrize(("last", "most"), [(20.0, 150.0), (400.0, 400.0)])
def test_M25_what_lies_before_it_dies_adds_no_more_than_was_ever_seen(
    by: Literal["difference", "ratio"], last: float, most: float
) -> None:
    day = np.r_[np.full(6, 0.01), np.full(18, 150.0)]  # an idle night, whose usual rise is fifteen thousandfold
    dark = np.tile(day, 9)[None]
    dark[0, 8 * 24 + 3] = last
    dark[0, 8 * 24 + 4 :] = NAN
    blind = UsualRise(by).peaks(grid(dark), np.arange(8 * 24 + 10, 9 * 24), 1)
    np.testing.assert_allclose(blind, most, atol=0.02)


def test_the_usual_rise_needs_now_and_one_past_day() -> None:
    values = [*days((10, 14)), *[NAN] * 12]
    assert np.isnan(UsualRise("difference").peaks(panel(values), at(36), 0)[0, 0])
    assert np.isnan(UsualRise("ratio").peaks(panel([1.0] * 12), at(12), 0)[0, 0])


def test_from_nothing_to_something_has_no_ratio() -> None:
    values = [*days((0, 14), (10, 20)), *[0.0] * 11, 7.0]
    assert UsualRise("ratio").peaks(panel(values), at(60), 0)[0, 0] == pytest.approx(14)


def test_a_column_median_leaves_out_what_is_unknown() -> None:
    values = np.array([[1.0, NAN, NAN], [5.0, 4.0, NAN], [2.0, 2.0, NAN]])
    np.testing.assert_array_equal(column_median(values), [2.0, 3.0, NAN])
