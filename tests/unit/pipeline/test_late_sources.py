"""Sources that are late, each in its own way, and writes that fail: nobody is held for ever, nothing is unrecorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Note
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.series import SeriesBatch, time_of
from autoscaler.domain.workload import Actuation, Demand, Mode
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.tick import Pipeline
from autoscaler.simulator.cluster import MemoryCluster
from tests.unit.pipeline.kept import Kept

ZERO = 30_000_000


@dataclass
class LateSources:
    """Row r arrives late[r] steps late; the batch ends where the fastest ends."""

    late: list[int]

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        end = max(first_step, end_step - min(self.late))
        steps = np.arange(first_step, end)
        raw = np.stack([np.where(steps < end_step - late, 50.0 + steps % 7, np.nan) for late in self.late])
        return SeriesBatch.judge(step_s, first_step, raw)


def pipeline(fleet: Fleet, late: list[int], cluster: MemoryCluster | None = None) -> Pipeline:
    start = np.full(len(fleet), 9, dtype=np.int64)
    made = cluster or MemoryCluster(fleet, 60, fleet.is_floor, start)
    plan = CalibrationPlan(window_s=7200, sample_s=60, refit_s=1200, least=8)
    return Pipeline(LateSources(late), made, Kept(), History(60, 400), PeakServer((LastValue(),), plan), CHAIN)


@pytest.mark.parametrize("late", [1, 2, 6])
def test_a_source_that_is_always_later_than_another_is_not_held(make_fleet: Callable[..., Fleet], late: int) -> None:
    fleet = make_fleet(lanes=2, max_data_age_s=600.0, actuation=Actuation.SCALE)
    rows = [0 if lane == 0 else late for lane in fleet.row_lane.tolist()]
    live = pipeline(fleet, rows)
    found = [live.tick(fleet, time_of(ZERO + k, 60)) for k in range(40)]
    held = np.array([d.held for d in found[20:]])
    assert not held.any()
    assert all(d.proposals.need_known.all() and d.proposals.predicted.all() for d in found[20:])
    assert found[-1].seen.data_delay_steps.tolist() == [0, late]


def test_a_delay_that_comes_and_goes_is_calibrated_once_each(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lanes=1)
    live, refits = pipeline(fleet, [0] * len(fleet.demands)), set()
    source = live.metrics
    assert isinstance(source, LateSources)
    for k in range(60):
        source.late = [k % 2] * len(fleet.demands)
        live.tick(fleet, time_of(ZERO + k, 60))
        refits |= {(at, learned.anchor.tobytes()) for at, (_, learned) in live.server._learned.items()}
    assert len({at for at, _ in refits}) == 2
    turns = 60 // live.server.plan.refit_steps(60) + 1
    assert len(refits) <= 2 * turns


class HalfBroken(MemoryCluster):
    """The second write of a tick fails."""

    def apply(self, fleet: Fleet, requests: Sequence[ScaleRequest], now_s: float) -> Mapping[int, tuple[Note, ...]]:
        super().apply(fleet, requests[:1], now_s)
        raise ConnectionError("reset by peer")


def test_a_failing_write_leaves_the_decisions_on_record(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lanes=3, actuation=Actuation.SCALE, mode=Mode.ACT)
    cluster = HalfBroken(fleet, 60, np.zeros(3, dtype=np.bool_), np.full(3, 2, dtype=np.int64))
    live = pipeline(fleet, [0] * len(fleet.demands), cluster)
    with pytest.raises(ConnectionError):
        live.tick(fleet, time_of(ZERO, 60))
    assert isinstance(live.records, Kept)
    assert len(live.records.ticks) == 1
    assert cluster.writes == 1
