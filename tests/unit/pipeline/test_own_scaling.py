"""F10: our own scaling in the signal. A loop that really is closed: what a query answers follows the replicas that we
asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from autoscaler.bootstrap.checkup.asking import Notes
from autoscaler.bootstrap.checkup.queries import look_at_text
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Floats, SeriesBatch
from autoscaler.domain.workload import Actuation, Demand, Lead, ScalingRule, Workload
from autoscaler.forecasting.naive import LastValue, SeasonalNaive
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.tick import Pipeline
from autoscaler.simulator.cluster import MemoryCluster
from tests.unit.pipeline.kept import Kept

FIRST, WARM, STEPS = 500_000, 360, 240
CAPACITY, START = 10.0, 20
PLAN = CalibrationPlan(window_s=4 * 3600, sample_s=300, refit_s=3600, least=8)
TOTAL, PER_POD, IN_FLIGHT = "total", "per-pod", "in-flight"
PROMQL = {
    TOTAL: "sum(rate(http_requests_total[1m]))",
    PER_POD: "avg(rate(http_requests_total[1m]))",
    IN_FLIGHT: "sum(http_in_flight_requests)",
}
FREE = {"scale_up": ScalingRule(), "scale_down": ScalingRule()}


@dataclass
class Live:
    """Implements ports.MetricsReader over a load that is offered whatever we do, and replicas that we move.

    `total` is the load itself. `per-pod` is what each Ready replica sees of it, as a mean over pods is. `in-flight` is
    what waits and is worked on: it grows without bound as replicas fill up, and goes when some are added.
    """

    offered: Floats
    ready: list[int] = field(default_factory=list)

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        first, end = first_step - FIRST, end_step - FIRST
        raw = np.full((len(demands), end - first), np.nan)
        known = slice(max(first, 0), min(end, len(self.ready)))
        load, ready = self.offered[known], np.array(self.ready[known], dtype=np.float64)
        for row, demand in enumerate(demands):
            busy = np.minimum(load / ready / CAPACITY, 0.98)
            answers = {TOTAL: load, PER_POD: load / ready, IN_FLIGHT: ready * busy / (1 - busy)}
            raw[row, known.start - first : known.stop - first] = answers[demand.query]
        return SeriesBatch.judge(step_s, first_step, raw)


def offered(shape: str) -> Floats:
    """[step], without noise: whatever turns in the loop then is of its own making."""
    t = np.arange(WARM + STEPS)
    if shape == "step":
        return np.where(t < WARM + 30, 200.0, 400.0)
    if shape == "ramp":
        return np.asarray(200 + 200 * np.clip((t - WARM - 30) / 90, 0, 1))
    return np.full(len(t), 250.0)


@dataclass(frozen=True)
class Ran:
    """ready: [tick], replicas that served. peak: [tick], the highest quantile that was forecast."""

    ready: Floats
    peak: Floats


def run(fleet: Fleet, load: Floats, start: int = START) -> Ran:
    """STEPS ticks of the one lane, after a warm-up in which nothing is scaled."""
    world, kept = Live(load, [start] * WARM), Kept()
    cluster = MemoryCluster(fleet, 60, fleet.is_floor.copy(), np.full(1, start, dtype=np.int64))
    server = PeakServer((LastValue(), SeasonalNaive(3600, "hour")), PLAN)
    pipeline = Pipeline(world, cluster, kept, History(60, 400), server, CHAIN)
    for step in range(FIRST + WARM, FIRST + WARM + STEPS):
        cluster.begin(step)
        pipeline.tick(fleet, datetime.fromtimestamp(step * 60, UTC))
        cluster.sync_hpas(step * 60.0, load[step - FIRST - 1 : step - FIRST])
        world.ready.append(int(cluster.ready[0]))
    peak = np.array([float(d.seen.quantiles[0, -1]) for d in kept.ticks])
    return Ran(np.array(world.ready[WARM:], dtype=np.float64), peak)


def turns(replicas: Floats) -> int:
    """How often it changes its direction."""
    moves = np.sign(np.diff(replicas))
    moves = moves[moves != 0]
    return int((np.diff(moves) != 0).sum())


@pytest.fixture
def one(make_fleet: Callable[..., Fleet], make_workload: Callable[..., Workload]) -> Callable[..., Fleet]:
    def made(query: str, capacity: float = CAPACITY, **changes: Any) -> Fleet:
        changes = {"min_replicas": 2, "max_replicas": 100, "lead": Lead(120.0)} | changes
        load = make_workload("web", demands=(Demand("requests", "prom", query, capacity),), **changes)
        return Fleet((load,))

    return made


@pytest.mark.parametrize("kind", [Actuation.SCALE, Actuation.HPA_FLOOR])
@pytest.mark.parametrize("shape", ["flat", "ramp", "step"])
def test_F10_with_the_total_demand_a_closed_loop_never_turns(
    one: Callable[..., Fleet], shape: str, kind: Actuation
) -> None:
    """Without stabilisation or step limits, so that nothing but the query keeps it calm."""
    load = offered(shape)
    found = run(one(TOTAL, actuation=kind, **FREE), load)
    assert turns(found.ready) == 0, found.ready
    assert found.ready[-1] * CAPACITY >= load[-1]
    other = run(one(TOTAL, actuation=kind, **FREE), load, start=60)
    np.testing.assert_array_equal(other.peak, found.peak)  # what is forecast does not know how many replicas run


@pytest.mark.parametrize("rule", [{}, FREE], ids=["by-default", "free"])
@pytest.mark.parametrize(("query", "capacity", "why"), [(PER_POD, 0.5, "per-pod"), (IN_FLIGHT, 2.0, "queue")])
def test_F10_what_falls_as_we_add_pods_rings_and_is_told_before(
    one: Callable[..., Fleet], query: str, capacity: float, why: str, rule: dict[str, ScalingRule]
) -> None:
    """The same loop and load with the queries that lint finds: the default behaviour does not save them."""
    found = run(one(query, capacity, **rule), offered("flat"))
    assert turns(found.ready) > 20, found.ready
    notes = Notes("web")
    look_at_text(notes, PROMQL[query])
    assert [(f.check, bool(f.remedy)) for f in notes.found] == [(why, True)]
    silent = Notes("web")
    look_at_text(silent, PROMQL[TOTAL])
    assert not silent.found
