"""Stretches of time on a grid of steps, and how much of the last week they are."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from autoscaler.domain.calendar import Hours, Once
from autoscaler.domain.season import Season, excluded_share, recent_spans, spans_of, steps_within

HOUR, DAY = 3600.0, 86_400.0
NIGHT = Hours("UTC", 60, 120, days=(0, 1, 2, 3, 4, 5, 6))


def test_spans_that_overlap_are_one() -> None:
    windows = (Once(100.0, 200.0), Once(150.0, 300.0), Once(300.0, 310.0), Once(900.0, 950.0), Once(5000.0, 6000.0))
    assert spans_of(windows, 0.0, 1000.0) == [(100.0, 310.0), (900.0, 950.0)]


def test_a_step_that_a_window_touches_is_within_it() -> None:
    windows = (Once(90.0, 181.0),)
    assert steps_within(windows, 0, 6, 60).tolist() == [False, True, True, True, False, False]
    assert steps_within(windows, 2, 3, 60).tolist() == [True]
    assert steps_within((), 0, 3, 60).tolist() == [False] * 3
    assert steps_within(windows, 5, 5, 60).tolist() == []


def test_weekly_and_dated_windows_come_as_often_as_they_are() -> None:
    midnight = datetime(2026, 6, 8, tzinfo=UTC).timestamp()
    first = int(midnight // 60)
    found = steps_within((NIGHT,), first, first + 3 * 1440, 60)
    assert np.flatnonzero(found).tolist() == [d * 1440 + m for d in range(3) for m in range(60, 120)]
    holiday = Hours("Europe/Berlin", dates=(date(2026, 6, 9),))
    at = np.flatnonzero(steps_within((holiday,), first, first + 3 * 1440, 60))
    assert (at[0], at[-1], len(at)) == (1440 - 120, 2 * 1440 - 121, 1440)


@pytest.mark.parametrize(
    ("windows", "share"),
    [
        ((), 0.0),
        ((Once(100 * DAY - 12 * HOUR, 100 * DAY - 6 * HOUR),), 0.25 / 7),
        ((Once(0.0, 90 * DAY),), 0.0),  # over
        ((Once(0.0, 200 * DAY),), 1.0),  # all of it, and open still
        ((Once(100 * DAY + 1, 101 * DAY),), 0.0),  # to come
        ((Once(92 * DAY, 94 * DAY), Once(93 * DAY + 1, 93 * DAY + 2)), 1 / 7),  # cut, and counted once
        ((NIGHT,), 7 / 168),
    ],
)
def test_of_the_last_week_so_much_is_left_out(windows: tuple[Once, ...], share: float) -> None:
    assert excluded_share(windows, 100 * DAY) == pytest.approx(share)


def test_recent_spans_are_whole_and_the_same_for_an_hour() -> None:
    window = Once(93 * DAY - 10 * HOUR, 93 * DAY + HOUR)
    hour = int(100 * DAY // HOUR)
    assert recent_spans((window,), hour - 1) == recent_spans((window,), hour) == ((window.start_s, window.end_s),)
    assert recent_spans((window,), hour + 2) == ()


def test_a_season_that_follows_nothing_is_none_of_its_own() -> None:
    assert Season() == Season(None, (), ())
    assert len({Season("Europe/Berlin"), Season("Europe/Berlin"), Season()}) == 2
