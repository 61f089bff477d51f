"""Lead times from pod starts: batches, waits for nodes apart, decay, calm, and what was typed. Row F14."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition
from autoscaler.domain.replicas import PodStart
from autoscaler.domain.workload import Lead, LeadBasis, Target, WorkloadRef
from autoscaler.intake.lead_times import (
    CALM_S,
    ENOUGH,
    HALF_LIFE_S,
    LEAST_READY_S,
    LONGEST_S,
    MOST_BATCHES,
    SPAN_S,
    STALE_S,
    LeadTimes,
)

HOUR_S = 3600.0
STEP_S = 15


def start(created_s: float, ready_after_s: float, *, node_after_s: float = 0.0, lane: int = 0) -> PodStart:
    placed_s = created_s + node_after_s
    return PodStart(lane, f"{lane}-{created_s}-{ready_after_s}", created_s, placed_s, placed_s + ready_after_s)


@pytest.fixture
def fleet(make_fleet: Callable[..., Fleet]) -> Fleet:
    return make_fleet(lanes=1, lead=Lead(180.0, 10.0, 15.0, basis=LeadBasis.DEFAULT))


def lead_after(leads: LeadTimes, fleet: Fleet, starts: Iterable[PodStart], now_s: float = 0.0) -> Lead:
    leads.learn(fleet, list(starts))
    return leads.applied(fleet, now_s, STEP_S).workloads[0].lead


def test_the_default_stands_until_enough_starts_were_seen(fleet: Fleet) -> None:
    leads = LeadTimes()
    for k in range(ENOUGH - 1):
        assert lead_after(leads, fleet, [start(k * HOUR_S, 60.0)]) == fleet.workloads[0].lead
    assert leads.applied(fleet, 0.0, STEP_S) is fleet
    lead = lead_after(leads, fleet, [start(ENOUGH * HOUR_S, 60.0)])
    assert (lead.basis, lead.ready_s, lead.batches) == (LeadBasis.MEASURED, 61.0, ENOUGH)
    assert (lead.warmup_s, lead.actuation_s, lead.total_s) == (10.0, 15.0, 86.0)


def test_a_batch_counts_until_its_last_pod_is_ready_whenever_that_is_heard_of(fleet: Fleet) -> None:
    leads = LeadTimes()
    for k in range(ENOUGH):
        at_s = k * HOUR_S
        leads.learn(fleet, [start(at_s, 30.0), start(at_s + 4.0, 30.0)])
        leads.learn(fleet, [start(at_s + 12.0, 50.0)])  # slow starts chain into the batch that is known already
    lead = leads.applied(fleet, 0.0, STEP_S).workloads[0].lead
    assert (lead.batches, lead.ready_s) == (ENOUGH, 63.0)


def test_a_wait_for_nodes_is_told_apart_and_counts_only_where_it_is_usual(fleet: Fleet) -> None:
    often = LeadTimes()
    lead = lead_after(often, fleet, [start(k * HOUR_S, 40.0, node_after_s=90.0) for k in range(10)])
    assert (lead.ready_s, lead.provisioning_s, lead.total_s) == (41.0, 90.0, 156.0)
    once = LeadTimes()
    starts = [start(k * HOUR_S, 40.0, node_after_s=90.0 if k == 0 else 2.0) for k in range(40)]
    lead = lead_after(once, fleet, starts)
    assert (lead.ready_s, lead.provisioning_s) == (43.0, 0.0), "the scheduler's own seconds are part of a start"


def test_old_starts_fade(fleet: Fleet) -> None:
    leads = LeadTimes()
    old = [start(k * HOUR_S, 300.0) for k in range(10)]
    new = [start(6 * HALF_LIFE_S + k * HOUR_S, 60.0) for k in range(10)]
    assert lead_after(leads, fleet, [*old, *new]).ready_s == 61.0
    assert lead_after(LeadTimes(), fleet, [*old, *(replace_time(s, 10 * HOUR_S) for s in old)]).ready_s == 301.0


def replace_time(one: PodStart, later_s: float) -> PodStart:
    created_s, placed_s, ready_s = (at + later_s for at in (one.created_s, one.placed_s, one.ready_s))
    return replace(one, uid=one.uid + "+", created_s=created_s, placed_s=placed_s, ready_s=ready_s)


def test_up_at_once_down_after_a_calm_time_and_the_same_fleet_in_between(fleet: Fleet) -> None:
    leads = LeadTimes()
    leads.learn(fleet, [start(k * HOUR_S, 100.0) for k in range(ENOUGH)])
    first = leads.applied(fleet, 0.0, STEP_S)
    assert leads.applied(fleet, 15.0, STEP_S) is first
    leads.learn(fleet, [start(20 * HOUR_S, 200.0)])
    slower = leads.applied(fleet, 30.0, STEP_S)
    assert slower.workloads[0].lead.ready_s == 201.0
    leads.learn(fleet, [start((30 + k) * HOUR_S, 50.0) for k in range(MOST_BATCHES)])
    assert leads.applied(fleet, 45.0, STEP_S) is slower
    assert leads.applied(fleet, 45.0 + CALM_S - 1, STEP_S) is slower
    assert leads.applied(fleet, 45.0 + CALM_S, STEP_S).workloads[0].lead.ready_s == 51.0


def test_a_rise_of_whole_steps_is_followed_however_small_and_less_than_a_step_late(fleet: Fleet) -> None:
    leads = LeadTimes()
    lead = lead_after(leads, fleet, [start(k * HOUR_S, 108.0) for k in range(ENOUGH)])
    assert (lead.ready_s, lead.total_s) == (109.0, 134.0)
    leads.learn(fleet, [start(20 * HOUR_S, 109.0)])  # in all 135 s: still nine steps
    within = leads.applied(fleet, 0.0, STEP_S)
    assert within.workloads[0].lead.ready_s == 109.0
    leads.learn(fleet, [start(21 * HOUR_S, 110.0)])
    assert leads.applied(fleet, 15.0, STEP_S).workloads[0].lead.ready_s == 111.0
    leads.learn(fleet, [start(22 * HOUR_S, 112.0)])
    leads.applied(fleet, 30.0, STEP_S)
    assert leads.applied(fleet, 29.0 + STALE_S, STEP_S).workloads[0].lead.ready_s == 111.0
    assert leads.applied(fleet, 30.0 + STALE_S, STEP_S).workloads[0].lead.ready_s == 113.0


def test_a_calm_time_is_one_without_interruption(fleet: Fleet) -> None:
    leads = LeadTimes()
    lead_after(leads, fleet, [start(k * HOUR_S, 200.0) for k in range(ENOUGH)])
    leads.learn(fleet, [start((10 + k) * HOUR_S, 50.0) for k in range(MOST_BATCHES)])
    leads.applied(fleet, 100.0, STEP_S)
    leads.learn(fleet, [start((80 + k) * HOUR_S, 200.0) for k in range(4)])
    leads.applied(fleet, 200.0, STEP_S)
    leads.learn(fleet, [start((90 + k) * HOUR_S, 50.0) for k in range(MOST_BATCHES)])
    leads.applied(fleet, 300.0, STEP_S)
    assert leads.applied(fleet, 100.0 + CALM_S, STEP_S).workloads[0].lead.ready_s == 201.0
    assert leads.applied(fleet, 300.0 + CALM_S, STEP_S).workloads[0].lead.ready_s == 51.0


@pytest.mark.parametrize(
    ("created", "batches"),
    [
        ([0.0, 10.0, 20.0, 30.0], 1),
        ([0.0, 11.0], 2),
        ([0.0, 15.0, 30.0], 3),
        ([0.0, 18.0, 9.0], 1),
        ([12.0, 4.0], 1),
        ([5.0 * k for k in range(14)], 2),
    ],
)
def test_pods_created_in_a_chain_are_one_batch_unless_it_goes_on(
    fleet: Fleet, created: list[float], batches: int
) -> None:
    """HPA syncs 15 s apart are asks of their own; a rollout creates pods for minutes."""
    at_once, one_by_one = LeadTimes(), LeadTimes()
    others = [start((k + 1) * HOUR_S, 20.0) for k in range(ENOUGH)]
    starts = [start(at_s, 20.0) for at_s in created]
    for each in (*others, *starts):
        one_by_one.learn(fleet, [each])
    for lead in (lead_after(at_once, fleet, [*others, *starts]), lead_after(one_by_one, fleet, [])):
        assert lead.batches == ENOUGH + batches
        assert lead.ready_s <= SPAN_S + 21.0


def test_a_batch_counts_from_its_first_creation_even_if_that_pod_is_ready_last(fleet: Fleet) -> None:
    leads = LeadTimes()
    for k in range(ENOUGH):
        leads.learn(fleet, [start(k * HOUR_S + 8.0, 10.0)])
        leads.learn(fleet, [start(k * HOUR_S, 60.0)])
    lead = leads.applied(fleet, 0.0, STEP_S).workloads[0].lead
    assert (lead.batches, lead.ready_s) == (ENOUGH, 61.0)


def test_a_readiness_that_comes_back_is_no_start(fleet: Fleet) -> None:
    leads = LeadTimes()
    starts = [start(k * HOUR_S, 40.0) for k in range(ENOUGH)]
    leads.learn(fleet, starts)
    leads.learn(fleet, [replace(s, ready_s=s.ready_s + 1200.0) for s in starts])
    back = [start((10 + k) * HOUR_S, LONGEST_S + 1.0) for k in range(ENOUGH)]
    assert lead_after(leads, fleet, back).ready_s == 41.0, "seen for the first time hours after it was created"


def test_starts_within_the_grain_of_the_stamps_still_take_a_moment(fleet: Fleet) -> None:
    lead = lead_after(LeadTimes(), fleet, [start(k * HOUR_S, 0.0) for k in range(ENOUGH)])
    assert lead.ready_s == LEAST_READY_S


def test_F14_what_was_typed_stays_and_is_contradicted_when_it_is_too_short(make_fleet: Any) -> None:
    fleet = make_fleet(lanes=1, lead=Lead(60.0))
    leads = LeadTimes()
    starts = [start(k * HOUR_S, 300.0) for k in range(ENOUGH)]
    assert lead_after(leads, fleet, starts) == Lead(60.0)
    assert leads.applied(fleet, 0.0, STEP_S) is fleet
    ((note,),) = leads.notes(fleet).values()
    assert note.condition is Condition.LEAD_TOO_SHORT
    assert "lead.ready is 60 s, but the last pod of a batch was Ready after 301 s (p95 of 5 batches)" in note.words
    assert leads.notes(make_fleet(lanes=1, lead=Lead(400.0))) == {}


def test_memory_follows_the_workload_not_its_place(make_fleet: Any) -> None:
    default = Lead(180.0, basis=LeadBasis.DEFAULT)
    two = make_fleet(lanes=2, lead=default)
    leads = LeadTimes()
    leads.learn(two, [start(k * HOUR_S, 50.0, lane=1) for k in range(ENOUGH)])
    turned = Fleet((two.workloads[1], replace(two.workloads[0], ref=WorkloadRef("shop", "new"))))
    applied = leads.applied(turned, 0.0, STEP_S)
    assert [w.lead.ready_s for w in applied.workloads] == [51.0, 180.0]


def test_who_leaves_or_gets_another_target_starts_afresh(make_fleet: Any) -> None:
    two = make_fleet(lanes=2, lead=Lead(180.0, basis=LeadBasis.DEFAULT))
    leads = LeadTimes()
    leads.learn(two, [start(k * HOUR_S, 50.0, lane=lane) for k in range(ENOUGH) for lane in (0, 1)])
    assert [w.lead.ready_s for w in leads.applied(two, 0.0, STEP_S).workloads] == [51.0, 51.0]
    first, second = two.workloads
    other = replace(second, target=Target("apps/v1", "StatefulSet", second.target.name))
    assert [w.lead.ready_s for w in leads.applied(Fleet((first, other)), 0.0, STEP_S).workloads] == [51.0, 180.0]
    leads.applied(Fleet((other,)), 0.0, STEP_S)
    assert [w.lead.ready_s for w in leads.applied(two, 0.0, STEP_S).workloads] == [180.0, 180.0]


def test_memory_is_bounded(fleet: Fleet) -> None:
    leads = LeadTimes()
    for day in range(12):
        leads.learn(fleet, [start(day * 86_400.0 + 60.0 * k, 20.0) for k in range(200)])
    (memory,) = leads._starts.values()
    assert len(memory.batches) == MOST_BATCHES
    assert len(memory.told) <= 3 * 200


@given(st.lists(st.floats(1.0, 900.0), min_size=ENOUGH, max_size=MOST_BATCHES))
def test_most_batches_are_ready_within_the_measured_lead(times: list[float]) -> None:
    load_fleet = _fleet_of_one()
    leads = LeadTimes()
    lead = lead_after(leads, load_fleet, [start(k * 60.0, t) for k, t in enumerate(times)])
    assert np.mean([t <= lead.ready_s for t in times]) >= 0.94
    assert lead.ready_s <= max(times) + 2


def _fleet_of_one() -> Fleet:
    from tests.conftest import _workload

    return Fleet((_workload(lead=Lead(180.0, basis=LeadBasis.DEFAULT)),))


@given(st.lists(st.tuples(st.floats(0.0, 400.0), st.floats(1.0, 900.0)), min_size=1, max_size=60))
def test_what_is_in_force_is_never_short_of_the_measure_by_a_step(starts: list[tuple[float, float]]) -> None:
    fleet = _fleet_of_one()
    leads, created_s = LeadTimes(), 0.0
    for gap_s, ready_s in starts:
        created_s += gap_s
        leads.learn(fleet, [start(created_s, ready_s)])
        applied = leads.applied(fleet, created_s, STEP_S)
        measured = leads._starts[fleet.workloads[0].ref].measured
        if measured is not None:
            exact = Fleet((replace(fleet.workloads[0], lead=Lead(measured.total_s)),))
            assert applied.lead_steps(STEP_S) >= exact.lead_steps(STEP_S)
