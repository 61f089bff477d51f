"""Trouble between the tick and the disk: it never reaches the tick, and it is counted and told."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from autoscaler.adapters.store import place, writer
from autoscaler.adapters.store.writer import TickWriter
from autoscaler.domain.errors import Retryable
from autoscaler.domain.workload import WorkloadRef

WEB = WorkloadRef("shop", "web")


class Sink:
    """Keeps what it is given; `trouble` is raised as long as it is set, `gate` holds a commit up."""

    def __init__(self) -> None:
        self.kept: list[float] = []
        self.trouble: Exception | None = None
        self.poison: float | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.restarts = 0
        self.tidied = 0
        self.released = False

    def commit(self, decisions):
        self.entered.set()
        self.gate.wait(5)
        if self.trouble is not None:
            raise self.trouble
        if decisions.now_s == self.poison:
            raise TypeError("not a decision at all")
        self.kept.append(decisions.now_s)

    def restart_runs(self):
        self.restarts += 1

    def tidy(self):
        self.tidied += 1
        return False

    def release(self):
        self.released = True


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def start(sink, monkeypatch):
    monkeypatch.setattr(writer, "FIRST_PAUSE_S", 0.005)
    monkeypatch.setattr(writer, "LONGEST_PAUSE_S", 0.02)
    begun = []

    def begin(**options):
        begun.append(TickWriter(sink, "x.db", **({"queue_ticks": 3, "tidy_every_s": 1e9} | options)))
        return begun[-1]

    yield begin
    sink.trouble = None
    sink.gate.set()
    for one in begun:
        one.close(2)


@pytest.fixture
def ticks(make):
    lanes = make.fleet()
    return [make.decisions(lanes, make.start_s + k * make.tick_s) for k in range(12)]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def test_order_is_kept_and_flush_means_written(start, sink, ticks):
    queue = start(queue_ticks=20)
    for tick in ticks:
        queue.append(tick)
    assert queue.flush(60)
    assert sink.kept == [t.now_s for t in ticks]
    assert queue.last_commit_at == datetime.fromtimestamp(ticks[-1].now_s, UTC)
    assert (queue.dropped, queue.failures, queue.last_error) == (0, 0, None)
    assert queue.flush(0), "nothing is pending"


def test_append_returns_at_once_and_the_oldest_waiting_tick_goes_first(start, sink, ticks):
    sink.gate.clear()
    queue = start()
    queue.append(ticks[0])
    assert sink.entered.wait(60)
    for tick in ticks[1:]:  # the gate is shut: one that waited would wait for ever
        queue.append(tick)
    assert not queue.flush(0.01)
    assert queue.dropped == 8
    sink.gate.set()
    assert queue.flush(60)
    assert sink.kept == [t.now_s for t in (ticks[0], *ticks[-3:])]


def test_trouble_is_retried_told_once_and_told_when_over(start, sink, ticks, caplog):
    caplog.set_level(logging.INFO)
    sink.trouble = Retryable("x.db: database or disk is full")
    queue = start()
    queue.append(ticks[0])
    queue.append(ticks[1])
    until(lambda: queue.failures >= 3)
    assert not queue.flush(0.01)
    assert queue.last_error == "x.db: database or disk is full"
    assert queue.last_commit_at is None
    sink.trouble = None
    assert queue.flush(60)
    assert sink.kept == [ticks[0].now_s, ticks[1].now_s]
    assert queue.dropped == 0
    assert [r.message.split()[0] for r in caplog.records] == ["record_not_written", "record_written_again"]


def test_lasting_trouble_keeps_the_newest_ticks(start, sink, ticks):
    sink.trouble = Retryable("x.db: database or disk is full")
    queue = start()
    for tick in ticks:
        queue.append(tick)
        time.sleep(0.002)
    until(lambda: queue.dropped >= len(ticks) - 4)
    sink.trouble = None
    until(lambda: sink.kept[-1:] == [ticks[-1].now_s])
    assert sink.kept == [t.now_s for t in ticks[-len(sink.kept) :]]
    assert queue.dropped + len(sink.kept) == len(ticks)


def test_a_tick_that_cannot_be_written_does_not_stop_the_next(start, sink, ticks):
    sink.poison = ticks[1].now_s
    queue = start()
    for tick in ticks[:3]:
        queue.append(tick)
    assert not queue.flush(60), "one of them was dropped"
    assert sink.kept == [ticks[0].now_s, ticks[2].now_s]
    assert (queue.dropped, sink.restarts) == (1, 1)
    assert "not a decision" in queue.last_error


def test_close_gives_up_in_time_and_later_ticks_are_counted(start, sink, ticks):
    sink.trouble = Retryable("x.db: locked")
    queue = start()
    queue.append(ticks[0])
    queue.append(ticks[1])
    queue.close(0.05)
    until(lambda: queue.dropped == 2)
    assert sink.released
    queue.append(ticks[2])
    assert queue.dropped == 3
    queue.close(0.05)


def test_tidying_happens_between_ticks_and_its_failure_is_only_told(start, sink, ticks, monkeypatch):
    queue = start(tidy_every_s=0.0)
    queue.append(ticks[0])
    until(lambda: sink.tidied == 1)
    monkeypatch.setattr(sink, "tidy", lambda: 1 / 0)
    queue.append(ticks[1])
    assert queue.flush(60)
    until(lambda: queue.failures == 1)
    queue.append(ticks[2])
    assert queue.flush(60)
    assert queue.dropped == 0


def test_a_locked_file_is_waited_for(opened, make, tmp_path, monkeypatch):
    monkeypatch.setattr(place, "BUSY_TIMEOUT_S", 0.02)
    store = opened()
    other = sqlite3.connect(tmp_path / "foresail.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        store.append(make.decisions(make.fleet()))
        until(lambda: store.failures >= 2)
        assert "locked" in store.last_error
        assert store.run_at(WEB) is None, "readers are not held up"
        other.execute("ROLLBACK")
        assert store.flush(60)
    finally:
        other.close()
    assert store.run_at(WEB).ticks == 1
    assert store.dropped == 0


def test_a_full_disk_loses_nothing_that_waits(opened, make, tmp_path, monkeypatch):
    opened().close()
    pragmas = [*place._WRITER_PRAGMAS, "PRAGMA max_page_count = 14"]
    monkeypatch.setattr(place, "_WRITER_PRAGMAS", pragmas)
    store = opened()
    lanes = make.fleet(*(f"w{k}" for k in range(60)))
    store.append(make.decisions(lanes))
    store.append(make.decisions(lanes, make.start_s + 15))
    until(lambda: store.failures >= 2)
    assert "full" in store.last_error
    assert store.size().ticks == 0, "all of a tick or nothing of it"
    pragmas.pop()
    assert store.flush(60)
    assert {store.run_at(load.ref).ticks for load in lanes.workloads} == {2}


def test_one_bad_lane_in_the_database_mends_itself(opened, make, tmp_path):
    """Rows deleted under us (by hand): the tick is lost, the next one starts anew."""
    store = opened()
    store.append(make.decisions(make.fleet()))
    assert store.flush()
    other = sqlite3.connect(tmp_path / "foresail.db")
    with other:
        other.executescript("DELETE FROM payload; DELETE FROM run; DELETE FROM workload;")
    other.close()
    for k in (1, 2):
        store.append(make.decisions(make.fleet(), make.start_s + 15 * k, granted=7))
    assert not store.flush()
    assert store.run_at(WEB).ticks == 1
    assert store.dropped == 1
