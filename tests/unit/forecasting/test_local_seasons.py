"""Seasons follow the local time of a zone over changes of its clock, to the step (FAULTS F07)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.season import Season
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.catalogue import SEASONAL, serving_models
from autoscaler.forecasting.contract import PeakForecaster
from autoscaler.forecasting.local_seasons import BySeason, by_season, grouped
from autoscaler.forecasting.naive import DAY_S, SeasonalNaive
from autoscaler.forecasting.path import PathForecaster
from autoscaler.forecasting.serving import PeakServer, Rows

STEP_S, DAY = 300, 288
NAIVE = {"day": SeasonalNaive(DAY_S, "day"), "week": SeasonalNaive(7 * DAY_S, "week")}
ZONES = {
    "Europe/Berlin": ("2026-03-29T01:00Z", "2026-10-25T01:00Z"),
    "Australia/Lord_Howe": ("2026-10-03T15:30Z", "2026-04-04T15:00Z"),  # half an hour
}
CASES = [(zone, change) for zone, changes in ZONES.items() for change in changes]


def step_of(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) // STEP_S


def local_minutes(zone: str, steps: Ints) -> Ints:
    """[step], minute of the local week at which each begins."""
    known = ZoneInfo(zone)
    moments = [datetime.fromtimestamp(int(k) * STEP_S, UTC).astimezone(known) for k in steps]
    return np.array([m.weekday() * 1440 + m.hour * 60 + m.minute for m in moments], dtype=np.int64)


def profile(minutes: Ints) -> Floats:
    """Steep in the morning, by the local clock; weekends at a half."""
    day = minutes % 1440 / 1440
    shape = 100 + 80 * np.tanh(14 * (day - 0.35)) - 80 * np.tanh(14 * (day - 0.8))
    return np.where(minutes >= 5 * 1440, 0.5 * shape, shape)


def panel_of(values: Floats, first: int) -> Panel:
    return Panel(STEP_S, first, values, np.empty((0, 0), dtype=np.uint8))


@pytest.mark.parametrize(("zone", "change"), CASES)
@pytest.mark.parametrize("season", ["day", "week"])
def test_F07_the_same_local_time_is_looked_up(zone: str, change: str, season: str) -> None:
    """The value of a step is its local minute: a season ago reads the same one, but in the hour that is not there, or
    is there twice, and which is within that hour.
    """
    at, days = step_of(change), 1 if season == "day" else 7
    steps = np.arange(at - 20 * DAY, at + 12 * DAY, dtype=np.int64)
    minutes = local_minutes(zone, steps)
    panel = panel_of(minutes[None].astype(np.float64), int(steps[0]))
    origins = np.arange(at - DAY, at + 10 * DAY, dtype=np.int64)
    found = BySeason(NAIVE[season], grouped([Season(zone)])).peaks(panel, origins, 0)[0]
    wanted = (minutes[np.searchsorted(steps, origins)] - days * 1440) % 10_080
    apart = np.abs(found - wanted)
    apart = np.minimum(apart, 10_080 - apart)
    plain = NAIVE[season].peaks(panel, origins, 0)[0]
    moved = 60 if zone == "Europe/Berlin" else 30
    exact = apart == 0
    assert not np.isnan(found).any(), "no missing hour"
    assert apart.max() <= moved
    assert (~exact).sum() <= moved * 60 // STEP_S + 5, "no more than that hour, once, and the last steps before it"
    assert (plain != wanted).sum() >= days * DAY - 2 * moved, "in absolute time, the whole season after it is off"
    np.testing.assert_array_equal(found[origins < at], plain[origins < at])
    late = origins >= at + days * DAY + 24
    np.testing.assert_array_equal(found[late], plain[late])


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "UTC", None])
def test_F07_where_no_clock_is_moved_nothing_changes(zone: str | None) -> None:
    at = step_of(CASES[0][1])
    values = np.random.default_rng(0).gamma(3.0, 10.0, (2, 20 * DAY))
    panel, origins = panel_of(values, at - 12 * DAY), np.arange(at - DAY, at + 3 * DAY, dtype=np.int64)
    for model in serving_models():
        np.testing.assert_array_equal(
            BySeason(model, grouped([Season(zone), None])).peaks(panel, origins, 2), model.peaks(panel, origins, 2)
        )
    models = serving_models()
    assert by_season(models, SEASONAL, [None, Season(None, (), ())]) == models
    asked = by_season(models, SEASONAL, [None, Season("Asia/Tokyo")])
    assert [m.name for m in asked] == [m.name for m in models]
    assert [m.name for m in asked if isinstance(m, BySeason)] == list(SEASONAL)


@pytest.mark.parametrize("model", [m for m in serving_models() if m.name in SEASONAL], ids=lambda m: m.name)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_F07_blocks_and_single_origins_agree_and_the_future_is_not_seen(model: PeakForecaster, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seasons = [Season("Europe/Berlin"), None, Season("Australia/Lord_Howe"), Season("Europe/Berlin")]
    first = step_of(CASES[int(rng.integers(0, 4))][1]) - 9 * DAY
    values = rng.gamma(3.0, 10.0, (4, 20 * DAY))
    values[rng.random(values.shape) < 0.05] = np.nan
    asked, lead = BySeason(model, grouped(seasons)), int(rng.integers(0, 8))
    begin = first + 8 * DAY + int(rng.integers(0, 3 * DAY))
    origins = np.arange(begin, begin + 40, dtype=np.int64)
    block = asked.peaks(panel_of(values, first), origins, lead)
    for k in (0, 7, 39):
        cut = values.copy()
        cut[:, origins[k] - first :] = 1e9
        alone = asked.peaks(panel_of(cut, first), origins[k : k + 1], lead)
        np.testing.assert_array_equal(block[:, k], alone[:, 0])
    every = asked.peaks(panel_of(values, first), origins[::5], lead)
    np.testing.assert_array_equal(block[:, ::5], every)


def test_F07_a_window_of_nearly_a_day_stays_in_absolute_time() -> None:
    at = step_of(CASES[0][1])
    panel = panel_of(np.random.default_rng(0).gamma(3.0, 10.0, (1, 20 * DAY)), at - 10 * DAY)
    origins = np.arange(at, at + 20, dtype=np.int64)
    lead = DAY - 2
    np.testing.assert_array_equal(
        BySeason(NAIVE["day"], grouped([Season("Europe/Berlin")])).peaks(panel, origins, lead),
        NAIVE["day"].peaks(panel, origins, lead),
    )


def worst_hour(zone: str, change: str, follows: str | None, models: tuple[PeakForecaster, ...]) -> float:
    """Mean distance of the median peak from what came, in parts of it, in the worst hour of the local day after."""
    at, lead = step_of(change), 2
    steps = np.arange(at - 25 * DAY, at + 3 * DAY, dtype=np.int64)
    noise = np.random.default_rng(3).lognormal(0, 0.02, len(steps))
    values = (profile(local_minutes(zone, steps)) * noise)[None]
    panel, first = panel_of(values, int(steps[0])), int(steps[0])
    day_after = datetime.fromisoformat(change).astimezone(ZoneInfo(zone)) + timedelta(days=1)
    begin = int(day_after.replace(hour=0, minute=0).timestamp()) // STEP_S
    origins = np.arange(begin, begin + DAY, dtype=np.int64)
    rows = Rows(("shop/web",), np.array([lead]), np.array([0]), None, None if follows is None else (Season(follows),))
    found = PeakServer(models).forecast(panel, rows, origins).quantiles[0, :, 0]
    came = np.array([values[0, u - first : u - first + lead + 1].max() for u in origins])
    return float((np.abs(found - came) / came).reshape(24, -1).mean(axis=1).max())


@pytest.mark.parametrize("day", ["2028-02-29T00:00Z", "2028-03-01T00:00Z", "2027-12-31T00:00Z", "2028-01-01T00:00Z"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
def test_F07_a_leap_day_and_the_end_of_a_year_are_days_as_any_other(zone: str, day: str) -> None:
    """The same local minute of yesterday and of the same weekday is found: no day is missing, none is double."""
    at = step_of(day)
    origins = np.arange(at - DAY // 2, at + 2 * DAY, dtype=np.int64)
    steps = np.arange(int(origins[0]) - 8 * DAY, int(origins[-1]) + 1, dtype=np.int64)
    panel = panel_of(local_minutes(zone, steps)[None].astype(np.float64), int(steps[0]))
    now = local_minutes(zone, origins)
    for name, back in (("day", 1440), ("week", 7 * 1440)):
        found = BySeason(NAIVE[name], grouped([Season(zone)])).peaks(panel, origins, 0)[0]
        np.testing.assert_array_equal(found, (now - back) % (7 * 1440))


@pytest.mark.parametrize(("zone", "change"), CASES)
def test_F07_the_day_after_is_forecast_as_any_other(zone: str, change: str) -> None:
    """A load with a fixed local profile: by local time within its noise at its steepest hour, else far off there."""
    seasons = tuple(NAIVE.values())
    assert worst_hour(zone, change, zone, seasons) < 0.05
    assert worst_hour(zone, change, None, seasons) > (0.25 if zone == "Europe/Berlin" else 0.1)


@pytest.mark.parametrize(("zone", "change"), CASES)
def test_F07_all_that_serves_together_gains_by_it(zone: str, change: str) -> None:
    models = serving_models()
    assert worst_hour(zone, change, zone, models) < 0.8 * worst_hour(zone, change, None, models)


def test_F07_a_server_asks_each_row_by_its_own_zone() -> None:
    zone, change = CASES[0]
    at = step_of(change)
    steps = np.arange(at - 20 * DAY, at + 3 * DAY, dtype=np.int64)
    row = profile(local_minutes(zone, steps)) * np.random.default_rng(1).lognormal(0, 0.02, len(steps))
    panel = panel_of(np.stack([row, row, row]), int(steps[0]))
    origins = np.arange(at + DAY, at + DAY + 60, dtype=np.int64)
    leads, none = np.array([2, 2, 2]), np.zeros(3, dtype=np.int64)
    server = PeakServer(serving_models())
    mixed = server.forecast(
        panel, Rows(("a", "b", "c"), leads, none, None, (Season(zone), None, Season(zone))), origins
    )
    for k, alone in enumerate((zone, None, zone)):
        one = panel_of(row[None], int(steps[0]))
        seasons = None if alone is None else (Season(alone),)
        found = PeakServer(serving_models()).forecast(
            one, Rows((("a", "b", "c")[k],), leads[:1], none[:1], None, seasons), origins
        )
        np.testing.assert_array_equal(found.quantiles[0], mixed.quantiles[k])
    assert not server.quarantined
    assert (mixed.quantiles[0] != mixed.quantiles[1]).any()


@pytest.mark.parametrize(("zone", "change"), CASES)
@pytest.mark.parametrize("hours", [-12, 3, 30])
def test_F07_the_path_of_a_day_follows_the_clock_over_a_change_before_it_or_within_it(
    zone: str, change: str, hours: int
) -> None:
    at = step_of(change)
    steps = np.arange(at - 25 * DAY, at + 4 * DAY, dtype=np.int64)
    noise = np.random.default_rng(3).lognormal(0, 0.02, len(steps))
    values = profile(local_minutes(zone, steps)) * noise
    panel, origin = panel_of(values[None], int(steps[0])), at + hours * 12
    came = values[origin - steps[0] : origin - steps[0] + DAY]

    def worst(follows: str | None) -> float:
        found = PathForecaster().path(panel, origin, zone=follows)
        assert found.steps == DAY
        errors = np.abs(found.quantiles[0, :, 0] - came) / came
        return float(np.nanmax([errors[k : k + 12].mean() for k in range(DAY - 24)]))

    assert worst(zone) < 0.08
    assert worst(None) > 1.5 * worst(zone)
    said = np.isfinite(PathForecaster().path(panel, origin, zone=zone).quantiles[0]).all(axis=1)
    skipped = 0 if hours > 0 or change != ZONES[zone][0] else 12 if zone == "Europe/Berlin" else 6
    assert said.tolist() == [True] * (DAY - skipped) + [False] * skipped
