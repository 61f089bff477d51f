"""The rules over lanes at a moment, and that one lane asked alone gives the same answer."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.calendar import Once
from autoscaler.domain.policy import Freeze, Growth, Guarded, Origin, PolicyPause, ReplicaWindow, Survive
from autoscaler.domain.policy_fleet import FREEZE_CODE, FleetRules
from autoscaler.domain.workload import Pause, PauseDirection

HERE = Origin("GuardPolicy p", "limits.schedule[0]", "p.yaml:1", "00000000")


def window(start: float, end: float, least: int | None, most: int | None = None, **more) -> ReplicaWindow:
    return ReplicaWindow(
        "w", Once(start, end), replace(HERE, rule=f"{start}-{end}-{least}-{most}"), least, most, **more
    )


def at(loads, now_s: float, lead_s: float = 0.0):
    rules = FleetRules.of(loads)
    low = np.array([w.min_replicas for w in loads])
    high = np.array([w.max_replicas for w in loads])
    return rules.at(now_s, np.full(len(loads), lead_s), low, high)


@pytest.fixture
def guarded(make_workload):
    def made(**rules):
        return make_workload(min_replicas=2, max_replicas=50, guarded=Guarded(**rules))

    return made


def test_a_minimum_is_asked_for_by_the_lead_time_ahead_a_maximum_only_in_its_window(guarded):
    load = guarded(windows=(window(1000, 2000, 8, 20),))
    assert [(int(f.min_replicas[0]), int(f.max_replicas[0])) for f in (at([load], t, 180.0) for t in (
        819, 820, 999, 1000, 1999, 2000))] == [(2, 50), (8, 50), (8, 50), (8, 20), (8, 20), (2, 50)]  # fmt: skip


def test_of_windows_that_overlap_the_highest_minimum_and_the_lowest_maximum_count(guarded):
    load = guarded(windows=(window(0, 100, 5, 30), window(50, 100, 9, 40), window(0, 100, None, 25)))
    found = at([load], 60.0)
    assert (found.min_replicas[0], found.max_replicas[0]) == (9, 25)


def test_windows_that_leave_no_room_clash_while_both_are_open(guarded):
    load = guarded(windows=(window(0, 100, 30), window(50, 100, None, 25)))
    assert [bool(at([load], t).clash[0]) for t in (49.0, 50.0, 100.0)] == [False, True, False]


def test_F08_an_events_floor_stays_below_max_instead_of_clashing(guarded):
    load = guarded(windows=(window(100, 200, 80, bounded=True), window(0, 300, None, 40)))
    found = at([load], 100.0)
    assert (found.min_replicas[0], found.max_replicas[0], found.clash[0]) == (40, 40, False)


def test_of_freezes_that_overlap_the_strictest_counts(guarded):
    load = guarded(
        freezes=(
            Freeze("a", Once(0, 100), HERE, Growth.ANY),
            Freeze("b", Once(50, 100), HERE, Growth.NONE),
            Freeze("c", Once(50, 100), HERE, Growth.OBSERVED_NEED),
        )
    )
    assert [int(at([load], t).freeze[0]) for t in (0.0, 50.0, 100.0)] == [1, FREEZE_CODE[Growth.NONE], 0]


def test_pauses_add_up_and_end_by_themselves(guarded):
    def pause(direction: PauseDirection, until: float) -> PolicyPause:
        return PolicyPause(Pause(direction, "mia", "test", datetime.fromtimestamp(until, UTC)), HERE)

    load = guarded(pauses=(pause(PauseDirection.DOWN, 100), pause(PauseDirection.UP, 50)))
    assert [(bool(f.pause_up[0]), bool(f.pause_down[0])) for f in (at([load], t) for t in (49.0, 50.0, 100.0))] == [
        (True, True), (False, True), (False, False)]  # fmt: skip


def test_room_for_a_lost_zone_and_for_replicas(make_workload):
    loads = [
        make_workload("a", guarded=Guarded(survive=Survive(HERE, replicas=1))),
        make_workload("b", guarded=Guarded(survive=Survive(HERE, zones=3))),
        make_workload("c", guarded=Guarded(survive=Survive(HERE, replicas=2, zones=2))),
        make_workload("d"),
    ]
    rules = FleetRules.of(loads)
    assert rules.surviving(np.array([4, 5, 4, 4])).tolist() == [5, 8, 10, 4]
    assert rules.surviving(np.zeros(4, dtype=np.int64)).tolist() == [0, 0, 0, 0]


@given(need=st.integers(1, 10_000), zones=st.integers(2, 9))
def test_what_is_left_after_a_zone_is_lost_still_carries_the_need(need, zones):
    survive = Guarded(survive=Survive(HERE, zones=zones))
    have = int(np.asarray(_rules(survive).surviving(np.array([need])))[0])
    most_in_a_zone = -(-have // zones)
    assert have - most_in_a_zone >= need
    assert have * (zones - 1) - need * zones < zones  # and not one more than that takes


def _rules(guarded: Guarded) -> FleetRules:
    class Load:
        pass

    load = Load()
    load.guarded = guarded  # type: ignore[attr-defined]
    return FleetRules.of([load])  # type: ignore[list-item]


COUNT = st.one_of(st.none(), st.integers(1, 30))
WINDOWS = st.lists(
    st.builds(
        lambda start, length, least, most, bounded: window(
            float(start), float(start + length), least if least or most else 3,
            None if bounded else most, bounded=bounded,
        ),
        st.integers(0, 50), st.integers(1, 50), COUNT, COUNT, st.booleans(),
    ),
    max_size=5,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(windows=st.lists(WINDOWS, min_size=1, max_size=4), now=st.integers(0, 110), lead=st.integers(0, 20))
def test_one_lane_alone_gets_the_same_limits_and_names_who_set_them(make_workload, windows, now, lead):
    loads = [
        make_workload(f"w{k}", min_replicas=4, max_replicas=20, guarded=Guarded(windows=tuple(each)))
        for k, each in enumerate(windows)
    ]
    found = at(loads, float(now), float(lead))
    for lane, load in enumerate(loads):
        (low, low_by), (high, high_by) = load.guarded.limits_at(float(now), float(lead), (4, 20))
        assert (low, high) == (found.min_replicas[lane], found.max_replicas[lane])
        assert (low_by is None) == (low == 4)
        assert (high_by is None) == (high == 20)
