"""History must always be what one direct read of the kept window would have given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.errors import SourceDown
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand, Workload
from autoscaler.intake.history import History
from autoscaler.simulator.metrics import MemoryMetrics

STEP_S, KEEP, ZERO = 60, 40, 10_000
WIDTH = 4000


def _truth(rows: int, gaps: float = 0.1) -> dict[str, np.ndarray]:
    """By query; never zero, so that a zero that turns up is made up."""
    rng = np.random.default_rng(rows)
    raw = 1 + 100 * rng.random((rows, WIDTH))
    raw[rng.random(raw.shape) < gaps] = np.nan
    raw[rng.random(raw.shape) < 0.01] = np.inf
    raw[rng.random(raw.shape) < 0.01] = -1.0
    return {f"w{lane}-0": raw[lane] for lane in range(rows)}


def _check(history: History, metrics: MemoryMetrics, fleet: Fleet, now: int) -> None:
    """What is kept of [now - keep, end) equals a direct read; the end is where the source ends."""
    panel = history.panel()
    direct = metrics.load(fleet.demands, now - KEEP, now, STEP_S)
    assert panel.end_step <= now
    assert panel.end_step >= direct.end_step
    np.testing.assert_array_equal(panel.columns(now - KEEP, direct.end_step), direct.values)
    np.testing.assert_array_equal(panel.faults(now - KEEP, direct.end_step), direct.verdicts)
    assert np.isnan(panel.columns(direct.end_step, now)).all()
    assert not (panel.values == 0).any()
    np.testing.assert_array_equal(np.isfinite(panel.values), panel.verdicts == DataVerdict.OK)


@settings(max_examples=60, deadline=None)
@given(
    jumps=st.lists(st.sampled_from([0, 1, 1, 1, 2, 5, 30, KEEP, KEEP + 1, 70, 104, 105, 106, 500]), max_size=25),
    delay=st.integers(0, 7),
)
def test_any_schedule_of_ticks_equals_a_direct_read(
    make_fleet: Callable[..., Fleet], jumps: list[int], delay: int
) -> None:
    fleet, history = make_fleet(lanes=3), History(STEP_S, KEEP)
    metrics = MemoryMetrics(STEP_S, ZERO, _truth(3), data_delay_steps=delay)
    now = ZERO + 100
    for jump in (0, *jumps):
        now += jump
        panel = history.collect(metrics, fleet, now)
        _check(history, metrics, fleet, now)
        assert panel.end_step == now - delay


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_fleets_that_change_equal_a_direct_read(make_workload: Callable[..., Workload], data: st.DataObject) -> None:
    metrics = MemoryMetrics(STEP_S, ZERO, _truth(6), data_delay_steps=data.draw(st.integers(0, 2)))
    history, now = History(STEP_S, KEEP), ZERO + 100
    for _ in range(data.draw(st.integers(1, 8))):
        lanes = data.draw(st.permutations(range(6)))[: data.draw(st.integers(0, 6))]
        loads = []
        for lane in lanes:
            load = make_workload(f"w{lane}")
            query = data.draw(st.sampled_from([f"w{lane}-0", f"w{lane}-0", f"w{(lane + 1) % 6}-0", "gone"]))
            loads.append(replace(load, demands=(replace(load.demands[0], query=query),)))
        fleet = Fleet(tuple(loads))
        for _ in range(data.draw(st.integers(1, 3))):
            now += data.draw(st.sampled_from([0, 1, 3, KEEP + 5]))
            history.collect(metrics, fleet, now)
            _check(history, metrics, fleet, now)


@dataclass
class Lagging:
    """Each sample comes `lag` steps after it was due; until then it is missing."""

    truth: np.ndarray
    lag: np.ndarray
    now: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list)

    def load(self, _: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        self.asked.append((first_step, end_step))
        at = np.arange(first_step, end_step) - ZERO
        there = at + 1 + self.lag[at] <= self.now - ZERO
        return SeriesBatch.judge(step_s, first_step, np.where(there, self.truth[at], np.nan)[np.newaxis])


def test_samples_that_come_late_are_not_lost(make_fleet: Callable[..., Fleet]) -> None:
    rng = np.random.default_rng(0)
    truth, fleet, history = 1 + rng.random(WIDTH), make_fleet(lanes=1), History(STEP_S, KEEP, late_steps=5)
    reader = Lagging(truth, rng.integers(0, 6, WIDTH))
    for now in range(ZERO + 100, ZERO + 300):
        reader.now = now
        panel = history.collect(reader, fleet, now)
        settled = now - 6
        np.testing.assert_array_equal(panel.columns(now - KEEP, settled)[0], truth[now - KEEP - ZERO : settled - ZERO])
    assert max(end - first for first, end in reader.asked[1:]) == 6  # only what is new, and the late ones again


@dataclass
class Flaky:
    """Answers as `sound` does, or badly."""

    sound: MemoryMetrics
    how: str = "sound"

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        batch = self.sound.load(demands, first_step, end_step, step_s)
        match self.how:
            case "raises":
                raise SourceDown("connection refused")
            case "crashes":
                raise ZeroDivisionError
            case "too few rows":
                return SeriesBatch(step_s, first_step, batch.values[1:], batch.verdicts[1:])
            case "another start":
                return SeriesBatch(step_s, first_step + 1, batch.values, batch.verdicts)
            case "another step":
                return SeriesBatch(2 * step_s, first_step, batch.values, batch.verdicts)
            case "from the future":
                more = np.concatenate([batch.values, batch.values], axis=1)
                return SeriesBatch.judge(step_s, first_step, more)
        return batch


@pytest.mark.parametrize(
    "how", ["raises", "crashes", "too few rows", "another start", "another step", "from the future"]
)
def test_M01_a_bad_answer_costs_its_ticks_data_only(make_fleet: Callable[..., Fleet], how: str) -> None:
    fleet, history = make_fleet(lanes=2), History(STEP_S, KEEP)
    reader, now = Flaky(MemoryMetrics(STEP_S, ZERO, _truth(2))), ZERO + 100
    known = history.collect(reader, fleet, now).columns(now - KEEP, now)
    reader.how = how
    panel = history.collect(reader, fleet, now + 3)
    np.testing.assert_array_equal(panel.columns(now - KEEP, now), known)
    assert panel.end_step == now + 3
    assert (panel.faults(now, now + 3) == DataVerdict.UNREACHABLE).all()
    assert np.isnan(panel.columns(now, now + 3)).all()
    reader.how = "sound"
    history.collect(reader, fleet, now + 4)
    _check(history, reader.sound, fleet, now + 4)


def test_a_reader_that_never_answers_is_unknown_from_the_start(make_fleet: Callable[..., Fleet]) -> None:
    fleet, history = make_fleet(lanes=2), History(STEP_S, KEEP)
    panel = history.collect(Flaky(MemoryMetrics(STEP_S, ZERO, _truth(2)), "raises"), fleet, ZERO + 100)
    assert np.isnan(panel.columns(ZERO + 60, ZERO + 100)).all()
    assert (panel.faults(ZERO + 60, ZERO + 100) == DataVerdict.UNREACHABLE).all()


@settings(max_examples=40, deadline=None)
@given(hows=st.lists(st.sampled_from(["sound", "raises", "too few rows"]), max_size=30), jump=st.integers(1, 4))
def test_M03_whatever_happens_unknown_never_becomes_a_number(
    make_fleet: Callable[..., Fleet], hows: list[str], jump: int
) -> None:
    truth = _truth(2)
    fleet, history, reader = make_fleet(lanes=2), History(STEP_S, KEEP), Flaky(MemoryMetrics(STEP_S, ZERO, truth))
    now = ZERO + 100
    for how in hows:
        reader.how, now = how, now + jump
        panel = history.collect(reader, fleet, now)
        got = panel.columns(now - KEEP, now)
        want = np.stack([series[now - KEEP - ZERO : now - ZERO] for series in truth.values()])
        known = np.isfinite(got)
        np.testing.assert_array_equal(got[known], want[known])
        np.testing.assert_array_equal(known, panel.faults(now - KEEP, now) == DataVerdict.OK)
        if how == "sound":
            assert np.isfinite(got[:, -1]).tolist() == (np.isfinite(want[:, -1]) & (want[:, -1] >= 0)).tolist()


def test_a_clock_that_was_set_back_reads_nothing_and_forgets_nothing(make_fleet: Callable[..., Fleet]) -> None:
    fleet, history, metrics = make_fleet(lanes=1), History(STEP_S, KEEP), MemoryMetrics(STEP_S, ZERO, _truth(1))
    history.collect(metrics, fleet, ZERO + 100)
    before = history.panel().columns(ZERO + 60, ZERO + 100)
    panel = history.collect(metrics, fleet, ZERO + 90)
    np.testing.assert_array_equal(panel.columns(ZERO + 60, ZERO + 100), before)
    history.collect(metrics, fleet, ZERO + 101)
    _check(history, metrics, fleet, ZERO + 101)


def test_memory_stays_bounded(make_fleet: Callable[..., Fleet]) -> None:
    fleet, history, metrics = make_fleet(lanes=2), History(STEP_S, KEEP), MemoryMetrics(STEP_S, ZERO, _truth(2))
    for now in range(ZERO, ZERO + 600):
        history.collect(metrics, fleet, now)
        assert KEEP <= history.panel().values.shape[1] <= KEEP + 64
