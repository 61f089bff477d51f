"""D01, unit half: nonsense cannot be built, so no later stage has to expect it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.workload import (
    Actuation,
    Demand,
    Lead,
    Pause,
    PauseDirection,
    PolicyType,
    ScalingRule,
    SelectPolicy,
    StepPolicy,
    Workload,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "changes",
    [
        {"min_replicas": 5, "max_replicas": 4},
        {"min_replicas": 0},
        {"min_replicas": -1},
        {"min_replicas": 1, "max_replicas": 0},
        {"max_replicas": -3},
        {"risk": 0.0},
        {"risk": 0.21},
        {"risk": -0.1},
        {"risk": NAN},
        {"headroom": 0.99},
        {"headroom": NAN},
        {"headroom": INF},
        {"demands": ()},
        {"demands": (Demand("d", "s", "q", 1.0), Demand("d", "s", "p", 1.0))},
        {"max_data_age_s": 0.0},
        {"max_data_age_s": -1.0},
        {"max_data_age_s": NAN},
        {"max_data_age_s": INF},
    ],
    ids=str,
)
def test_D01_a_workload_that_contradicts_itself_is_refused_by_name(
    make_workload: Callable[..., Workload], changes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="shop/web"):
        replace(make_workload(), **changes)


@pytest.mark.parametrize("capacity", [0.0, -1.0, NAN, INF])
def test_D01_capacity_is_a_positive_number(capacity: float) -> None:
    with pytest.raises(ValueError, match="capacity"):
        Demand("d", "s", "q", capacity)


@pytest.mark.parametrize("part", ["ready_s", "warmup_s", "actuation_s", "provisioning_s"])
@pytest.mark.parametrize("value", [-1.0, NAN, INF])
def test_D01_lead_is_a_non_negative_number(part: str, value: float) -> None:
    given: dict[str, Any] = {part: value}
    with pytest.raises(ValueError, match="lead"):
        replace(Lead(1.0), **given)


@pytest.mark.parametrize(("value", "period"), [(0, 60), (-1, 60), (1, 0), (1, -60), (1, 1801)])
def test_D01_a_step_policy_moves_something_in_some_time(value: int, period: int) -> None:
    with pytest.raises(ValueError, match="step policy"):
        StepPolicy(PolicyType.PODS, value, period)


def test_the_edges_are_allowed(make_workload: Callable[..., Workload]) -> None:
    edge = make_workload(min_replicas=1, max_replicas=1, risk=0.2, headroom=1.0, lead=Lead(0.0))
    assert edge.lead.total_s == 0
    assert Lead(60.0, 30.0, 15.0).total_s == 105.0


def test_a_pause_ends_when_it_says() -> None:
    until = datetime(2026, 3, 1, 12, tzinfo=UTC)
    pause = Pause(PauseDirection.BOTH, "sre", "incident", until)
    assert pause.active(until - timedelta(microseconds=1))
    assert not pause.active(until)


def test_a_fleet_lays_rows_of_one_lane_side_by_side(make_workload: Callable[..., Workload]) -> None:
    fleet = Fleet((make_workload("a", (1.0, 2.0)), make_workload("b", (3.0,)), make_workload("c", (4.0, 5.0, 6.0))))
    assert fleet.row_lane.tolist() == [0, 0, 1, 2, 2, 2]
    assert fleet.row_start.tolist() == [0, 2, 3]
    assert fleet.capacity.tolist() == [1, 2, 3, 4, 5, 6]
    whose = tuple(key.split("=")[0] for key in fleet.row_keys())
    assert whose == ("shop/a/d0", "shop/a/d1", "shop/b/d0", "shop/c/d0", "shop/c/d1", "shop/c/d2")
    assert fleet.most_over_rows(np.array([1, 9, 2, 3, 8, 4])).tolist() == [9, 2, 8]
    flags = np.array([True, False, False, True, True, True])
    assert fleet.any_over_rows(flags).tolist() == [True, False, True]
    assert fleet.all_over_rows(flags).tolist() == [False, False, True]


def test_a_fleet_refuses_the_same_workload_twice(make_workload: Callable[..., Workload]) -> None:
    with pytest.raises(ValueError, match="shop/a is in the fleet twice"):
        Fleet((make_workload("a"), make_workload("b"), make_workload("a")))


@pytest.mark.parametrize(
    ("lead_s", "steps"), [(0.0, 0), (0.1, 1), (59.9, 1), (60.0, 1), (60.1, 2), (180.0, 3), (0.1 + 0.2 + 59.7, 1)]
)
def test_lead_rounds_up_to_whole_steps_and_data_delay_comes_on_top(
    make_fleet: Callable[..., Fleet], lead_s: float, steps: int
) -> None:
    fleet = make_fleet(lanes=1, lead=Lead(lead_s))
    assert fleet.lead_steps(60).tolist() == [steps]
    assert fleet.lead_steps(60, 2).tolist() == [steps + 2]


def test_a_fleet_of_nobody_has_empty_arrays() -> None:
    fleet = Fleet(())
    none = np.empty(0, dtype=np.int64)
    assert len(fleet) == len(fleet.row_keys()) == len(fleet.lead_steps(60)) == len(fleet.most_over_rows(none)) == 0


def test_rules_and_pauses_become_arrays(make_workload: Callable[..., Workload]) -> None:
    until = datetime(2026, 3, 1, tzinfo=UTC)
    rule = ScalingRule(
        120, (StepPolicy(PolicyType.PODS, 4, 60), StepPolicy(PolicyType.PERCENT, 50, 30)), SelectPolicy.MIN
    )
    fleet = Fleet(
        (
            make_workload("a", scale_up=rule, pause=Pause(PauseDirection.UP, "sre", "x", until)),
            make_workload("b", scale_up=ScalingRule(0, (), SelectPolicy.DISABLED), actuation=Actuation.KEDA_FLOOR),
            make_workload("c", pause=Pause(PauseDirection.BOTH, "sre", "x", until)),
        )
    )
    np.testing.assert_array_equal(fleet.up.pods, [[4, np.nan], [np.nan, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(fleet.up.percent, [[np.nan, 50], [np.nan, np.nan], [np.nan, np.nan]])
    assert fleet.up.pick_min.tolist() == [True, False, False]
    assert fleet.up.disabled.tolist() == [False, True, False]
    assert fleet.is_floor.tolist() == [False, True, False]
    assert fleet.pause_up.tolist() == [True, False, True]
    assert fleet.pause_down.tolist() == [False, False, True]
    assert fleet.pause_until_s.tolist() == [until.timestamp(), -np.inf, until.timestamp()]


def test_another_query_is_another_row(make_fleet: Callable[..., Fleet]) -> None:
    """Else what was learned from the old query would serve the new one until the next refit."""
    before = make_fleet(lanes=1)
    load = before.workloads[0]
    moved = Fleet((replace(load, demands=(replace(load.demands[0], query="other"),)),))
    assert before.row_keys() != moved.row_keys()
