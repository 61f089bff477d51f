"""Leads that change under a running loop: everything in a tick means the same fleet, and no memory is lost. Row F14."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.replicas import PodStart, ReplicaStatus, ScaleRequest
from autoscaler.domain.series import SeriesBatch, time_of
from autoscaler.domain.workload import Demand, Lead, LeadBasis
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.intake.lead_times import ENOUGH
from autoscaler.pipeline.state import LoopState
from autoscaler.pipeline.tick import Pipeline
from autoscaler.planning.margin import shadow_depth
from autoscaler.simulator.cluster import MemoryCluster
from tests.unit.pipeline.kept import Kept

ZERO = 30_000_000
DEFAULT = Lead(180.0, 0.0, 15.0, basis=LeadBasis.DEFAULT)


@dataclass
class Waves:
    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        steps = np.arange(first_step, max(first_step, end_step))
        return SeriesBatch.judge(step_s, first_step, np.tile(50.0 + steps % 7, (len(demands), 1)))


class Starting(MemoryCluster):
    """Shows the starts that it is given, once; remembers which fleets it was asked about."""

    news: tuple[PodStart, ...] = ()
    asked: tuple[Fleet, ...] = ()

    def observe(self, fleet: Fleet) -> ReplicaStatus:
        self.asked = (*self.asked, fleet)
        news, self.news = self.news, ()
        return replace(super().observe(fleet), starts=news)

    def apply(self, fleet: Fleet, requests: Sequence[ScaleRequest], now_s: float) -> Mapping[int, tuple[Note, ...]]:
        self.asked = (*self.asked, fleet)
        return super().apply(fleet, requests, now_s)


@dataclass
class Loop:
    fleet: Fleet
    step: int = ZERO
    kept: Kept = field(default_factory=Kept)

    def __post_init__(self) -> None:
        start = np.full(len(self.fleet), 9, dtype=np.int64)
        self.cluster = Starting(self.fleet, 60, self.fleet.is_floor, start)
        plan = CalibrationPlan(window_s=7200, sample_s=60, refit_s=1200, least=8)
        history, server = History(60, 400), PeakServer((LastValue(),), plan)
        self.pipeline = Pipeline(Waves(), self.cluster, self.kept, history, server, CHAIN)

    def tick(self) -> Decisions:
        self.step += 1
        return self.pipeline.tick(self.fleet, time_of(self.step, 60))

    def show(self, ready_after_s: float, batches: int = ENOUGH, lane: int = 0) -> None:
        """In the next tick, batches of one pod each that were a minute apart."""
        first_s = (self.step - 300.0) * 60
        whens = [first_s + 60.0 * k for k in range(batches)]
        self.cluster.news = tuple(PodStart(lane, f"{lane}-{at}", at, at, at + ready_after_s) for at in whens)

    @property
    def memory(self) -> LoopState:
        assert self.pipeline.state is not None
        return self.pipeline.state


@pytest.fixture
def loop(make_fleet: Callable[..., Fleet]) -> Loop:
    return Loop(make_fleet(lanes=2, lead=DEFAULT))


def test_starts_of_a_tick_make_the_lead_of_the_next(loop: Loop) -> None:
    before = loop.tick()
    loop.show(400.0, lane=1)
    same = loop.tick()
    assert before.fleet is same.fleet is loop.fleet, "the stated default stands"
    after = loop.tick()
    assert [w.lead for w in after.fleet.workloads] == [
        DEFAULT,
        Lead(401.0, 0.0, 15.0, basis=LeadBasis.MEASURED, batches=ENOUGH),
    ]
    assert after.seen.lead_steps.tolist() == [4, 7]
    assert after[1].lead_s == 416.0
    assert loop.tick().fleet is after.fleet


def test_everything_in_a_tick_is_about_the_same_fleet(loop: Loop) -> None:
    for k in range(6):
        if k == 2:
            loop.show(400.0)
        before = len(loop.cluster.asked)
        decisions = loop.tick()
        asked = loop.cluster.asked[before:]
        assert len(asked) == 2
        assert all(each is decisions.fleet for each in asked)


@pytest.mark.parametrize("ready_after_s", [20.0, 1500.0])
def test_a_lead_that_changes_costs_no_memory(loop: Loop, ready_after_s: float) -> None:
    for _ in range(30):
        loop.tick()
    loop.show(ready_after_s)
    loop.tick()
    before = loop.memory
    decisions = loop.tick()
    after, leads = loop.memory, decisions.fleet.lead_steps(60)
    assert after.margin.shadow.shape[0] >= shadow_depth(int(leads.max()))
    np.testing.assert_array_equal(after.margin.shadow[1:12], before.margin.shadow[:11])
    np.testing.assert_allclose(after.margin.log_margin, before.margin.log_margin, atol=0.05)
    assert len(after.times_s) >= min(len(before.times_s), 5)
    assert decisions.proposals.predicted.all(), "the next lead is calibrated at once"


def test_risk_control_goes_on_once_the_longer_window_is_full(loop: Loop) -> None:
    for _ in range(30):
        loop.tick()
    loop.show(1500.0)
    loop.tick()
    steady = [loop.tick() for _ in range(60)]
    settled = loop.memory.margin.settled_step
    assert settled.tolist() == [loop.step - 1] * 2
    margins = np.array([d.margin for d in steady])
    assert np.isfinite(margins).all()
    assert (np.diff(margins[30:], axis=0) != 0).all(), "each step teaches again"


def test_F14_a_typed_lead_below_the_measured_one_is_decided_with_and_warned_of(
    make_fleet: Callable[..., Fleet],
) -> None:
    fleet = make_fleet(lanes=2, lead=Lead(60.0))
    loop = Loop(fleet)
    loop.tick()
    loop.show(300.0, lane=1)
    warned = [loop.tick(), loop.tick()]
    for decisions in warned:
        assert decisions.fleet is fleet, "what a person typed stands"
        assert decisions[0].notes == ()
        (note,) = [n for n in decisions[1].notes if n.condition is Condition.LEAD_TOO_SHORT]
        assert "lead.ready is 60 s" in note.words
        assert "301 s (p95 of 5 batches)" in note.words
        assert "write at least that, or leave lead.ready out" in note.words
    assert len(loop.kept.ticks) == 3
    assert any(n.condition is Condition.LEAD_TOO_SHORT for n in loop.kept.ticks[-1][1].notes)
