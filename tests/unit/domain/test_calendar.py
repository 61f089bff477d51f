"""Windows in wall-clock time: overnight, across the changes of the clock, and asked from any moment."""

import math
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.calendar import Hours, Once, is_open

BERLIN = "Europe/Berlin"
MONDAY_TO_FRIDAY = (0, 1, 2, 3, 4)


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def utc(spans: list[tuple[float, float]]) -> list[tuple[str, str]]:
    return [tuple(datetime.fromtimestamp(t, UTC).strftime("%m-%d %H:%M") for t in span) for span in spans]  # type: ignore[misc]


def test_D11_weekly_hours_follow_the_zones_summer_time() -> None:
    office = Hours(BERLIN, 8 * 60, 20 * 60, days=MONDAY_TO_FRIDAY)
    spans = office.spans(at("2026-03-27T00:00:00Z"), at("2026-03-31T00:00:00Z"))
    assert utc(spans) == [("03-27 07:00", "03-27 19:00"), ("03-30 06:00", "03-30 18:00")]


def test_an_overnight_window_belongs_to_the_day_on_which_it_starts() -> None:
    night = Hours("UTC", 22 * 60, 6 * 60, days=(4,))  # Friday night
    assert utc(night.spans(at("2026-06-08T00:00:00Z"), at("2026-06-15T00:00:00Z"))) == [("06-12 22:00", "06-13 06:00")]
    assert is_open(night, at("2026-06-13T05:59:59Z"))
    assert not is_open(night, at("2026-06-13T06:00:00Z"))
    assert not is_open(night, at("2026-06-12T05:00:00Z"))


def test_a_window_inside_the_skipped_hour_is_not_shorter_than_it_reads() -> None:
    skipped = Hours(BERLIN, 150, 180, dates=(date(2026, 3, 29),))  # 02:30 to 03:00 does not exist that day
    ((start, end),) = skipped.spans(at("2026-03-28T00:00:00Z"), at("2026-03-31T00:00:00Z"))
    assert end - start >= 30 * 60


def test_a_window_in_the_repeated_hour_holds_both_times() -> None:
    repeated = Hours(BERLIN, 150, 180, dates=(date(2026, 10, 25),))
    assert utc(repeated.spans(at("2026-10-24T00:00:00Z"), at("2026-10-27T00:00:00Z"))) == [
        ("10-25 00:30", "10-25 02:00")
    ]


def test_F08_a_whole_day_runs_from_local_midnight_to_local_midnight() -> None:
    eve = Hours(BERLIN, dates=(date(2026, 12, 24),))
    assert utc(eve.spans(at("2026-12-01T00:00:00Z"), at("2026-12-31T00:00:00Z"))) == [("12-23 23:00", "12-24 23:00")]


def test_a_single_span_opens_once() -> None:
    once = Once(100.0, 200.0)
    assert [once.opens_s(t) for t in (0.0, 100.0, 150.0, 200.0)] == [100.0, 100.0, 150.0, math.inf]
    assert once.spans(200.0, 300.0) == []


@settings(max_examples=150, deadline=None)
@given(
    now=st.integers(int(at("2026-01-01T00:00:00Z")), int(at("2027-01-01T00:00:00Z"))),
    start=st.integers(0, 1439),
    end=st.integers(0, 1440),
    days=st.sets(st.integers(0, 6), min_size=1),
    zone=st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_opening_agrees_with_the_spans(now: int, start: int, end: int, days: set[int], zone: str) -> None:
    hours = Hours(zone, start, end, days=tuple(sorted(days)))
    spans = hours.spans(float(now), now + 7 * 86400.0)
    opens = hours.opens_s(float(now))
    inside = any(a <= now < b for a, b in spans)
    assert (opens == now) == inside
    if not inside:
        assert opens == min(a for a, _ in hours.spans(float(now), now + 9 * 86400.0))


@pytest.mark.parametrize(
    "wrong", [{"start_min": 1440}, {"end_min": 1441}, {"days": ()}, {"dates": (date(2026, 1, 1),)}]
)
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"zone": "UTC", "days": (0,)} | wrong
    with pytest.raises(ValueError):
        Hours(**given)
