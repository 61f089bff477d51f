"""Back-fill in any order, with restarts and dead sources in between, ends in what one direct read would have given."""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.errors import SourceDown
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import DataVerdict, Floats, SeriesBatch
from autoscaler.domain.workload import Demand, Workload
from autoscaler.intake import backfill as engine
from autoscaler.intake.backfill import Backfill
from autoscaler.intake.backfill_progress import BackfillLimits
from autoscaler.intake.history import History
from autoscaler.ports.history import FINAL, UNASKED
from autoscaler.simulator.demand import MemoryDemandStore
from autoscaler.simulator.metrics import MemoryMetrics

STEP_S, KEEP, REACH, RECENT, LATE, ZERO, WIDTH = 60, 40, 100, 8, 4, 10_000, 3000
LIMITS = BackfillLimits(
    reach_days=REACH * STEP_S / 86400, request_steps=16, request_points=32, settle_steps=4, flush_s=50.0
)


@dataclass
class Counting:
    """A sound source that counts what it is asked, step by step; `how` makes it fail."""

    sound: MemoryMetrics
    how: str = "sound"
    verdict: DataVerdict = DataVerdict.UNREACHABLE
    only: frozenset[str] | None = None
    requests: list[tuple[tuple[str, ...], int, int]] = field(default_factory=list)
    steps: Counter[tuple[str, int]] = field(default_factory=Counter)

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        self.requests.append((tuple(d.query for d in demands), first_step, end_step))
        if self.how == "raises":
            raise SourceDown("connection refused")
        batch = self.sound.load(demands, first_step, end_step, step_s)
        if self.how == "short":
            return batch.upto(first_step + max(0, batch.values.shape[1] // 2))
        if self.how == "verdict":
            hit = np.array([self.only is None or d.query in self.only for d in demands])[:, None]
            values = np.where(hit, np.nan, batch.values)
            return SeriesBatch(step_s, first_step, values, np.where(hit, np.uint8(self.verdict), batch.verdicts))
        self.steps.update((d.query, step) for d in demands for step in range(first_step, batch.end_step))
        return batch

    def asked_over(self, query: str, first: int, end: int) -> int:
        return max((self.steps[query, step] for step in range(first, end)), default=0)


@dataclass
class World:
    """One service and its source over a life of restarts; the clock of the back-fill moves by hand."""

    fleet: Fleet
    live: Counting
    past: Counting
    store: MemoryDemandStore = field(default_factory=MemoryDemandStore)
    now: int = ZERO + 300
    latest: int = 0
    now_s: float = 0.0
    limits: BackfillLimits = LIMITS

    def __post_init__(self) -> None:
        self.restart(restored=False)

    def restart(self, *, restored: bool = True) -> None:
        self.history = History(STEP_S, KEEP, LATE, RECENT)
        self.backfill = Backfill(self.history, self.past, self.store, self.limits, clock=lambda: self.now_s)
        if restored and not self.store.failing:
            self.backfill.restore(self.fleet, self.now)

    def tick(self, steps: int = 1) -> None:
        self.now += steps
        self.latest = max(self.latest, self.now)
        panel = self.history.collect(self.live, self.fleet, self.now)
        np.testing.assert_array_equal(np.isfinite(panel.values), panel.verdicts == DataVerdict.OK)

    def work(self, wait_s: float = 1.0) -> float:
        self.now_s += wait_s
        return self.backfill.work_once()

    def settle(self, ticks: int = 12) -> None:
        """Everything answers again: some ticks, and time for what is wanted."""
        self.live.how = self.past.how = "sound"
        self.store.failing = False
        for _ in range(ticks + max(0, self.latest - self.now)):
            self.tick()
            self.work(700.0)
        for _ in range(300):
            self.work(700.0)
            if self.backfill.progress.done and not self.history.handover.settled:  # type: ignore[union-attr]
                break
            self.history.collect(self.live, self.fleet, self.now)
        assert self.backfill.progress.done
        self.history.collect(self.live, self.fleet, self.now)

    def check(self) -> None:
        panel = self.history.panel()
        direct = self.live.sound.load(self.fleet.demands, self.now - KEEP, self.now, STEP_S)
        np.testing.assert_array_equal(panel.columns(self.now - KEEP, direct.end_step), direct.values)
        np.testing.assert_array_equal(panel.faults(self.now - KEEP, direct.end_step), direct.verdicts)


def _truth(rows: int, gaps: float = 0.05) -> dict[str, Floats]:
    rng = np.random.default_rng(rows)
    raw = 1 + 100 * rng.random((rows, WIDTH))
    raw[rng.random(raw.shape) < gaps] = np.nan
    raw[rng.random(raw.shape) < gaps / 5] = np.inf
    return {f"w{lane}-0": raw[lane] for lane in range(rows)}


def _world(make_fleet: Callable[..., Fleet], lanes: int = 3, *, gaps: float = 0.05, delay: int = 0) -> World:
    sound = MemoryMetrics(STEP_S, ZERO, _truth(lanes, gaps), data_delay_steps=delay)
    return World(make_fleet(lanes=lanes), Counting(sound), Counting(replace(sound, data_delay_steps=0)))


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.sampled_from([-4, 0, 1, 1, 1, 1, 2, 5, 9, 20, KEEP + 1, 120])),
        st.tuples(st.just("work"), st.sampled_from([0, 1, 1, 6, 60, 700])),
        st.tuples(st.just("live"), st.sampled_from(["sound", "raises", "verdict"])),
        st.tuples(st.just("past"), st.sampled_from(["sound", "raises", "short", "verdict"])),
        st.tuples(st.just("restart"), st.sampled_from(["closed", "killed"])),
        st.tuples(st.just("disk"), st.booleans()),
        st.tuples(st.just("fleet"), st.permutations(range(3)).flatmap(lambda p: st.just(tuple(p[: p[0] + 1])))),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, delay=st.integers(0, 2))
