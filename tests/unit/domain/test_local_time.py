"""Moments at which wall clocks are moved (FAULTS F07)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from autoscaler.domain.local_time import ClockChange, clock_changes

YEAR = datetime(2026, 1, 1, tzinfo=UTC).timestamp(), datetime(2027, 1, 1, tzinfo=UTC).timestamp()


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("zone", "changes"),
    [
        ("Europe/Berlin", [("2026-03-29T01:00Z", 3600), ("2026-10-25T01:00Z", -3600)]),
        ("America/New_York", [("2026-03-08T07:00Z", 3600), ("2026-11-01T06:00Z", -3600)]),
        ("Australia/Lord_Howe", [("2026-04-04T15:00Z", -1800), ("2026-10-03T15:30Z", 1800)]),
        ("Antarctica/Troll", [("2026-03-29T01:00Z", 7200), ("2026-10-25T01:00Z", -7200)]),
        ("Asia/Tokyo", []),
        ("UTC", []),
    ],
)
def test_F07_they_are_found_to_the_second(zone: str, changes: list[tuple[str, int]]) -> None:
    assert clock_changes(zone, *YEAR) == tuple(ClockChange(at(text), by) for text, by in changes)


def test_F07_a_zone_that_changes_its_date_moves_no_season() -> None:
    """Samoa had no 30 December 2011."""
    assert clock_changes("Pacific/Apia", at("2011-12-20T00:00Z"), at("2012-01-10T00:00Z")) == ()


@pytest.mark.parametrize("zone", ["Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
def test_F07_the_sum_of_changes_is_the_difference_of_offsets(zone: str) -> None:
    known = ZoneInfo(zone)
    begin = datetime(2025, 11, 1, 12, tzinfo=UTC)
    for days in range(0, 500, 7):
        end = begin + timedelta(days=days)
        offsets = [moment.astimezone(known).utcoffset() or timedelta() for moment in (begin, end)]
        changes = clock_changes(zone, begin.timestamp(), end.timestamp())
        assert sum(c.by_s for c in changes) == (offsets[1] - offsets[0]).total_seconds()
        assert list(changes) == sorted(changes, key=lambda c: c.at_s)


def test_ends_belong_to_what_follows() -> None:
    change = at("2026-03-29T01:00Z")
    assert len(clock_changes("Europe/Berlin", change, change + 1)) == 1
    assert clock_changes("Europe/Berlin", change - 10, change) == ()
    assert clock_changes("Europe/Berlin", change + 1, change + 10) == ()


def test_a_zone_that_is_not_known_is_an_error() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        clock_changes("Europe/Atlantis", *YEAR)
