"""After a restart or a take-over nothing shrinks before our own memory has seen a whole window."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from autoscaler.bootstrap.engine_state import resumed
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.forecast import PeakForecast
from autoscaler.domain.ladder import Why
from autoscaler.domain.notes import Condition
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.domain.workload import Demand, Lead, Mode, Target, Workload, WorkloadRef
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import PeakServer, Rows
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.handover import Handover, Piece
from autoscaler.intake.history import History
from autoscaler.pipeline.tick import Pipeline
from autoscaler.simulator.metrics import MemoryMetrics

ZERO = 500_000
"""The step of the first tick; the tick is a step of a minute."""
WINDOW = 5
NAMES = ("web", "api", "search")


def fleet_of() -> Fleet:
    return Fleet(
        tuple(
            Workload(
                WorkloadRef("shop", name), Target("apps/v1", "Deployment", name),
                (Demand("requests", "rec", name, 10.0),), 1, 50, Lead(120.0), mode=Mode.ACT,
            )
            for name in NAMES
        )
    )  # fmt: skip


class Objects:
    """Floors outlive every process. unread: workloads that cannot be read."""

    def __init__(self, floors: int = 5) -> None:
        self.floors = np.full(len(NAMES), floors, dtype=np.int64)
        self.unread: set[int] = set()
        self.inherited = False

    def observe(self, fleet: Fleet) -> ReplicaStatus:
        known = np.array([lane not in self.unread for lane in range(len(fleet))])
        ceiling = np.full(len(fleet), NO_LIMIT, dtype=np.int64)
        here = np.array(self.floors)
        inherited, self.inherited = self.inherited, False
        return ReplicaStatus(known, here, here, here, ceiling, inherited=inherited)

    def apply(self, fleet, requests, now_s):
        for request in requests:
            self.floors[request.lane] = request.replicas
        return {}


class Nothing:
    def append(self, decisions) -> None:
        pass


class Unlearned(PeakServer):
    """Foresees nothing: of those in `waiting` the turn has not come, the history of the others is short indeed."""

    waiting: slice

    def forecast(self, panel: Panel, rows: Rows, origins: Ints) -> PeakForecast:
        said = super().forecast(panel, rows, origins)
        assert said.standing is not None
        standing = said.standing.copy()
        standing["why"] = Why.SHORT_HISTORY
        standing["why"][self.waiting] = Why.NOT_LEARNED_YET
        return replace(said, present=np.zeros_like(said.present), standing=standing)


def unlearned(waiting: int) -> PeakServer:
    server = Unlearned((LastValue(),))
    server.waiting = slice(waiting)
    return server


def process(objects: Objects, demand: Floats | None = None, server: PeakServer | None = None) -> Pipeline:
    """Over a demand of 50 for each, which needs five, or over `demand` [step] from 300 steps before ZERO on."""
    one = np.full(400, 50.0) if demand is None else demand
    metrics = MemoryMetrics(60, ZERO - 300, dict.fromkeys(NAMES, one))
    return Pipeline(metrics, objects, Nothing(), History(60, 400), server or PeakServer((LastValue(),)), CHAIN)


def run(pipeline: Pipeline, first: int, ticks: int) -> list[list[int]]:
    """What stands in the objects after each tick."""
    seen = []
    for step in range(first, first + ticks):
        pipeline.tick(fleet_of(), datetime.fromtimestamp(step * 60, UTC))
        assert isinstance(pipeline.cluster, Objects)
        seen.append(pipeline.cluster.floors.tolist())
    return seen


def restored(before: Pipeline, objects: Objects, at: int, demand: Floats | None = None) -> Pipeline:
    """A new process with the state that the one before kept."""
    after = process(objects, demand)
    assert before.state is not None
    after.state = resumed(before.state, fleet_of(), at * 60.0, 60)
    return after


@pytest.mark.parametrize("gap", [1, 2, 4])
def test_K24_what_was_written_after_the_state_was_kept_stands_for_a_window_after_a_restart(gap: int):
    """The last rise before a kill is in the objects and not in the state: it is not taken back with the first tick."""
    objects = Objects()
    before = process(objects)
    run(before, ZERO, 10)
    objects.floors[:] = 20
    began = ZERO + 9 + gap
    floors = run(restored(before, objects, began), began, WINDOW + 3)
    assert floors[:WINDOW] == [[20, 20, 20]] * WINDOW
    assert max(floors[-1]) < 20, "then observed load takes them down"


def test_K24_a_floor_comes_down_no_earlier_than_without_the_restart():
    """Demand rose after the state was kept, and fell before the kill."""
    demand = np.full(400, 50.0)
    demand[303:306] = 200.0
    objects, other = Objects(), Objects()
    one, two = process(objects, demand), process(other, demand)
    without = run(two, ZERO, 20)
    run(one, ZERO, 4)
    kept = one.state
    run(one, ZERO + 4, 3)
    assert objects.floors.min() >= 20
    one.state, began = kept, ZERO + 7
    floors = run(restored(one, objects, began, demand), began, 12 + WINDOW)
    assert (np.array(floors[:13]) >= np.array(without[7:])).all()
    assert max(floors[-1]) < 20


def test_K11_a_standby_that_takes_over_keeps_what_the_leader_before_it_wrote_for_a_window():
    """By its own forecasts it never wanted so many: another process did, and may have known more."""
    objects = Objects()
    standby = process(objects)
    run(standby, ZERO, 10)
    objects.floors[:], objects.inherited = 20, True
    floors = run(standby, ZERO + 10, WINDOW + 3)
    assert floors[:WINDOW] == [[20, 20, 20]] * WINDOW
    assert max(floors[-1]) < 20


def test_K11_who_leads_on_extends_no_window_by_its_own_writes():
    objects = Objects()
    leader = process(objects)
    run(leader, ZERO, 10)
    objects.floors[:] = 20
    assert max(run(leader, ZERO + 10, 1)[0]) < 20


def test_K24_a_workload_that_could_not_be_read_at_first_begins_its_window_when_it_is():
    objects = Objects()
    before = process(objects)
    run(before, ZERO, 10)
    objects.floors[:], objects.unread = 20, {1}
    began = ZERO + 11
    after = restored(before, objects, began)
    run(after, began, WINDOW + 2)
    objects.unread = set()
    floors = run(after, began + WINDOW + 2, WINDOW + 3)
    assert [row[1] for row in floors[:WINDOW]] == [20] * WINDOW
    assert floors[-1][1] < 20


def test_L05_a_floor_does_not_come_down_because_its_forecast_waits_to_be_learned():
    """Short history is another thing: there observed load alone decides, and takes the floor down."""
    objects = Objects(20)
    pipeline = process(objects, server=unlearned(2))
    floors = run(pipeline, ZERO, 4 * WINDOW)
    assert [row[:2] for row in floors] == [[20, 20]] * 4 * WINDOW
    assert floors[-1][2] < 20
    pipeline.server = unlearned(0)
    floors = run(pipeline, ZERO + 4 * WINDOW, WINDOW + 3)
    assert [row[:2] for row in floors[: WINDOW - 1]] == [[20, 20]] * (WINDOW - 1)
    assert max(floors[-1]) < 20


def lacking(objects: Objects, *rows: int) -> Pipeline:
    """A new process without any kept state, and of these rows the past is still being fetched."""
    pipeline, keys = process(objects), fleet_of().row_keys()
    pipeline.history.handover = Handover(lacking=frozenset(keys[row] for row in rows))
    return pipeline


def pending(pipeline: Pipeline, step: int) -> list[int]:
    """Lanes that say so, of one more tick."""
    decisions = pipeline.tick(fleet_of(), datetime.fromtimestamp(step * 60, UTC))
    notes = [[note.condition for note in decisions[k].notes] for k in range(len(NAMES))]
    return [k for k, said in enumerate(notes) if Condition.BACKFILL_PENDING in said]


def test_K24_L05_after_a_lost_record_floors_stand_until_the_past_is_in_and_a_window_more():
    objects = Objects(20)
    pipeline = lacking(objects, 0, 1)
    floors = run(pipeline, ZERO, 3 * WINDOW)
    assert [row[:2] for row in floors] == [[20, 20]] * 3 * WINDOW
    assert floors[-1][2] < 20, "its past is in: observed load alone decides after a window"
    assert pending(pipeline, ZERO + 3 * WINDOW) == [0, 1]
    assert pipeline.history.handover is not None
    pipeline.history.handover.lacking = frozenset()
    floors = run(pipeline, ZERO + 3 * WINDOW + 1, WINDOW + 3)
    assert [row[:2] for row in floors[: WINDOW - 1]] == [[20, 20]] * (WINDOW - 1)
    assert max(floors[-1]) < 20
    assert pending(pipeline, ZERO + 5 * WINDOW) == []


def test_K24_what_is_found_and_not_yet_taken_in_lacks_too():
    objects = Objects(20)
    pipeline = lacking(objects)
    handover, key = pipeline.history.handover, fleet_of().row_keys()[1]
    assert handover is not None
    older = Piece((key,), ZERO - 10, np.ones((1, 1)), np.zeros((1, 1), dtype=np.uint8))
    handover.found.append(older)
    assert pipeline.history.lacking == frozenset()
    handover.found.append(replace(older, awaited=frozenset([key])))
    assert pipeline.history.lacking == {key}


def test_K24_a_past_that_never_comes_keeps_a_floor_for_an_hour_and_no_longer():
    objects = Objects(20)
    pipeline = lacking(objects, 0)
    floors = run(pipeline, ZERO, 60 + WINDOW + 4)
    assert [row[0] for row in floors[:60]] == [20] * 60
    assert floors[-1][0] < 20
    assert pending(pipeline, ZERO + 60 + WINDOW + 4) == []
    handover = pipeline.history.handover
    assert handover is not None
    lacked, handover.lacking = handover.lacking, frozenset()
    assert pending(pipeline, ZERO + 60 + WINDOW + 5) == []
    handover.lacking = lacked
    assert pending(pipeline, ZERO + 60 + WINDOW + 6) == [0], "another time is another hour"


def test_K24_while_the_past_is_fetched_floors_grow_as_ever():
    demand = np.full(400, 50.0)
    demand[305:] = 300.0
    objects = Objects(8)
    pipeline = process(objects, demand)
    pipeline.history.handover = Handover(lacking=frozenset(fleet_of().row_keys()))
    assert min(run(pipeline, ZERO, 12)[-1]) >= 30