def test_M23_back_fill_in_any_order_ends_in_a_direct_read(
    make_fleet: Callable[..., Fleet], events: list[tuple[str, object]], delay: int
) -> None:
    world = _world(make_fleet, delay=delay)
    every = world.fleet.workloads
    world.tick()
    for what, how in events:
        match what, how:
            case "tick", int(steps):
                world.tick(steps)
            case "work", int(wait_s):
                world.work(wait_s)
            case "live", str(mode):
                world.live.how = mode
            case "past", str(mode):
                world.past.how = mode
            case "disk", bool(failing):
                world.store.failing = failing
            case "fleet", tuple(lanes):
                world.fleet = Fleet(tuple(every[lane] for lane in lanes))
                world.tick(0)
            case "restart", str(end):
                if end == "closed":
                    world.backfill.stop()
                world.restart()
                world.tick()
    world.settle()
    world.check()


def test_a_tick_reads_only_what_is_recent_and_the_past_comes_beside_it(make_fleet: Callable[..., Fleet]) -> None:
    world = _world(make_fleet, gaps=0.0)
    world.tick()
    assert world.live.requests == [(("w0-0", "w1-0", "w2-0"), world.now - RECENT, world.now)]
    assert np.isnan(world.history.panel().columns(world.now - KEEP, world.now - RECENT)).all()
    world.settle(0)
    world.check()
    first_live = ZERO + 301 - RECENT
    ends = [end for queries, _, end in world.past.requests if "w0-0" in queries]
    assert ends == sorted(ends, reverse=True), "newest first"
    assert all(end - first <= 16 and len(q) * (end - first) <= 32 for q, first, end in world.past.requests)
    oldest = min(step for _, step in world.past.steps)
    assert oldest == ZERO + 301 - REACH, "as far back as was promised, and no further"
    assert all(world.past.asked_over(f"w{k}-0", oldest, first_live) == 1 for k in range(3))


def test_rows_of_one_source_go_together(make_fleet: Callable[..., Fleet]) -> None:
    world = _world(make_fleet, gaps=0.0)
    world.limits = replace(LIMITS, request_points=1000)
    world.restart()
    world.tick()
    world.settle(0)
    assert {queries for queries, _, _ in world.past.requests} == {("w0-0", "w1-0", "w2-0")}
    assert len(world.past.requests) == math.ceil(REACH / 16)


