"""F08: what an event expects of demand, which history does not know: ahead of it, in it, after it; what bounds it."""

from typing import Any

import numpy as np
import pytest

from autoscaler.domain.calendar import Once
from autoscaler.domain.decision import Decision
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.policy import Guarded, Origin, ReplicaWindow, Trust
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.workload import Actuation, ScalingRule
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState

START_S = 6000.0
HERE = Origin("GuardPolicy p", "limits.events[0]", "p.yaml:1", "00000000")
BOTH = pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])


def event(start: int, end: int, uplift: float, least: int | None = None, name: str = "e") -> ReplicaWindow:
    window = Once(START_S + 60 * start, START_S + 60 * end)
    return ReplicaWindow(name, window, HERE, least, bounded=True, uplift=uplift)


@pytest.fixture
def run(make_workload, make_seen):
    """A minute a step, each decision carried out; ten of demand a replica, the lead is three minutes."""

    def stepped(minutes: int, observed: Any, peak: Any, replicas: int = 10, **changes: Any) -> list[Decision]:
        load = make_workload(**({"scale_down": ScalingRule()} | changes))
        fleet, found, count = Fleet((load,)), [], replicas
        state = LoopState.fresh(fleet, 60)
        for minute in range(minutes):
            now_s = START_S + 60 * minute
            running = np.array([max(count, replicas) if load.actuation.is_floor else count])
            status = ReplicaStatus(
                np.ones(1, dtype=np.bool_), running, running, np.array([count]), np.array([NO_LIMIT])
            )
            demand, top = (np.broadcast_to(x, minutes)[minute] for x in (observed, peak))
            seen = make_seen(fleet, int(now_s // 60), demand, top / 1.125, settled=np.full(1, np.nan))
            decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s)
            found.append(decisions[0])
            count = found[-1].granted
        return found

    return stepped


def granted(found: list[Decision]) -> list[int]:
    return [d.granted for d in found]


@BOTH
def test_F08_the_forecast_counts_so_many_times_ahead_of_the_event_and_in_it(run, actuation) -> None:
    rules = Guarded(windows=(event(10, 20, 1.5),))
    found = run(25, 100.0, 100.0, guarded=rules, actuation=actuation)
    got = granted(found)
    assert got[:6] == [10] * 6
    assert got[6:20] == [15] * 14  # the lead, and a step: by then they are there
    assert got[20] == 10
    assert ("uplift", str(HERE)) in found[6].rules
    assert any(n.condition == "Event" and "e: 1.5 times" in n.words for n in found[6].notes)
    assert not any(n.condition == "Event" for n in found[20].notes)
    assert dict(found[20].rules).get("uplift") is None


@BOTH
def test_F08_without_a_forecast_what_is_observed_counts_so_many_times(run, actuation) -> None:
    rules = Guarded(windows=(event(2, 9, 2.0),))
    assert granted(run(3, 100.0, np.nan, guarded=rules, actuation=actuation)) == [20] * 3


def test_F08_what_is_needed_now_stays_what_is_observed(run) -> None:
    decision = run(1, 100.0, 100.0, guarded=Guarded(windows=(event(0, 5, 3.0),)))[0]
    assert decision.inputs["observed_need"] == 10
    assert decision.granted == 30


def test_F08_of_several_events_the_highest_counts_and_a_floor_stands_beside_it(run) -> None:
    several = (event(0, 5, 1.5, name="a"), event(0, 5, 2.0, name="b"), event(0, 5, 1.0, 25, name="c"))
    assert granted(run(1, 100.0, 100.0, guarded=Guarded(windows=several))) == [25]
    assert granted(run(1, 100.0, 100.0, guarded=Guarded(windows=several[:2]))) == [20]


def test_F08_max_bounds_it_and_trust_in_the_forecast_leaves_room_for_it(run) -> None:
    rules = (event(0, 5, 3.0),)
    assert granted(run(1, 100.0, 100.0, guarded=Guarded(windows=rules), max_replicas=20)) == [20]
    doubting = Guarded(windows=rules, trust=Trust(over=1.2))
    assert granted(run(1, 100.0, 100.0, guarded=doubting)) == [30]
    assert granted(run(1, 100.0, 400.0, guarded=doubting)) == [36]


def test_M06_lanes_without_trust_rules_beside_one_with_them_see_no_arithmetic_of_theirs(
    make_workload, make_seen
) -> None:
    fleet = Fleet((make_workload("a", guarded=Guarded(trust=Trust(over=2.0))), make_workload("b")))
    count = np.array([3, 3])
    status = ReplicaStatus(np.ones(2, dtype=np.bool_), count, count, count, np.full(2, NO_LIMIT))
    seen = make_seen(fleet, int(START_S // 60), 0.0, 50.0)
    with np.errstate(all="raise", under="ignore"):
        decisions, _ = decide(fleet, seen, status, LoopState.fresh(fleet, 60), CHAIN, now_s=START_S)
    assert (decisions.proposals.trust_cap < NO_LIMIT).tolist() == [True, False]


def test_F08_an_event_that_people_foresaw_is_no_miss_of_ours(run, make_workload, make_seen) -> None:
    margins = []
    for windows in ((event(0, 60, 2.0),), ()):
        load = make_workload(guarded=Guarded(windows=windows))
        fleet = Fleet((load,))
        state, count = LoopState.fresh(fleet, 60), np.array([10])
        for minute in range(40):
            demand = 100.0 if minute < 10 else 200.0
            status = ReplicaStatus(np.ones(1, dtype=np.bool_), count, count, count, np.array([NO_LIMIT]))
            now_s = START_S + 60 * minute
            seen = make_seen(fleet, int(now_s // 60), demand, 100.0)
            decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s)
            count = decisions.granted
        margins.append(float(state.margin.margin[0]))
    assert margins[0] < margins[1]


def test_a_fleet_without_events_multiplies_nothing(make_fleet) -> None:
    fleet = make_fleet(lanes=2, guarded=Guarded(windows=(event(0, 5, 1.0, 8),)))
    assert fleet.rules.at(START_S, fleet.lead_s, fleet.min_replicas, fleet.max_replicas).uplift is None
