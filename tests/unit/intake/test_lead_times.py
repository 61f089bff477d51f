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
from autoscaler.domain.workload import Lead, LeadBasis, WorkloadRef
from autoscaler.intake.lead_times import CALM_S, ENOUGH, HALF_LIFE_S, MOST_BATCHES, LeadTimes

HOUR_S = 3600.0


def start(created_s: float, ready_after_s: float, *, node_after_s: float = 0.0, lane: int = 0) -> PodStart:
    placed_s = created_s + node_after_s
    return PodStart(lane, f"{lane}-{created_s}-{ready_after_s}", created_s, placed_s, placed_s + ready_after_s)


@pytest.fixture
def fleet(make_fleet: Callable[..., Fleet]) -> Fleet:
    return make_fleet(lanes=1, lead=Lead(180.0, 10.0, 15.0, basis=LeadBasis.DEFAULT))


def lead_after(leads: LeadTimes, fleet: Fleet, starts: Iterable[PodStart], now_s: float = 0.0) -> Lead:
    leads.learn(fleet, list(starts))
    return leads.applied(fleet, now_s).workloads[0].lead


def test_the_default_stands_until_enough_starts_were_seen(fleet: Fleet) -> None:
    leads = LeadTimes()
    for k in range(ENOUGH - 1):
        assert lead_after(leads, fleet, [start(k * HOUR_S, 60.0)]) == fleet.workloads[0].lead
    assert leads.applied(fleet, 0.0) is fleet
    lead = lead_after(leads, fleet, [start(ENOUGH * HOUR_S, 60.0)])
    assert (lead.basis, lead.ready_s, lead.batches) == (LeadBasis.MEASURED, 61.0, ENOUGH)
    assert (lead.warmup_s, lead.actuation_s, lead.total_s) == (10.0, 15.0, 86.0)


def test_a_batch_counts_until_its_last_pod_is_ready_whenever_that_is_heard_of(fleet: Fleet) -> None:
    leads = LeadTimes()
    for k in range(ENOUGH):
        at_s = k * HOUR_S
        leads.learn(fleet, [start(at_s, 30.0), start(at_s + 4.0, 30.0)])
        leads.learn(fleet, [start(at_s + 12.0, 50.0)])  # slow starts chain into the batch that is known already
    lead = leads.applied(fleet, 0.0).workloads[0].lead
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
    first = leads.applied(fleet, 0.0)
    assert leads.applied(fleet, 15.0) is first
    leads.learn(fleet, [start(20 * HOUR_S, 200.0)])
    slower = leads.applied(fleet, 30.0)
    assert slower.workloads[0].lead.ready_s == 201.0
    leads.learn(fleet, [start((30 + k) * HOUR_S, 50.0) for k in range(MOST_BATCHES)])
    assert leads.applied(fleet, 45.0) is slower
    assert leads.applied(fleet, 45.0 + CALM_S - 1) is slower
    assert leads.applied(fleet, 45.0 + CALM_S).workloads[0].lead.ready_s == 51.0


def test_F14_what_was_typed_stays_and_is_contradicted_when_it_is_too_short(make_fleet: Any) -> None:
    fleet = make_fleet(lanes=1, lead=Lead(60.0))
    leads = LeadTimes()
    starts = [start(k * HOUR_S, 300.0) for k in range(ENOUGH)]
    assert lead_after(leads, fleet, starts) == Lead(60.0)
    assert leads.applied(fleet, 0.0) is fleet
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
    applied = leads.applied(turned, 0.0)
    assert [w.lead.ready_s for w in applied.workloads] == [51.0, 180.0]


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