def test_requests_are_polite(make_fleet: Callable[..., Fleet]) -> None:
    """A pause after each request, and as long as it took after a slow one; told by what work_once asks to wait."""
    world = _world(make_fleet)
    world.tick()
    assert world.work() == pytest.approx(1.0)
    assert len(world.past.requests) == 1
    assert world.work(0.4) == pytest.approx(0.6)
    assert len(world.past.requests) == 1, "not before the pause is over"

    slow = world.past.load

    def taking_nine_seconds(*args: object) -> SeriesBatch:
        world.now_s += 9.0
        return slow(*args)  # type: ignore[arg-type]

    world.past.load = taking_nine_seconds  # type: ignore[assignment,method-assign]
    assert world.work(0.6) == pytest.approx(9.0)


def test_a_source_that_is_down_is_asked_ever_more_seldom_and_delays_no_other(
    make_workload: Callable[..., Workload],
) -> None:
    loads = []
    for lane in range(4):
        load = make_workload(f"w{lane}")
        source = "dead" if lane < 2 else "prom"
        loads.append(replace(load, demands=(replace(load.demands[0], source=source),)))
    sound = MemoryMetrics(STEP_S, ZERO, _truth(4))
    world = World(Fleet(tuple(loads)), Counting(sound), Counting(sound, "verdict", only=frozenset({"w0-0", "w1-0"})))
    world.tick()
    for _ in range(300):
        world.work(1.0)
    by_source = Counter(queries[0] in ("w0-0", "w1-0") for queries, _, _ in world.past.requests)
    assert by_source[True] <= 8, "5, 10, 20, 40, 80, 160 s"
    progress = world.backfill.progress
    assert (progress.rows, progress.rows_done) == (4, 2)
    assert progress.why == (("dead", DataVerdict.UNREACHABLE.words),)
    assert progress.unanswered == tuple((key, DataVerdict.UNREACHABLE.words) for key in world.fleet.row_keys()[:2])
    world.settle()
    assert world.backfill.progress.unanswered == ()
    world.check()


def test_a_row_that_is_not_answered_does_not_stop_the_others(make_fleet: Callable[..., Fleet]) -> None:
    world = _world(make_fleet)
    world.past.how, world.past.verdict, world.past.only = "verdict", DataVerdict.BAD_QUERY, frozenset({"w1-0"})
    world.tick()
    for _ in range(200):
        world.work()
    progress = world.backfill.progress
    assert (progress.rows_done, progress.rows_failing) == (2, 1)
    assert progress.why == (("prom", DataVerdict.BAD_QUERY.words),)
    assert "1 rows without an answer" in progress.words
    assert sum("w1-0" in queries for queries, _, _ in world.past.requests) < 12, "not in a loop"


def test_M17_a_range_that_is_too_heavy_is_asked_in_smaller_pieces_and_never_in_a_loop(
    make_fleet: Callable[..., Fleet],
) -> None:
    world = _world(make_fleet, 1)
    world.limits = replace(LIMITS, request_steps=128, request_points=1000)
    world.restart()

    def at_most_70(demands: Sequence[Demand], first: int, end: int, step_s: int) -> SeriesBatch:
        batch = Counting.load(world.past, demands, first, end, step_s)
        if end - first <= 70:
            return batch
        return SeriesBatch.judge(step_s, first, np.full((1, end - first), np.nan), DataVerdict.TOO_HEAVY)

    world.past.load = at_most_70  # type: ignore[assignment,method-assign]
    world.tick()
    world.settle()
    world.check()
    assert len(world.past.requests) <= 5

    world = _world(make_fleet, 1)
    world.past.how, world.past.verdict = "verdict", DataVerdict.TOO_HEAVY
    world.tick()
    for _ in range(3600):
        world.work()
    assert len(world.past.requests) < 20


