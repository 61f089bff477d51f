"""Between two ticks rows learn that had no turn in one, and the next tick does not wait for them."""

import threading
import time
from datetime import UTC, datetime

from autoscaler.bootstrap.between_ticks import SPARE_S, BetweenTicks
from autoscaler.bootstrap.schedule import Schedule
from autoscaler.bootstrap.service import service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.decision import Decisions
from autoscaler.domain.ladder import Why
from autoscaler.simulator.clock import VirtualClock

END = datetime(2026, 6, 10, 9, tzinfo=UTC)


class Waiting:
    """Of so many rows that wait, 16 learn at a time, which takes so long by its own clock."""

    def __init__(self, waiting: int, takes_s: float = 0.1, fails: int = 0) -> None:
        self.waiting, self.takes_s, self.fails, self.now_s = waiting, takes_s, fails, 0.0

    def work_one(self) -> int:
        some = min(16, self.waiting)
        self.waiting -= some
        self.now_s += self.takes_s
        if self.fails:
            self.fails -= 1
            raise RuntimeError("this lane is bad")
        return some

    def work(self, due_s: float) -> float:
        """The seconds that were left when it ended."""
        BetweenTicks(self, lambda: self.now_s).work(lambda: due_s - self.now_s)
        return due_s - self.now_s


def test_all_learn_where_there_is_time():
    rows = Waiting(100)
    assert rows.work(due_s=13.0) > 12.0
    assert rows.waiting == 0


def test_it_ends_before_the_next_tick_however_slow_the_machine_is():
    for takes_s in (0.01, 0.3, 1.5, 4.0):
        rows = Waiting(100_000, takes_s)
        assert rows.work(due_s=13.0) >= SPARE_S
        assert rows.waiting > 0


def test_a_late_tick_leaves_no_time_and_nothing_is_learned_then():
    rows = Waiting(100)
    rows.work(due_s=0.2)
    assert rows.waiting == 100


def test_one_that_raises_costs_the_others_nothing_and_is_told(caplog):
    rows = Waiting(100, fails=1)
    rows.work(due_s=13.0)
    assert rows.waiting == 0
    assert "this lane is bad" in caplog.text


def test_the_schedule_gives_what_is_left_until_its_next_tick():
    heard, ticks = [], []
    done = threading.Event()

    def between(left_s):
        heard.append(left_s())
        done.set()

    def tick():
        time.sleep(0.1)
        ticks.append(1)

    schedule = Schedule(tick, 3600, lambda: None, between)
    schedule.start()
    assert done.wait(60)
    schedule.stop()
    assert ticks == [1]
    assert 3590 < heard[0] <= 3600


def test_work_between_ticks_leaves_out_none_and_an_end_is_not_waited_for():
    ticks, skipped = [], []

    def between(left_s):
        while left_s() > 0.2:
            time.sleep(0.005)

    schedule = Schedule(lambda: ticks.append(time.monotonic()), 0.5, lambda: skipped.append(1), between)
    schedule.start()
    end = time.monotonic() + 60
    while len(ticks) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    schedule.stop()
    assert len(ticks) >= 3
    ticked = threading.Event()
    long = Schedule(ticked.set, 3600, lambda: None, between)
    long.start()
    assert ticked.wait(60)
    began = time.monotonic()
    long.stop()
    assert time.monotonic() - began < 60


def why_of(decided: Decisions | None) -> list[Why]:
    assert decided is not None
    assert decided.seen.standing is not None
    return [Why(int(why)) for why in decided.seen.standing["why"]]


def test_history_that_comes_for_many_at_once_is_learned_between_ticks(estate, source, workload, tmp_path):
    """Through a service: at its start nothing is recorded, then all of it is there."""
    names = [f"web-{k}" for k in range(40)]
    estate.record("web.csv", *names, steps=5)
    estate.write(source(), *[workload(name) for name in names])
    running = service(ServiceSettings((estate.folder,), tmp_path / "record.db"), VirtualClock(END))
    running.tick()
    assert running.health()["waitingToLearn"] == 0
    running.pipeline.server.relearn()
    decided = running.tick()
    assert running.health()["waitingToLearn"] == 8
    assert running.telemetry.not_learned._value.get() == 8
    whys = why_of(decided)
    assert whys.count(Why.NOT_LEARNED_YET) == 8
    assert "NotLearnedYet" in {why.code for why in whys}
    running.between_ticks(lambda: 10.0)
    assert running.health()["waitingToLearn"] == 0
    again = running.tick()
    assert set(why_of(again)) == {Why.SHORT_HISTORY}
    running.close()


def test_after_a_tick_that_failed_nobody_learns_from_a_history_that_has_moved(estate, source, workload, tmp_path):
    """It failed between the new samples and the forecast; who waited before points into what stood there then."""
    names = [f"web-{k}" for k in range(40)]
    estate.record("web.csv", *names, steps=5)
    estate.write(source(), *[workload(name) for name in names])
    clock = VirtualClock(END)
    running = service(ServiceSettings((estate.folder,), tmp_path / "record.db"), clock)
    running.tick()
    running.pipeline.server.relearn()
    running.tick()
    assert running.health()["waitingToLearn"] == 8

    class Broken:
        def observe(self, *_: object) -> None:
            raise RuntimeError("the lag of this fleet cannot be told")

    working = running.pipeline.lag
    running.pipeline.lag = Broken()  # type: ignore[assignment]
    clock.advance(300.0)
    assert running.tick() is None
    assert running.health()["waitingToLearn"] == 0
    running.between_ticks(lambda: 10.0)
    running.pipeline.lag = working
    assert running.tick() is not None
    assert running.health()["waitingToLearn"] == 8, "they wait on"
    running.close()
