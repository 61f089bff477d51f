"""The live tick under faults: whatever a source, model, clock or person does, the tick goes on and stays safe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.decision import Decisions, State
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.forecast import ForesightAt
from autoscaler.domain.reasons import Reason
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.series import DataVerdict, Ints, Panel, SeriesBatch
from autoscaler.domain.workload import Actuation, Demand, Mode, PolicyType, ScalingRule, StepPolicy, Workload
from autoscaler.forecasting.contract import PeakForecaster
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState
from autoscaler.pipeline.tick import Pipeline
from autoscaler.simulator.cluster import MemoryCluster
from autoscaler.simulator.metrics import MemoryMetrics

ZERO = 500_000
PLAN = CalibrationPlan(window_s=4 * 3600, sample_s=300, refit_s=3600, least=8)


@dataclass
class Collected:
    ticks: list[Decisions] = field(default_factory=list)

    def append(self, decisions: Decisions) -> None:
        self.ticks.append(decisions)


@dataclass
class World:
    fleet: Fleet
    metrics: Any
    models: tuple[PeakForecaster, ...] = (LastValue(),)
    replicas: int = 12
    sink: Collected = field(default_factory=Collected)

    def __post_init__(self) -> None:
        start = np.full(len(self.fleet), self.replicas, dtype=np.int64)
        self.cluster = MemoryCluster(self.fleet, 60, self.fleet.is_floor.copy(), start)
        server = PeakServer(self.models, PLAN)
        self.pipeline = Pipeline(self.metrics, self.cluster, self.sink, History(60, 400), server, CHAIN)

    def tick(self, step: int) -> Decisions:
        self.cluster.begin()
        return self.pipeline.tick(self.fleet, datetime.fromtimestamp(step * 60, UTC))


def _metrics(fleet: Fleet, level: float = 100.0, delay: int = 0) -> MemoryMetrics:
    rng = np.random.default_rng(0)
    series = {d.query: level * rng.lognormal(0, 0.02, 2000) for d in fleet.demands}
    return MemoryMetrics(60, ZERO, series, data_delay_steps=delay)


def test_a_fleet_of_nobody_ticks_harmlessly_and_may_grow(
    make_fleet: Callable[..., Fleet], make_workload: Callable[..., Workload]
) -> None:
    full = make_fleet(lanes=2)
    world = World(full, _metrics(full))
    world.fleet = Fleet(())
    for step in (ZERO + 500, ZERO + 501):
        decisions = world.tick(step)
        assert len(decisions) == 0
        assert decisions.fingerprint().shape == (0, 6)
    world.fleet = full
    assert len(world.tick(ZERO + 502)) == 2
    world.fleet = Fleet(())
    assert len(world.tick(ZERO + 503)) == 0


def test_the_first_tick_on_a_late_source_is_as_sound_as_the_next(make_fleet: Callable[..., Fleet]) -> None:
    """A delayed source once looked like missing data for as many ticks as it was late, at every start."""
    fleet = make_fleet(lanes=1)
    world = World(fleet, _metrics(fleet, delay=2))
    for step in range(ZERO + 500, ZERO + 504):
        decisions = world.tick(step)
        assert decisions.seen.data_delay_steps.tolist() == [2]
        assert decisions.seen.verdict.tolist() == [DataVerdict.OK]
        assert decisions.seen.age_s.tolist() == [120.0]
        assert not decisions.held.any()


def test_a_clock_set_back_neither_raises_nor_looks_ahead(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lanes=1)
    world = World(fleet, _metrics(fleet))
    for step in (ZERO + 500, ZERO + 501, ZERO + 495, ZERO + 496, ZERO + 502):
        decisions = world.tick(step)
        assert decisions.seen.data_delay_steps.tolist() == [0]
        assert decisions.seen.step == step
        assert 10 <= int(decisions.granted[0]) <= 14


def test_a_long_sleep_is_read_up_and_decided_on_fresh_data(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lanes=1)
    world = World(fleet, _metrics(fleet))
    world.tick(ZERO + 500)
    decisions = world.tick(ZERO + 1900)
    assert decisions.seen.age_s.tolist() == [0.0]
    assert not decisions.held.any()


@pytest.mark.parametrize("fault", ["down", "gone", np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("kind", [Actuation.SCALE, Actuation.HPA_FLOOR])
def test_M01_M03_M04_M05_bad_data_holds_one_lane_and_says_so(
    make_workload: Callable[..., Workload], fault: Any, kind: Actuation
) -> None:
    bad, good = make_workload("bad", actuation=kind), make_workload("good", actuation=kind)
    bad = replace(bad, demands=(replace(bad.demands[0], source="other"),))
    fleet = Fleet((bad, good))
    world = World(fleet, _metrics(fleet))
    quiet = world.metrics.series["bad-0"]
    quiet[520:] = 5.0  # it would want to shrink, and must not
    for step in range(500, 515):
        world.tick(ZERO + step)
    if fault == "down":
        world.metrics.down.add("other")
    elif fault == "gone":
        del world.metrics.series["bad-0"]
    else:
        quiet[514:540] = fault
    before = int(world.cluster.desired[0])
    for step in range(515, 540):
        decisions = world.tick(ZERO + step)
        assert int(decisions.granted[0]) >= int(decisions.proposals.current[0])
        assert decisions[0].state is State.HOLDING
        assert {Reason.BAD_DATA, Reason.STALE_DATA} & set(decisions[0].reasons)
        assert decisions[0].demands[0].observed != 0
        assert not decisions.held[1]
    assert int(world.cluster.desired[0]) >= before


@dataclass
class Mad:
    """A forecaster that sees a hundred million times the demand in its newest answer, or fails outright."""

    how: str
    name: str = "mad"

    def history_steps(self, _: int) -> int:
        return 5

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Any:
        point = LastValue().peaks(panel, origins, lead)
        if self.how == "high":
            return point * 1e8 if len(origins) == 1 else point
        if self.how == "raises":
            raise RuntimeError("no artefact")
        bent = {"nan": point * np.nan, "inf": point * np.inf, "shape": point[:0]}
        return bent[self.how] if self.how in bent else point.astype(np.float32)


@pytest.mark.parametrize("kind", [Actuation.SCALE, Actuation.HPA_FLOOR])
def test_F03_an_absurd_forecast_is_capped_by_steps_and_max(make_fleet: Callable[..., Fleet], kind: Actuation) -> None:
    up = ScalingRule(0, (StepPolicy(PolicyType.PODS, 5, 60),))
    fleet = make_fleet(lanes=1, actuation=kind, scale_up=up, max_replicas=40)
    world = World(fleet, _metrics(fleet), models=(Mad("high"),))
    seen = []
    for step in range(500, 515):
        decisions = world.tick(ZERO + step)
        assert int(decisions.wanted[0]) > 10**6
        limited = max(int(decisions.proposals.current[0]) + 5, int(decisions.proposals.observed_need[0]))
        seen.append((limited, int(decisions.granted[0])))
    assert all(granted <= limited for limited, granted in seen)
    assert seen[-1][1] == (40 if kind is Actuation.SCALE else 36)  # a floor stays below the HPA's max


@pytest.mark.parametrize("how", ["raises", "nan", "inf", "shape", "type"])
@pytest.mark.parametrize("backed", [True, False])
def test_F04_the_tick_goes_on_with_the_next_model_or_none(
    make_fleet: Callable[..., Fleet], how: str, backed: bool
) -> None:
    fleet = make_fleet(lanes=2)
    world = World(fleet, _metrics(fleet), models=(Mad(how), LastValue()) if backed else (Mad(how),))
    for step in (500, 501):
        decisions = world.tick(ZERO + step)
        assert decisions.proposals.predicted.tolist() == [backed, backed]
        assert (decisions.granted >= 10).all()
        assert decisions[0].sizing is (Reason.FORECAST_PEAK if backed else Reason.NO_FORECAST)
        assert ("mad" in world.pipeline.server.quarantined) is (how != "nan")


@dataclass
class Broken:
    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        raise ConnectionError(f"{len(demands)} {first_step} {end_step} {step_s}")


def test_M01_a_reader_that_raises_from_the_start_changes_nothing(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lanes=3)
    world = World(fleet, Broken())
    for step in (500, 501, 502):
        decisions = world.tick(ZERO + step)
        np.testing.assert_array_equal(decisions.granted, 12)
        assert (decisions.seen.verdict == DataVerdict.UNREACHABLE).all()
    assert world.cluster.writes == 0
    assert len(world.sink.ticks) == 3  # a no-op is recorded too


def test_advise_writes_nothing_and_still_records(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lanes=1, mode=Mode.ADVISE)
    world = World(fleet, _metrics(fleet, 400.0))
    decisions = world.tick(ZERO + 500)
    assert int(decisions.granted[0]) > 12
    assert world.cluster.writes == 0
    assert decisions[0].state is State.ADVISORY


def _status(current: int, kind: Actuation, ceiling: int = NO_LIMIT, ready: int | None = None) -> ReplicaStatus:
    count = np.array([current])
    runs = np.array([current if ready is None else ready])
    floor = kind.is_floor
    return ReplicaStatus(np.array([True]), runs if floor else count, runs, count, np.array([ceiling]))


@pytest.mark.parametrize(
    ("floor", "ceiling", "granted"),
    [(2, 9, 8), (2, 6, 6), (2, 4, 4), (2, 1, 1), (1, 0, 1), (1, -3, 1)],
)
def test_a_floor_never_passes_the_live_ceiling_nor_falls_to_zero(
    make_fleet: Callable[..., Fleet], make_seen: Callable[..., ForesightAt], floor: int, ceiling: int, granted: int
) -> None:
    """min is 5; a person lowered the HPA's max in an incident, and that wins."""
    fleet = make_fleet(lanes=1, actuation=Actuation.HPA_FLOOR, min_replicas=5)
    state, down = LoopState.fresh(fleet, 60), floor
    for step in range(100, 110):
        status = _status(down, Actuation.HPA_FLOOR, ceiling, ready=12)
        seen = make_seen(fleet, step, 20.0, 70.0)
        decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=step * 60.0)
        down = int(decisions.granted[0])
        assert 1 <= down <= max(granted, floor)
    assert down == granted


