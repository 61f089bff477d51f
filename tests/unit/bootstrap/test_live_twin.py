"""The cluster twin of a running service: it follows the clock, and whatever the fleet becomes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.series import SeriesBatch
from autoscaler.domain.workload import Actuation, WorkloadRef
from autoscaler.simulator.clock import VirtualClock
from autoscaler.simulator.cluster import ClusterSettings
from autoscaler.simulator.live import MOST_STEPS, LiveTwin

START = datetime(2026, 6, 10, 9, tzinfo=UTC)
FAR = START.timestamp() + 1e6


class Steady:
    """The same demand for every row and step; remembers what it was asked for."""

    def __init__(self, demand: float) -> None:
        self.demand = demand
        self.asked: list[tuple[int, int]] = []

    def load(self, demands: Any, first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        self.asked.append((first_step, end_step))
        return SeriesBatch.judge(step_s, first_step, np.full((len(demands), end_step - first_step), self.demand))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def later(clock) -> Callable[[float], None]:
    def move(minutes: float) -> None:
        clock.at += timedelta(minutes=minutes)

    return move


def scaled(fleet: Fleet, lane: int, replicas: int) -> ScaleRequest:
    return ScaleRequest(lane=lane, replicas=replicas, expires_s=FAR)


def test_everything_starts_at_its_minimum(clock, make_fleet, make_workload):
    fleet = make_fleet(make_workload("a", min_replicas=3), make_workload("b", min_replicas=5))
    status = LiveTwin(clock, Steady(0.0), 60).observe(fleet)
    assert status.ready.tolist() == status.desired.tolist() == [3, 5]
    assert status.known.all()


def test_new_replicas_are_ready_after_their_lead_by_the_clock(clock, later, make_fleet):
    fleet = make_fleet()
    twin = LiveTwin(clock, Steady(0.0), 60)
    twin.observe(fleet)
    twin.apply(fleet, [scaled(fleet, 0, 8)], clock.at.timestamp())
    ready = []
    for _ in range(4):
        later(1)
        status = twin.observe(fleet)
        ready.append(int(status.ready[0]))
        assert status.desired[0] == 8
    assert ready == [1, 1, 8, 8]  # a lead of 180 s


def test_the_users_hpa_acts_on_demand_above_our_floor(clock, later, make_fleet):
    fleet = make_fleet(actuation=Actuation.HPA_FLOOR)
    twin = LiveTwin(clock, Steady(70.0), 60, ClusterSettings(hpa_target=70))
    twin.observe(fleet)
    for _ in range(12):
        later(1)
        status = twin.observe(fleet)
    assert status.desired[0] == 10  # 70 of demand, 10 each, at 70 %
    assert status.floor[0] == 1


def test_a_fleet_change_keeps_what_the_others_have(clock, later, make_fleet, make_workload):
    a, b, c = (make_workload(name) for name in "abc")
    floor = make_workload("f", actuation=Actuation.HPA_FLOOR)
    old = make_fleet(a, b, floor)
    twin = LiveTwin(clock, Steady(0.0), 60)
    twin.observe(old)
    twin.apply(old, [scaled(old, 0, 7), scaled(old, 1, 9), scaled(old, 2, 6)], clock.at.timestamp())
    later(5)
    twin.observe(old)
    new = make_fleet(b, c, floor)
    status = twin.observe(new)
    assert status.desired.tolist()[:2] == [9, 1]
    assert status.floor[2] == 6
    later(1)
    assert twin.observe(new).ready.tolist()[:2] == [9, 1]


def test_a_floor_is_brought_inside_new_limits(clock, later, make_fleet, make_workload):
    old = make_fleet(make_workload("f", actuation=Actuation.HPA_FLOOR, max_replicas=50))
    twin = LiveTwin(clock, Steady(0.0), 60)
    twin.observe(old)
    twin.apply(old, [scaled(old, 0, 40)], clock.at.timestamp())
    new = make_fleet(make_workload("f", actuation=Actuation.HPA_FLOOR, max_replicas=20))
    assert twin.observe(new).floor[0] == 20


def test_a_long_gap_is_not_lived_through_step_by_step(clock, later, make_fleet):
    fleet, metrics = make_fleet(actuation=Actuation.HPA_FLOOR), Steady(10.0)
    twin = LiveTwin(clock, metrics, 60)
    twin.observe(fleet)
    later(60 * 24 * 30)
    twin.observe(fleet)
    first, end = metrics.asked[-1]
    assert end - first == MOST_STEPS


def test_a_clock_that_is_set_back_changes_nothing(clock, later, make_fleet):
    fleet = make_fleet()
    twin = LiveTwin(clock, Steady(0.0), 60)
    twin.observe(fleet)
    twin.apply(fleet, [scaled(fleet, 0, 8)], clock.at.timestamp())
    later(5)
    assert twin.observe(fleet).ready[0] == 8
    later(-60)
    assert twin.observe(fleet).ready[0] == 8


def test_unknown_demand_moves_no_hpa(clock, later, make_fleet):
    fleet = make_fleet(actuation=Actuation.HPA_FLOOR, min_replicas=4)
    twin = LiveTwin(clock, Steady(np.nan), 60)
    twin.observe(fleet)
    later(10)
    assert twin.observe(fleet).desired[0] == 4


def test_a_write_that_comes_too_late_is_dropped(clock, make_fleet):
    fleet = make_fleet()
    twin = LiveTwin(clock, Steady(0.0), 60)
    now_s = clock.at.timestamp()
    twin.apply(fleet, [ScaleRequest(lane=0, replicas=8, expires_s=now_s - 1)], now_s)
    assert twin.observe(fleet).desired[0] == 1


def test_workloads_of_one_name_in_two_namespaces_are_two(clock, make_fleet, make_workload):
    fleet = make_fleet(make_workload("web"), make_workload("web", ref=WorkloadRef("ops", "web"), min_replicas=4))
    assert LiveTwin(clock, Steady(0.0), 60).observe(fleet).desired.tolist() == [1, 4]
