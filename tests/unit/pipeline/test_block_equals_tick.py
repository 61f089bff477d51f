"""The property that makes a simulation worth believing: blocks, single origins and live ticks are one thing."""

from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.domain.calendar import Once
from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import LEVELS, ForesightAt
from autoscaler.domain.policy import (
    Brake,
    Budget,
    Fallback,
    Freeze,
    Growth,
    Guarded,
    Origin,
    PolicyPause,
    ReplicaWindow,
    Survive,
)
from autoscaler.domain.series import Floats, Ints, Panel, SeriesBatch, time_of
from autoscaler.domain.workload import (
    Actuation,
    Demand,
    Lead,
    Mode,
    Pause,
    PauseDirection,
    PolicyType,
    ScalingRule,
    SelectPolicy,
    StepPolicy,
    Target,
    Workload,
    WorkloadRef,
)
from autoscaler.forecasting.naive import LastValue, RecentMax, RecentMean, SeasonalNaive
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.foresee import foresee
from autoscaler.pipeline.tick import Pipeline
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster
from autoscaler.simulator.metrics import MemoryMetrics
from autoscaler.simulator.run import Recording, Run

STEP_S = 60
FIRST = 27_000_011
WARM, STEPS = 330, 45
PLAN = CalibrationPlan(window_s=3 * 3600, sample_s=300, refit_s=900, least=8)
DIRECTIONS = tuple(PauseDirection)