def test_M23_a_hole_of_an_outage_is_asked_for_again_exactly_once(make_fleet: Callable[..., Fleet]) -> None:
    """An outage longer than the late window: what the source has of it is got, what it has not stays unknown."""
    world = _world(make_fleet, 2, gaps=0.0)
    lost = slice(305, 309)
    for series in world.live.sound.series.values():
        series[lost] = np.nan
    world.tick()
    world.settle()
    world.live.how = "verdict"
    began = world.now
    for _ in range(20):
        world.tick()
        world.work(60.0)
    assert world.past.asked_over("w0-0", began, world.now) == 0, "not while the source is away"
    for series in world.live.sound.series.values():
        series[began - ZERO + 5 : began - ZERO + 7] = np.nan
    ended = world.now
    world.settle()
    world.check()
    for _ in range(20):
        world.tick()
        world.work(700.0)
    assert {world.past.steps["w0-0", step] for step in range(began, ended - LATE)} == {1}
    faults = world.history.panel().faults(began, ended)
    assert (faults[:, 5:7] == DataVerdict.MISSING).all()
    world.backfill.flush()
    kept = world.store.load(world.fleet.row_keys(), STEP_S, began + 5, began + 7)
    assert (kept.marks == DataVerdict.MISSING | FINAL).all()

    world.restart()
    world.settle()
    assert world.past.asked_over("w0-0", began, ended) == 1, "nor after a restart"


def test_what_ticks_judged_is_not_undone_by_a_second_look(make_fleet: Callable[..., Fleet]) -> None:
    """A step that was taken back as STUCK stands beside a hole; the answer for the hole covers it too."""
    world = _world(make_fleet, 1, gaps=0.0)
    world.tick()
    world.settle()
    world.live.how, world.live.verdict = "verdict", DataVerdict.STUCK
    world.tick()
    stuck = world.now - 1
    world.live.verdict = DataVerdict.MISSING
    world.tick(RECENT - LATE)
    world.live.how = "sound"
    told = world.history.panel().faults(stuck, stuck + 1)[0, 0]
    world.tick(LATE)
    world.settle()
    assert told == DataVerdict.MISSING or world.history.panel().faults(stuck, stuck + 1)[0, 0] == DataVerdict.STUCK
    assert world.past.steps["w0-0", stuck + 1] == 1


def test_a_restart_needs_no_second_back_fill(make_fleet: Callable[..., Fleet]) -> None:
    world = _world(make_fleet, gaps=0.0)
    world.tick()
    world.settle()
    world.backfill.stop()
    world.past.requests.clear()
    world.live.requests.clear()
    world.now += 2
    world.restart()
    world.tick()
    world.settle()
    world.check()
    assert world.past.requests == []
    tail = world.live.requests[0]
    assert tail[2] - tail[1] <= 2 + 1 + 2 * LATE, "only what is missing, and the late ones again"
    assert world.backfill.progress.rows_restored == 3


def test_after_a_long_stop_only_the_gap_is_fetched(make_fleet: Callable[..., Fleet]) -> None:
    world = _world(make_fleet, gaps=0.0)
    world.tick()
    world.settle()
    ended = world.now
    world.backfill.stop()
    world.past.steps.clear()
    world.now += 50
    world.restart()
    world.tick()
    world.settle()
    world.check()
    asked = {step for _, step in world.past.steps}
    assert min(asked) >= ended - LATE
    assert max(asked) < ended + 51 - RECENT


def test_kill_in_the_middle_goes_on_where_the_last_flush_was(make_fleet: Callable[..., Fleet]) -> None:
    world = _world(make_fleet, 1)
    world.tick()
    for _ in range(4):
        world.work()
    assert world.backfill.flush()
    world.work()
    assert len(world.past.requests) == 5
    before = Counter(world.past.steps)
    world.restart()
    world.tick()
    world.settle()
    world.check()
    twice = [step for step, times in world.past.steps.items() if times > 1]
    assert len(twice) <= 16, "the request that was not flushed, and nothing else"
    assert set(twice) <= set(before)


