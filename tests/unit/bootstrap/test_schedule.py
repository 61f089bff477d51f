"""Ticks never overlap, those that are left out are counted, and a signal ends the wait."""

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pandas as pd  # noqa: F401 - before time is frozen
import pytest
from freezegun import freeze_time

from autoscaler.bootstrap.schedule import Schedule, until_told


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def test_a_tick_slower_than_its_period_never_runs_twice_at_once():
    running, most, started, skipped = 0, 0, 0, 0

    def slow() -> None:
        nonlocal running, most, started
        running += 1
        started += 1
        most = max(most, running)
        time.sleep(0.25)
        running -= 1

    def left_out() -> None:
        nonlocal skipped
        skipped += 1

    schedule = Schedule(slow, 0.1, left_out)
    began = time.monotonic()
    schedule.start()
    until(lambda: started >= 4 and skipped >= 4)
    schedule.stop()
    assert most == 1
    assert started <= (time.monotonic() - began) / 0.25 + 1


def test_the_first_tick_comes_at_once():
    ticked = threading.Event()
    schedule = Schedule(ticked.set, 3600, lambda: None)
    schedule.start()
    assert ticked.wait(60)
    schedule.stop()


def test_a_tick_that_raises_is_followed_by_the_next():
    calls = []

    def fails() -> None:
        calls.append(1)
        raise RuntimeError("this tick")

    schedule = Schedule(fails, 0.05, lambda: None)
    schedule.start()
    until(lambda: len(calls) >= 3)
    schedule.stop()


def test_stopping_lets_the_running_tick_end_and_starts_no_other():
    begun, ended = [], []

    def slow() -> None:
        begun.append(1)
        time.sleep(0.2)
        ended.append(1)

    schedule = Schedule(slow, 0.05, lambda: None)
    schedule.start()
    until(lambda: begun)
    schedule.stop()
    assert len(begun) == len(ended)
    count = len(begun)
    time.sleep(0.15)
    assert len(begun) == count


def test_ticks_keep_their_period_through_a_jump_of_the_clock():
    """A machine that slept or was set forward by an hour does not make up for the ticks in between."""
    calls, skipped = [], []
    with freeze_time(datetime(2026, 6, 10, 9, tzinfo=UTC), real_asyncio=True) as frozen:
        schedule = Schedule(lambda: calls.append(datetime.now(UTC)), 60, lambda: skipped.append(1))
        schedule.start()
        until_frozen(lambda: len(calls) == 1)
        frozen.move_to(datetime(2026, 6, 10, 10, 0, 1, tzinfo=UTC))
        schedule._scheduler.wakeup()
        until_frozen(lambda: len(calls) == 2)
        schedule.stop()
    assert [t.hour for t in calls] == [9, 10]


def until_frozen(true: Callable[[], object]) -> None:
    """A wait that does not look at the clock."""
    for _ in range(1000):
        if true():
            return
        threading.Event().wait(0.005)
    pytest.fail("nothing happened")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_and_the_handlers_come_back(number):
    before = signal.getsignal(number)
    threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
    until_told(threading.Event())
    assert signal.getsignal(number) is before


def test_being_told_from_elsewhere_ends_the_wait():
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    until_told(stop)