@dataclass(frozen=True)
class Start:
    """A global model in small: each row is a beginner under this plan, some by share and some alone."""

    name: str = "start"
    levels: tuple[float, ...] = LEVELS

    def history_steps(self, step_s: int) -> int:
        return 7200 // step_s

    def quantiles(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        peak = RecentMax(7200, "2h").peaks(panel, origins, lead)
        return peak[:, :, None] * np.array([1.0, 1.1, 1.3])


def _server() -> PeakServer:
    models = (LastValue(), SeasonalNaive(3600, "hour"), RecentMean(), RecentMax(600, "10m"))
    return PeakServer(models, PLAN, start=Start())


@dataclass(frozen=True)
class World:
    """One drawn case: who is there, what was offered and what the metrics said about it."""

    fleet: Fleet
    raw: np.ndarray
    delay: int
    settings: ClusterSettings
    replicas: np.ndarray

    @property
    def panel(self) -> Panel:
        return Panel.of(SeriesBatch.judge(STEP_S, FIRST, self.raw))

    def cluster(self) -> MemoryCluster:
        return MemoryCluster(self.fleet, STEP_S, self.fleet.is_floor.copy(), self.replicas, self.settings)


def _rule(rng: np.random.Generator) -> ScalingRule:
    policies = tuple(
        StepPolicy(PolicyType.PODS if rng.random() < 0.5 else PolicyType.PERCENT, int(rng.integers(1, 60)), period)
        for period in rng.choice([30, 60, 120, 600], size=rng.integers(0, 3), replace=False).tolist()
    )
    select = rng.choice([SelectPolicy.MAX, SelectPolicy.MIN, SelectPolicy.MAX, SelectPolicy.DISABLED])
    return ScalingRule(int(rng.choice([0, 60, 300, 900])), policies, SelectPolicy(select))


def _guarded(rng: np.random.Generator) -> Guarded | None:
    """What policies may say of one workload, with windows that open and close inside the steps that are run."""
    if rng.random() < 0.5:
        return None
    here = Origin("GuardPolicy p", "limits", "p.yaml:1", "00000000")
    first_s = (FIRST + WARM) * STEP_S

    def window() -> Once:
        start_s = first_s + float(rng.integers(-600, STEPS * STEP_S))
        return Once(start_s, start_s + float(rng.integers(1, STEPS * STEP_S)))

    def count() -> int:
        return int(rng.integers(1, 60))

    windows = (
        ReplicaWindow("min", window(), here, count()),
        ReplicaWindow("max", window(), here, None, count()),
        ReplicaWindow("event", window(), here, count(), bounded=True),
    )
    until = time_of(FIRST + WARM + int(rng.integers(0, STEPS)), STEP_S)
    pause = PolicyPause(Pause(DIRECTIONS[int(rng.integers(3))], "sre", "incident", until), here)
    return Guarded(
        windows=tuple(w for w in windows if rng.random() < 0.4),
        freezes=(Freeze("f", window(), here, list(Growth)[int(rng.integers(3))]),) if rng.random() < 0.3 else (),
        pauses=(pause,) if rng.random() < 0.2 else (),
        fallback=Fallback(float(rng.choice([60, 600])), count(), here) if rng.random() < 0.3 else None,
        survive=Survive(here, int(rng.integers(0, 3)), 3) if rng.random() < 0.3 else None,
        up_cap=_rule(rng) if rng.random() < 0.3 else ScalingRule(),
        down_cap=_rule(rng) if rng.random() < 0.3 else ScalingRule(),
        clash=(here, here) if rng.random() < 0.05 else None,
        unknown=here if rng.random() < 0.05 else None,
        brakes=(Brake(0.5, here),) if rng.random() < 0.4 else (),
        budgets=(Budget(40, here),) if rng.random() < 0.4 else (),
        priority=int(rng.integers(0, 3)),
    )


def _workload(rng: np.random.Generator, name: str) -> Workload:
    pause = None
    if rng.random() < 0.3:
        until = time_of(FIRST + WARM + int(rng.integers(0, STEPS)), STEP_S)
        pause = Pause(DIRECTIONS[int(rng.integers(3))], "sre", "incident", until)
    least = int(rng.integers(1, 5))
    return Workload(
        ref=WorkloadRef("shop", name),
        target=Target("apps/v1", "Deployment", name),
        demands=tuple(
            Demand(f"d{k}", "prom", f"{name}-{k}", float(rng.uniform(5, 50))) for k in range(rng.integers(1, 4))
        ),
        min_replicas=least,
        max_replicas=least + int(rng.integers(0, 60)),
        lead=Lead(float(rng.integers(0, 400))),
        mode=Mode.ACT,
        actuation=Actuation.SCALE if rng.random() < 0.5 else Actuation.HPA_FLOOR,
        risk=float(rng.uniform(0.001, 0.2)),
        headroom=float(rng.choice([1.0, 1.3])),
        scale_up=_rule(rng),
        scale_down=_rule(rng),
        max_data_age_s=float(rng.choice([30, 60, 180, 200, 900])),
        pause=pause,
        guarded=_guarded(rng),
    )


def _world(seed: int, lanes: int, delay: int) -> World:
    rng = np.random.default_rng(seed)
    fleet = Fleet(tuple(_workload(rng, f"w{i}") for i in range(lanes)))
    rows, width = len(fleet.demands), WARM + STEPS + 20
    t = np.arange(width)
    level = rng.uniform(10, 1000, (rows, 1))
    raw = level * (1 + 0.6 * np.sin(2 * np.pi * t / 60 + rng.uniform(0, 6, (rows, 1))))
    raw *= rng.lognormal(0, rng.uniform(0, 0.3), raw.shape)
    raw[rng.random(raw.shape) < rng.choice([0.0, 0.01, 0.2])] = np.nan
    raw[rng.random(raw.shape) < 0.005] = rng.choice([np.inf, -1.0, 1e300])
    for row in range(rows):
        if rng.random() < 0.4:
            start = WARM + int(rng.integers(-60, STEPS))
            raw[row, start : start + int(rng.integers(1, 40))] = np.nan
    replicas = rng.integers(0, 30, lanes).astype(np.int64)
    return World(fleet, raw, delay, ClusterSettings(start_failure=0.2, seed=seed), replicas)


WORLDS = st.builds(_world, st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 4))


def _origin_arrays(at: ForesightAt) -> dict[str, Any]:
    return {f.name: getattr(at, f.name) for f in fields(at)}


def _assert_same_origin(a: ForesightAt, b: ForesightAt) -> None:
    one, other = _origin_arrays(a), _origin_arrays(b)
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def _check_block_of_origins(world: World) -> None:
    first = FIRST + WARM
    block = foresee(world.panel, world.fleet, _server(), first, origins=STEPS, data_delay_steps=world.delay)
    single = _server()
    for at in range(STEPS):
        alone = foresee(world.panel, world.fleet, single, first + at, data_delay_steps=world.delay)
        _assert_same_origin(alone.at(0), block.at(at))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=WORLDS)
def test_a_block_of_origins_is_bitwise_the_same_as_single_origins(world: World) -> None:
    _check_block_of_origins(world)