def test_the_source_s_own_beginning_is_found_and_remembered(make_fleet: Callable[..., Fleet]) -> None:
    world = _world(make_fleet, 1, gaps=0.0)
    world.live.sound.series["w0-0"][: 300 - 20] = np.nan
    world.tick()
    world.settle()
    world.check()
    oldest = min(step for _, step in world.past.steps)
    assert oldest >= ZERO + 280 - 4 * 16, "two empty requests, and no more"
    world.backfill.stop()
    world.past.requests.clear()
    world.restart()
    world.settle()
    assert world.past.requests == []


def test_a_gap_inside_history_does_not_end_it(make_fleet: Callable[..., Fleet]) -> None:
    world = _world(make_fleet, 1, gaps=0.0)
    world.live.sound.series["w0-0"][240:270] = np.nan
    world.tick()
    world.settle()
    assert min(step for _, step in world.past.steps) <= ZERO + 210
    faults = world.history.panel().faults(ZERO + 273, ZERO + 275)
    assert (faults == DataVerdict.OK).all()


def test_another_query_is_another_row(make_fleet: Callable[..., Fleet]) -> None:
    world = _world(make_fleet, 1)
    world.tick()
    world.settle()
    world.past.requests.clear()
    load = world.fleet.workloads[0]
    world.live.sound.series["other"] = 7 + np.zeros(WIDTH)
    world.fleet = Fleet((replace(load, demands=(replace(load.demands[0], query="other"),)),))
    world.tick()
    world.settle()
    world.check()
    assert {q for queries, _, _ in world.past.requests for q in queries} == {"other"}


def test_another_capacity_is_the_same_row(make_fleet: Callable[..., Fleet]) -> None:
    world = _world(make_fleet, 1, gaps=0.0)
    world.tick()
    world.settle()
    world.past.requests.clear()
    load = world.fleet.workloads[0]
    world.fleet = Fleet((replace(load, demands=(replace(load.demands[0], capacity_per_replica=99.0),)),))
    world.tick()
    world.settle()
    world.check()
    assert world.past.requests == []


def test_a_row_that_left_and_came_back_is_read_from_the_store(make_fleet: Callable[..., Fleet]) -> None:
    world = _world(make_fleet, 3)
    every = world.fleet
    world.tick()
    world.settle()
    world.fleet = Fleet(every.workloads[1:])
    world.tick()
    world.work()
    world.past.steps.clear()
    left = world.now
    world.fleet = every
    world.tick(30)
    world.settle()
    world.check()
    assert min(step for query, step in world.past.steps if query == "w0-0") >= left - 3 * LATE


def test_a_disk_that_is_full_is_told_and_stops_nothing(
    make_fleet: Callable[..., Fleet], caplog: pytest.LogCaptureFixture
) -> None:
    world = _world(make_fleet)
    world.store.failing = True
    world.tick()
    with caplog.at_level(logging.INFO, "foresail"):
        for _ in range(200):
            world.tick(0)
            world.work()
        assert world.backfill.progress.store_error == "no space left on device"
        assert world.backfill.progress.unsaved_points > 0
        world.store.failing = False
        world.settle()
        world.work(100.0)
    world.check()
    assert sum("demand_store_failed" in m for m in caplog.messages) == 1, "once, not at every attempt"
    assert sum("demand_store_unreadable" in m for m in caplog.messages) == 1
    assert "demand_store_ok" in caplog.messages
    assert world.store.saves > 0


def test_progress_is_told_with_an_end_in_sight(
    make_fleet: Callable[..., Fleet], caplog: pytest.LogCaptureFixture
) -> None:
    world = _world(make_fleet)
    world.tick()
    with caplog.at_level(logging.INFO, "foresail"):
        for _ in range(15):
            world.work()
        seen = world.backfill.progress
        world.settle()
    assert seen.chunks_done > 0
    assert seen.chunks_left > 0
    assert seen.eta_s is not None
    assert seen.eta_s == pytest.approx(seen.chunks_left * 0.7, rel=0.6)
    assert "min left" in seen.words
    done = world.backfill.progress
    assert done.done
    assert (done.rows, done.rows_done) == (3, 3)
    assert caplog.messages[-1].startswith("backfill history of 3 of 3 rows is complete")


