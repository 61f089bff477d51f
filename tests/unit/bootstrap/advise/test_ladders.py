"""Many HPAs in one pass are the same HPAs: those of the rivals, and those of the cluster twin under our floor."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.bootstrap.advise.ladders import Rungs, Span, run
from autoscaler.bootstrap.lanes import side_by_side
from autoscaler.bootstrap.worlds import World
from autoscaler.domain.workload import Actuation, Demand, Lead, Target, Workload, WorkloadRef
from autoscaler.simulator.rivals.contract import World as RivalWorld
from autoscaler.simulator.rivals.hpa import hpas_requested
from autoscaler.simulator.rivals.score import score

TARGETS = (40, 70, 95)


def _demand(rows: int, steps: int, step_s: int = 60, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hours = np.arange(steps) * step_s / 3600
    phase = rng.uniform(0, 6, (rows, 1))
    wave = 60 * (1 + 0.7 * np.sin(2 * np.pi * hours / 24 + phase))
    return wave * rng.lognormal(0, 0.15, (rows, steps)) + 200 * (rng.random((rows, steps)) > 0.995)


def _rungs(rows: int, targets=TARGETS, *, floored=False, least=2, most=40) -> Rungs:
    lanes = rows * len(targets)
    return Rungs(
        np.repeat(np.arange(rows), len(targets)), np.tile(np.asarray(targets, dtype=np.float64), rows),
        np.full(lanes, 5.0), np.full(lanes, float(least)), np.full(lanes, float(most)),
        np.full(lanes, floored, dtype=np.bool_),
    )  # fmt: skip


def _loads(rows: int) -> list[Workload]:
    base = Workload(
        WorkloadRef("shop", "w"), Target("apps/v1", "Deployment", "w"), (Demand("d", "prom", "q", 5.0),),
        2, 40, Lead(180.0), actuation=Actuation.HPA_FLOOR,
    )  # fmt: skip
    return [replace(base, ref=WorkloadRef("shop", f"w{k}")) for k in range(rows)]


@pytest.mark.parametrize(("step_s", "lead"), [(60, 3), (60, 0), (150, 4), (15, 5), (300, 1)])
def test_without_a_floor_they_are_the_rivals(step_s, lead):
    demand = _demand(3, 900, step_s)
    ran = run(demand, _rungs(3), Span(step_s, lead, 100), keep=True)
    assert ran.requested is not None
    world = RivalWorld(step_s, 0, 5.0, lead, 2, 40)
    for row in range(3):
        wanted = hpas_requested(demand[row], world, (300,), tuple(t / 100 for t in TARGETS))
        mine = slice(row * 3, row * 3 + 3)
        np.testing.assert_array_equal(ran.requested[mine], wanted)
        scores = score(wanted, demand[row], world, 100)
        np.testing.assert_allclose(ran.short[mine] / scores.steps, scores.short)
        np.testing.assert_allclose(ran.paid[mine] * step_s / 3600, scores.paid)


@pytest.mark.slow
def test_with_our_floor_they_are_the_cluster_twin_s():
    rows, steps = 3, 3 * 1440
    demand = _demand(rows, steps)
    demand[1, 2000:2040] = np.nan
    lanes = side_by_side(60, 0, demand, _loads(rows), World(), hpa_targets=np.array([70, 90, 95]))
    floors = np.stack([lane.granted for lane in lanes])
    rungs = replace(_rungs(rows, (70,), floored=True), target=np.array([70.0, 90.0, 95.0]))
    ran = run(demand, rungs, Span(60, 3, 0), floors, keep=True)
    assert ran.requested is not None
    for row, lane in enumerate(lanes):
        np.testing.assert_array_equal(ran.requested[row], lane.served.running)
        assert ran.short[row] == lane.served.short.sum()
    assert (floors > 2).any(), "a floor that was never raised proves nothing"


@pytest.mark.slow
def test_our_floor_under_a_hotter_hpa_is_the_same_or_a_little_lower():
    """Which is what lets one run of the live pipeline choose which target to try in it next."""
    demand = np.repeat(_demand(1, 3 * 1440), 2, axis=0)
    lanes = side_by_side(60, 0, demand, _loads(2), World(), hpa_targets=np.array([60, 95]), keys=("w", "w"))
    cool, hot = (lane.granted for lane in lanes)
    assert (hot <= cool).mean() > 0.95, "only in how far it rises ahead of the HPA"
    assert (hot == cool).mean() > 0.3
    assert (cool > 2).any(), "a floor that was never raised proves nothing"
    assert (lanes[0].served.running != lanes[1].served.running).any()


def test_a_step_that_is_no_whole_part_of_the_window_is_refused():
    with pytest.raises(ValueError, match="120 s"):
        Span(120, 3, 0)
