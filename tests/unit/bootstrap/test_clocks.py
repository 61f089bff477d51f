"""The clocks of a service: aware, in UTC; a replay runs on the machine's monotonic clock."""

import time
from datetime import UTC, datetime, timedelta

import pandas as pd  # noqa: F401 - before time is frozen
from freezegun import freeze_time

from autoscaler.adapters.clock import ReplayClock, SystemClock

START = datetime(2026, 6, 10, 9, tzinfo=UTC)


def test_the_machines_time_is_told_in_utc():
    with freeze_time(datetime(2026, 3, 29, 1, 30, tzinfo=UTC), real_asyncio=True):
        now = SystemClock().now()
    assert now == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert now.utcoffset() == timedelta(0)


def test_a_replay_runs_so_many_times_as_fast():
    with freeze_time(datetime(2030, 1, 1, tzinfo=UTC), real_asyncio=True) as frozen:
        clock = ReplayClock(START, 600, time.monotonic())
        assert clock.now() == START
        frozen.tick(timedelta(seconds=2))
        assert clock.now() == START + timedelta(minutes=20)


def test_who_begins_later_joins_a_shared_replay_where_it_is():
    with freeze_time(datetime(2030, 1, 1, tzinfo=UTC), real_asyncio=True) as frozen:
        since = datetime.now(UTC)
        first = ReplayClock.shared(START, 15, since)
        frozen.tick(timedelta(seconds=8))
        second = ReplayClock.shared(START, 15, since)
        assert abs(second.now() - first.now()) < timedelta(milliseconds=1)
        assert abs(first.now() - START - timedelta(minutes=2)) < timedelta(milliseconds=1)
