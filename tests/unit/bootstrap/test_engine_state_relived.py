"""Without the loop's state, margins come from the demand that was kept, and a start never fails for it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.demand_store import DemandStore
from autoscaler.bootstrap.engine_state_relived import LEAST_S, MOST_POINTS, relived, steps_to_relive
from autoscaler.bootstrap.past import Past
from autoscaler.bootstrap.service import Service, service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Panel, SeriesBatch
from autoscaler.domain.workload import Demand, Lead, Target, Workload, WorkloadRef
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer
from autoscaler.planning.margin import FIRST_MARGIN
from autoscaler.ports.history import KeptDemand
from autoscaler.simulator.clock import VirtualClock
from autoscaler.simulator.cluster import MemoryCluster
from autoscaler.simulator.run import Recording, Run

NOW = datetime(2026, 6, 10, 9, tzinfo=UTC)
END = int(NOW.timestamp()) // 60
STEPS = 3 * 1440


def demand_of(kind: str) -> np.ndarray:
    """A daily wave; `spiky`: ever steeper jumps that no forecast sees coming in its last half day."""
    t = np.arange(STEPS)
    values = 300 + 100 * np.sin(2 * np.pi * t / 1440)
    if kind == "spiky":
        late = t >= STEPS - 700
        values = np.where(late & (t % 35 < 4), values * (1.5 + t / STEPS), values)
    return values


def fleet() -> Fleet:
    load = Workload(
        WorkloadRef("shop", "web"), Target("apps/v1", "Deployment", "web"), (Demand("requests", "prod", "web", 10.0),),
        1, 500, Lead(120.0),
    )  # fmt: skip
    return Fleet((load,))


def panel(kind: str) -> Panel:
    return Panel.of(SeriesBatch.judge(60, END - STEPS, demand_of(kind)[np.newaxis]))


def margin_of(kind: str, steps: int) -> float:
    return float(relived(panel(kind), fleet(), PeakServer(serving_models()), steps).margin.margin[0])


def test_spikes_that_were_missed_raise_it_and_a_calm_time_lowers_it() -> None:
    assert margin_of("spiky", 1000) > FIRST_MARGIN + 0.02
    assert margin_of("calm", 1000) < FIRST_MARGIN


def test_it_is_what_a_service_would_have_learned_in_those_steps() -> None:
    """Beside a simulated run of the same steps, whose margins are those of the live loop."""
    seen, lanes = panel("spiky"), fleet()
    cluster = MemoryCluster(lanes, 60, np.array([False]), np.array([40]))
    run = Run(lanes, Recording(seen, seen), cluster, END - 800, END, server=PeakServer(serving_models()))
    (log,) = run.finish()
    assert margin_of("spiky", 800) == pytest.approx(float(log.margin[-1]), rel=0.02)


def test_a_start_affords_less_of_a_large_fleet_and_nothing_of_a_huge_one() -> None:
    assert steps_to_relive(1, 60) == 2880
    assert steps_to_relive(500, 60) == MOST_POINTS // 500
    assert steps_to_relive(10_000, 60) == 0
    assert all(steps == 0 or steps * 60 >= LEAST_S for steps in (steps_to_relive(n, 60) for n in range(1, 2000, 37)))


class Silent:
    """A server that is away."""

    class Health:
        reachable, queries, last_ok_s, skew_s = False, 0, None, None
        failures: dict[Any, int] = {}  # noqa: RUF012

    health: Any = Health()
    wide: Any = None

    def load(self, demands: Any, first: int, end: int, step_s: int) -> SeriesBatch:
        return SeriesBatch.judge(step_s, first, np.full((len(demands), end - first), np.nan))

    def greet(self) -> str | None:
        return "away"

    def close(self) -> None: ...


SOURCE = (
    "apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {name: prod}\n"
    "spec: {prometheus: {url: 'http://prom:9090'}}\n"
)


@pytest.fixture
def settings(estate, workload, tmp_path) -> ServiceSettings:
    estate.write(SOURCE, workload("web", source="prod"))
    return ServiceSettings((estate.folder,), tmp_path / "record.db")


def started(settings: ServiceSettings, at: datetime = NOW) -> Service:
    silent: Any = Silent()
    silent.wide = silent
    return service(settings, VirtualClock(at), lambda _: silent)


def keep(settings: ServiceSettings, kind: str, key: str) -> None:
    values = demand_of(kind)[np.newaxis]
    with DemandStore.open(settings.demand_store) as store:
        store.save([KeptDemand((key,), 60, END - STEPS, values, np.zeros(values.shape, dtype=np.uint8))])


@pytest.fixture
def key(settings) -> str:
    first = started(settings)
    try:
        return first.files.fleet.row_keys()[0]
    finally:
        first.close()
        shutil.rmtree(settings.state_folder, ignore_errors=True)


def test_a_start_without_state_lives_kept_demand_again(settings, key) -> None:
    keep(settings, "spiky", key)
    running = started(settings, NOW + timedelta(minutes=5))
    try:
        state = running.pipeline.state
        assert state is not None
        assert state.margin.margin[0] > FIRST_MARGIN + 0.02
        assert len(state.times_s) == 0
        assert np.isnan(state.margin.shadow).all()
        assert "margins come from 48 h of kept demand" in running.health()["engineState"]["restored"]
        assert running.tick() is not None
    finally:
        running.close()


def test_state_that_is_there_comes_before_kept_demand(settings, key) -> None:
    keep(settings, "spiky", key)
    first = started(settings)
    first.tick()
    first.close()
    assert first.pipeline.state is not None
    again = started(settings, NOW + timedelta(seconds=30))
    try:
        assert "1 of 1 workloads" in again.health()["engineState"]["restored"]
        assert again.pipeline.state is not None
        assert again.pipeline.state.margin.log_margin == first.pipeline.state.margin.log_margin
    finally:
        again.close()


def test_nothing_kept_and_a_store_that_fails_start_at_the_first_margin(settings, key, monkeypatch) -> None:
    bare = started(settings)
    bare.close()
    assert "no demand is kept" in bare.health()["engineState"]["restored"]

    def fail(*args: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(Past, "kept", fail)
    running = started(settings)
    try:
        assert running.pipeline.state is None
        assert "MemoryError: no room" in running.health()["engineState"]["restored"]
        assert running.tick() is not None
    finally:
        running.close()