def test_ticks_that_stand_still_hold_the_back_fill_back(make_fleet: Callable[..., Fleet]) -> None:
    """What nobody takes is not fetched: memory stays bounded."""
    world = _world(make_fleet, 30)
    world.tick()
    for _ in range(300):
        world.work()
    assert len(world.past.requests) == engine.WAITING_PIECES


def test_the_thread_works_stops_and_writes(make_fleet: Callable[..., Fleet], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "COUNT_EVERY_S", 0.0)
    sound = MemoryMetrics(STEP_S, ZERO, _truth(2))
    fleet, store, history = make_fleet(lanes=2), MemoryDemandStore(), History(STEP_S, KEEP, LATE, RECENT)
    limits = replace(LIMITS, pause_s=0.0, idle_s=0.005, request_points=1000)
    reader = Counting(sound)
    backfill = Backfill(history, reader, store, limits)
    backfill.start()
    now = ZERO + 300
    until = time.monotonic() + 60
    while backfill.progress.rows_done < 2 and time.monotonic() < until:
        history.collect(reader, fleet, now)
        time.sleep(0.005)
    panel = history.collect(reader, fleet, now)
    assert (panel.faults(now - KEEP, now) != DataVerdict.UNREACHABLE).all()
    backfill.stop()
    backfill.stop()
    assert not any(t.name == "foresail-backfill" for t in threading.enumerate())
    kept = store.load(fleet.row_keys(), STEP_S, now - REACH, now - LATE)
    assert (kept.marks != UNASKED).all()


def test_the_thread_survives_what_nobody_thought_of(
    make_fleet: Callable[..., Fleet], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "AFTER_ERROR_S", 0.0)
    monkeypatch.setattr(engine, "COUNT_EVERY_S", 0.0)
    history = History(STEP_S, KEEP, LATE, RECENT)
    sound = MemoryMetrics(STEP_S, ZERO, _truth(1))
    failing = [ZeroDivisionError(), ZeroDivisionError()]

    def clock() -> float:
        if failing:
            raise failing.pop()
        return time.monotonic()

    backfill = Backfill(history, sound, MemoryDemandStore(), replace(LIMITS, pause_s=0.0, idle_s=0.005), clock=clock)
    backfill.start()
    until = time.monotonic() + 60
    while not backfill.progress.rows and time.monotonic() < until:
        history.collect(sound, make_fleet(lanes=1), ZERO + 300)
        time.sleep(0.005)
    backfill.stop()
    assert backfill.progress.rows == 1
    assert "backfill_failed" in caplog.messages


def test_K24_what_lacks_its_newest_week_is_told_until_it_is_in_and_not_after_a_restart_with_it(
    make_fleet: Callable[..., Fleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "NEWEST_S", 60 * STEP_S)
    monkeypatch.setitem(globals(), "KEEP", 90)
    world = _world(make_fleet)
    keys = frozenset(world.fleet.row_keys())
    world.past.how, world.past.verdict = "verdict", DataVerdict.UNREACHABLE
    world.backfill.restore(world.fleet, world.now)
    assert world.history.lacking == keys, "before the first tick"
    world.tick()
    for _ in range(40):
        world.work(1.0)
    assert world.history.lacking == keys, "the source does not answer"
    world.past.how = "sound"
    asked = 0
    while world.backfill._link.lacking:
        world.work(1.0)
        asked += 1
        assert asked < 400
    assert world.history.lacking == keys, "found, and not taken in"
    world.tick()
    assert not world.history.lacking
    older = 0
    while not world.backfill.progress.done:
        world.work(11.0)
        older += len(world.backfill._link.found)
        assert not world.history.lacking, "what is on its way is older, and nobody waits for it"
        world.history.collect(world.live, world.fleet, world.now)
    assert older
    world.settle()
    world.restart()
    assert not world.backfill._link.lacking
