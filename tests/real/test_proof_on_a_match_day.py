"""Two weeks of real demand and the day after them in a real Prometheus, stepped through at past instants.

The same decisions as from the recording itself; and with Prometheus killed at the steepest hour, nothing shrinks.
Demand is that of the 1998 World Cup site where the recording is at hand, else the synthetic shop: the test says which.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.adapters.traces import read_trace
from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict, Floats, time_of
from autoscaler.domain.workload import Actuation, Lead
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.intake.suspicion import Suspicions
from autoscaler.pipeline.tick import Pipeline
from autoscaler.ports.metrics import MetricsReader
from autoscaler.simulator.cluster import MemoryCluster
from autoscaler.simulator.metrics import MemoryMetrics
from autoscaler.simulator.shop import shop_load, shop_window
from tests.real.history import series
from tests.real.prometheus import Prometheus
from tests.real.ticking import Kept, demand, workload

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STEP_S = 60
DAY = 1440
BEFORE = 14 * DAY
QUERY = 'sum(site_requests_per_minute{site="www"})'
WORLD_CUP = Path(__file__).parents[2].parent / "shared" / "data" / "workloads" / "worldcup98_1min.parquet"
MATCH_DAY = 10_406 * DAY  # 1998-06-29, two matches; absolute one-minute steps


@dataclass(frozen=True)
class Day:
    """demand: [step] from first_step on: fourteen days, then the day to step through."""

    name: str
    first_step: int
    demand: Floats

    @property
    def day_step(self) -> int:
        return self.first_step + BEFORE

    @property
    def capacity(self) -> float:
        return float(np.quantile(self.demand[:BEFORE], 0.999) / 60)


@pytest.fixture(scope="module")
def day() -> Day:
    if WORLD_CUP.exists():
        trace = read_trace(WORLD_CUP)
        first = MATCH_DAY - BEFORE - trace.first_step
        return Day("1998 World Cup, 29 June", MATCH_DAY - BEFORE, trace.values[first : first + BEFORE + DAY])
    print(f"{WORLD_CUP.name} is not at hand: the SYNTHETIC shop stands in for real demand")
    start = shop_window().first_step
    return Day("SYNTHETIC shop", start, shop_load(start, BEFORE + DAY).demand)


@pytest.fixture
def server(day: Day, prometheus: Callable[..., Prometheus]) -> Prometheus:
    """A sample stands at the end of the step that it tells about."""
    times = (np.arange(len(day.demand)) + day.first_step + 1) * STEP_S
    return prometheus({series("site_requests_per_minute", site="www"): (times.tolist(), day.demand.tolist())})


@dataclass
class World:
    fleet: Fleet
    pipeline: Pipeline
    cluster: MemoryCluster

    @staticmethod
    def of(day: Day, reader: MetricsReader) -> World:
        sized = replace(demand(QUERY), capacity_per_replica=day.capacity)
        load = workload("www", sized, lead=Lead(180.0), max_replicas=400, actuation=Actuation.SCALE)
        fleet = Fleet((load,))
        cluster = MemoryCluster(fleet, STEP_S, fleet.is_floor.copy(), np.full(1, 20, dtype=np.int64))
        pipeline = Pipeline(reader, cluster, Kept(), History(STEP_S, 11 * DAY), PeakServer(serving_models()), CHAIN)
        return World(fleet, pipeline, cluster)

    def tick(self, step: int) -> Decisions:
        self.cluster.begin()
        return self.pipeline.tick(self.fleet, time_of(step, STEP_S))


@pytest.fixture
def asked(server: Prometheus) -> Iterator[PrometheusReader]:
    reader = PrometheusReader(PrometheusSettings("prom", server.url))
    yield reader
    reader.close()


def _steepest(day: Day, hours: int) -> int:
    """First step of the hours in which demand grows most."""
    of_day = day.demand[BEFORE:]
    growth = [of_day[h * 60 + hours * 60 - 1] - of_day[h * 60] for h in range(24 - hours)]
    return day.day_step + 60 * int(np.argmax(growth))


def test_stepped_through_prometheus_as_from_the_recording(day: Day, asked: PrometheusReader) -> None:
    """Tolerance: none. Prometheus keeps and answers float64, so granted replicas and margins are the same numbers."""
    print(f"demand: {day.name}")
    recorded = World.of(day, MemoryMetrics(STEP_S, day.first_step, {QUERY: day.demand}))
    live = World.of(day, Suspicions(asked))
    begin = _steepest(day, 4)
    granted = []
    for step in range(begin, begin + 240):
        ours, theirs = recorded.tick(step), live.tick(step)
        assert theirs.proposals.verdict.tolist() == [DataVerdict.OK], time_of(step, STEP_S)
        assert theirs.granted.tolist() == ours.granted.tolist(), time_of(step, STEP_S)
        assert theirs.margin.tolist() == ours.margin.tolist()
        assert theirs.seen.quantiles.tolist() == ours.seen.quantiles.tolist()
        granted.append(int(theirs.granted[0]))
    print(f"{begin=}: 240 ticks, {min(granted)} to {max(granted)} replicas, the same from both")
    assert max(granted) > 1.5 * min(granted), "a day without a ramp proves nothing"


def test_M01_killed_at_the_ramp_nothing_shrinks_and_recovery_is_stated(
    day: Day, server: Prometheus, asked: PrometheusReader
) -> None:
    live = World.of(day, Suspicions(asked))
    begin = _steepest(day, 4)
    before = [live.tick(step) for step in range(begin, begin + 60)]
    server.kill()
    dark = [live.tick(step) for step in range(begin + 60, begin + 68)]
    server.start()
    after = [live.tick(step) for step in range(begin + 68, begin + 100)]

    counts = [int(d.granted[0]) for d in (before[-1], *dark)]
    assert all(b >= a for a, b in itertools.pairwise(counts)), counts
    for decisions in dark:
        seen = decisions[0]
        assert seen.demands[0].verdict == DataVerdict.UNREACHABLE
        assert seen.demands[0].note
        assert Reason.BAD_DATA in seen.reasons
    recovering = [d for d in after if d[0].demands[0].verdict == DataVerdict.RECOVERING]
    assert recovering, "that the source is back, and reads low for a while, is said"
    assert all(Reason.LOWER_BOUND in d[0].reasons for d in recovering)
    assert after[-1][0].demands[0].verdict == DataVerdict.OK
    kept = live.pipeline.records
    assert isinstance(kept, Kept)
    assert len(kept.ticks) == 100