@settings(max_examples=60, deadline=None)
@given(
    low=st.integers(1, 30),
    span=st.integers(0, 30),
    current=st.integers(1, 40),
    loads=st.lists(st.floats(0, 1e6), min_size=2, max_size=8),
)
def test_D18_granted_is_inside_the_limits_and_monotone_in_load(
    make_fleet: Callable[..., Fleet], make_seen: Callable[..., ForesightAt], low: int, span: int, current: int,
    loads: list[float],
) -> None:  # fmt: skip
    free = ScalingRule()
    fleet = make_fleet(lanes=1, min_replicas=low, max_replicas=low + span, scale_up=free, scale_down=free)
    got = []
    for load in sorted(loads):
        status = _status(current, Actuation.SCALE)
        state = LoopState.fresh(fleet, 60)
        decisions, _ = decide(fleet, make_seen(fleet, 100, load), status, state, CHAIN, now_s=6000.0)
        got.append(int(decisions.granted[0]))
    assert got == sorted(got)
    assert all(low <= n <= low + span for n in got)


@pytest.mark.parametrize(
    ("load", "granted"), [(0.0, 1), (1e-9, 1), (10.0, 1), (10.1, 2), (990.0, 99), (990.1, 100), (1000.1, 100)]
)
def test_D18_rounding_at_one_and_at_max(
    make_fleet: Callable[..., Fleet], make_seen: Callable[..., ForesightAt], load: float, granted: int
) -> None:
    fleet = make_fleet(lanes=1, scale_down=ScalingRule())
    state, current = LoopState.fresh(fleet, 60), 1
    for step in (100, 101):
        status = _status(current, Actuation.SCALE)
        decisions, state = decide(fleet, make_seen(fleet, step, load), status, state, CHAIN, now_s=step * 60.0)
        current = int(decisions.granted[0])
    assert current == granted


@pytest.mark.parametrize("load", [2.2e9, 1e300, np.finfo(np.float64).max])
@pytest.mark.parametrize("capacity", [0.1, 1e-300])
def test_M06_a_huge_load_saturates_at_max(
    make_fleet: Callable[..., Fleet], make_seen: Callable[..., ForesightAt], load: float, capacity: float
) -> None:
    fleet = make_fleet(lanes=1, capacities=(capacity,), headroom=2.0)
    seen = make_seen(fleet, 100, load, load)
    status = _status(50, Actuation.SCALE)
    decisions, _ = decide(fleet, seen, status, LoopState.fresh(fleet, 60), CHAIN, now_s=6000.0)
    assert decisions.granted.tolist() == [100]
    assert decisions[0].granted == 100
