"""Errors by the minute of the hour follow a clock that is moved by half of one (FAULTS F07)."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.season import Season
from autoscaler.domain.series import Floats, Panel
from autoscaler.forecasting.local_seasons import steps_of
from autoscaler.forecasting.naive import RecentMean
from autoscaler.forecasting.past import Past, Samples
from autoscaler.forecasting.serving import PeakServer, Rows
from autoscaler.forecasting.teams import CalibrationPlan

STEP_S, HOUR, DAY = 300, 12, 288
CHANGES = {"spring": "2026-10-03T15:30Z", "autumn": "2026-04-04T15:00Z"}
HALF = "Australia/Lord_Howe"


def step_of(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) // STEP_S


def bursts(at: int, by: int, days: int) -> tuple[int, Floats]:
    """A burst in the first step of each local hour, over `days` on both sides of a change at step `at`."""
    steps = np.arange(at - days * DAY, at + days * DAY, dtype=np.int64)
    minute = (steps + np.where(steps >= at, by, 0)) % HOUR
    noise = np.random.default_rng(1).lognormal(0, 0.02, len(steps))
    return int(steps[0]), np.where(minute == 0, 300.0, 100.0) * noise


@pytest.mark.parametrize(("change", "by"), [("spring", 6), ("autumn", -6)])
@pytest.mark.parametrize("hours", [8, 48])
def test_F07_bursts_by_the_clock_are_foreseen_after_it_was_moved_by_half_an_hour(
    change: str, by: int, hours: int
) -> None:
    at = step_of(CHANGES[change])
    first, values = bursts(at, by, 12)
    panel = Panel(STEP_S, first, values[None], np.empty((0, 0), dtype=np.uint8))
    origins = np.arange(at + hours * HOUR, at + (hours + 6) * HOUR, dtype=np.int64)
    came = values[origins - first]

    def told(zone: str | None) -> Floats:
        rows = Rows(("shop/web",), np.array([0]), np.array([0]), None, None if zone is None else (Season(zone),))
        return PeakServer((RecentMean(),)).forecast(panel, rows, origins).quantiles[0]

    local, absolute = told(HALF), told(None)
    burst = came > 200
    assert burst.sum() == 6
    assert np.abs(local[burst, 0] / came[burst] - 1).mean() < 0.25, "the median itself foresees them"
    assert np.abs(absolute[burst, 0] / came[burst] - 1).mean() > 0.5
    assert local[~burst, 2].mean() < min(110, 0.9 * absolute[~burst, 2].mean()), "and nothing for the old minute"


ZONES = ["Europe/Prague", "America/New_York", HALF, "Asia/Kathmandu", "Asia/Kolkata", "Australia/Adelaide", "UTC"]


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    step_s=st.sampled_from([60, 300, 900]),
    year=st.integers(2000, 2035),
    seed=st.integers(0, 9),
)
def test_F07_pairs_stay_pairs_at_their_local_minute_around_any_change(
    zone: str, step_s: int, year: int, seed: int
) -> None:
    """A model that says each step's own number, whose peak is that number: pairs stay pairs, only half hours move."""
    per_day = 86400 // step_s
    begin = int(datetime(year, 1, 1).astimezone().timestamp()) // step_s
    found = steps_of(zone, step_s, begin, begin + 366 * per_day) or ((begin + 100 * per_day, 0),)
    at, by = found[seed % len(found)]
    anchor, plan = at + seed * per_day // 3 + 1, CalibrationPlan()
    samples = Samples.before(np.array([anchor]), plan, step_s)
    low = samples.begin
    own = np.arange(low, anchor, dtype=np.float64)[None]
    stride = samples.stride
    view = Panel(step_s, low - 1, np.ones((1, anchor - low + 1)), np.empty((0, 0), dtype=np.uint8))
    points = (own.copy(), own[:, ::stride].copy())
    past = Past(low, anchor, 0, stride, view, low, (True, False), points, own.copy(), {}, (zone,))
    lesson = past.lesson(samples, 1)
    dense, sparse = lesson.points
    assert dense is not None
    assert sparse is not None
    known = ~np.isnan(lesson.peak[0])
    np.testing.assert_array_equal(lesson.peak, dense)
    both = ~np.isnan(lesson.thin[0]) & ~np.isnan(sparse[0])
    np.testing.assert_array_equal(lesson.thin[0][both], sparse[0][both])
    assert both.sum() >= (anchor - int(samples.first[0])) // stride - 3600 // step_s
    columns = int(samples.first[0]) + np.flatnonzero(known)
    steps = lesson.peak[0, known].astype(np.int64)
    moved = np.where(steps < at, by if by % samples.phases else 0, 0)
    np.testing.assert_array_equal(columns, steps - moved)