@settings(max_examples=20, deadline=None)
@given(world=WORLDS, lane=st.integers(0, 3))
def test_what_is_foreseen_of_a_lane_does_not_depend_on_the_fleet(world: World, lane: int) -> None:
    lane %= len(world.fleet)
    load = world.fleet.workloads[lane]
    rows = np.flatnonzero(world.fleet.row_lane == lane)
    alone = Panel.of(SeriesBatch.judge(STEP_S, FIRST, world.raw[rows]))
    origin = FIRST + WARM + 7
    one = foresee(alone, Fleet((load,)), _server(), origin, data_delay_steps=world.delay).at(0)
    every = foresee(world.panel, world.fleet, _server(), origin, data_delay_steps=world.delay).at(0)
    cut = {
        f.name: getattr(every, f.name)[[lane] if f.name == "data_delay_steps" else rows]
        for f in fields(every)
        if isinstance(getattr(every, f.name), np.ndarray)
    }
    _assert_same_origin(one, replace(every, **cut))


@dataclass
class Collected:
    """Implements ports.DecisionWriter."""

    ticks: list[Decisions] = field(default_factory=list)

    def append(self, decisions: Decisions) -> None:
        self.ticks.append(decisions)


def _run_by_blocks(world: World, block_steps: int) -> list[Decisions]:
    sink = Collected()
    recording = Recording(world.panel, world.panel)
    run = Run(
        world.fleet, recording, world.cluster(), FIRST + WARM, FIRST + WARM + STEPS,
        server=_server(), guards=CHAIN, data_delay_steps=world.delay, block_steps=block_steps, watch=sink.append,
    )  # fmt: skip
    run.finish()
    return sink.ticks


def _run_by_ticks(world: World) -> list[Decisions]:
    series = {d.query: world.raw[row] for row, d in enumerate(world.fleet.demands)}
    metrics = MemoryMetrics(STEP_S, FIRST, series, data_delay_steps=world.delay)
    cluster, server, sink = world.cluster(), _server(), Collected()
    deepest = server.history_steps(STEP_S, int(world.fleet.lead_steps(STEP_S, world.delay).max()))
    history = History(STEP_S, deepest + world.delay + 20)
    pipeline = Pipeline(metrics, cluster, sink, history, server, CHAIN)
    behind = world.delay + 1
    demand = world.panel.columns(FIRST + WARM - behind, FIRST + WARM + STEPS - behind, world.fleet.row_start)
    for at in range(STEPS):
        now = datetime.fromtimestamp((FIRST + WARM + at) * STEP_S, UTC)
        cluster.begin(FIRST + WARM + at)
        pipeline.tick(world.fleet, now)
        cluster.sync_hpas(now.timestamp(), demand[:, at])
    return sink.ticks


def _check_run(world: World, block_steps: int) -> None:
    by_blocks, by_ticks = _run_by_blocks(world, block_steps), _run_by_ticks(world)
    assert len(by_blocks) == len(by_ticks) == STEPS
    for a, b in zip(by_blocks, by_ticks, strict=True):
        assert (a.now_s, a.expires_s) == (b.now_s, b.expires_s)
        _assert_same_origin(a.seen, b.seen)
        for name in ("granted", "wanted", "margin", "sizing", "held"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
        np.testing.assert_array_equal(a.reason_bits(), b.reason_bits())
        np.testing.assert_array_equal(a.fingerprint(), b.fingerprint())
        np.testing.assert_array_equal(a.status.ready, b.status.ready)
        for f in fields(a.proposals):
            np.testing.assert_array_equal(getattr(a.proposals, f.name), getattr(b.proposals, f.name), err_msg=f.name)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=WORLDS, block_steps=st.integers(1, STEPS + 5))
def test_a_run_by_blocks_decides_exactly_as_the_live_pipeline(world: World, block_steps: int) -> None:
    _check_run(world, block_steps)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=WORLDS, block_steps=st.integers(1, STEPS + 5))
def test_many_runs_by_blocks_decide_exactly_as_the_live_pipeline(world: World, block_steps: int) -> None:
    _check_block_of_origins(world)
    _check_run(world, block_steps)


def test_the_drawn_worlds_are_not_trivial() -> None:
    """The property would hold for a pipeline that never does anything."""
    decisions = [d for seed in range(6) for d in _run_by_blocks(_world(seed, 3, 1), 20)]
    granted = np.concatenate([d.granted - d.proposals.current for d in decisions])
    assert (granted > 0).any()
    assert (granted < 0).any()
    assert len({int(b) for d in decisions for b in d.reason_bits()}) > 6
    assert any(d.proposals.predicted.any() for d in decisions)
