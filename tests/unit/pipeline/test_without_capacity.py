"""A demand without a capacity decides nothing: what is there stays, and a floor is not raised to what runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoscaler.domain.decision import Decision, State
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import ForesightAt
from autoscaler.domain.reasons import Reason
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.workload import Actuation, Demand, LearnedFrom, Workload
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.counted import counted
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState

LEARNS = LearnedFrom("cpu", 0.5, "ready")
Decided = Callable[..., Decision]


@pytest.fixture
def decided(make_workload: Callable[..., Workload], make_seen: Callable[..., ForesightAt]) -> Decided:
    """One lane, decided at once; `capacities`: of its demands, None = not learned yet."""

    def build(
        capacities: tuple[float | None, ...], observed: Any, peak: Any, actuation: Actuation, running: int, **own: Any
    ) -> Decision:
        demands = tuple(
            Demand(f"d{k}", "prom", f"q{k}", c, None if c is not None else LEARNS) for k, c in enumerate(capacities)
        )
        fleet = Fleet((replace(make_workload(actuation=actuation, **own), demands=demands),))
        seen = make_seen(fleet, 100, observed, peak)
        status = ReplicaStatus(
            desired=np.array([running]),
            ready=np.array([running]),
            known=np.array([True]),
            floor=np.array([4]),
            ceiling=np.array([100]),
        )
        decisions, state = decide(fleet, seen, status, LoopState.fresh(fleet, 60), CHAIN, now_s=6000.0)
        return counted(decisions, state)[0][0]

    return build


@pytest.mark.parametrize("observed", [95.0, np.nan])
@pytest.mark.parametrize("peak", [900.0, 1.0, np.nan])
def test_a_floor_stays_where_it_is_written(decided: Decided, observed: float, peak: float) -> None:
    """Not at the 30 that run, whether the data is good or bad: the HPA over it would never shrink again."""
    got = decided((None,), observed, peak, Actuation.HPA_FLOOR, 30)
    assert (got.current, got.granted) == (4, 4)
    assert (got.state, got.sizing) == (State.HOLDING, Reason.CAPACITY_UNKNOWN)
    assert got.demands[0].capacity_per_replica is None
    assert (got.inputs["need_known"], got.inputs["predicted"]) == (False, False)


@pytest.mark.parametrize("observed", [95.0, np.nan])
@pytest.mark.parametrize("peak", [900.0, 1.0])
def test_replicas_stay_where_they_are(decided: Decided, observed: float, peak: float) -> None:
    got = decided((None,), observed, peak, Actuation.SCALE, 30)
    assert (got.granted, got.state) == (30, State.HOLDING)
    assert Reason.CAPACITY_UNKNOWN in got.reasons


@pytest.mark.parametrize(("observed", "granted"), [(200.0, 20), (900.0, 90)])
def test_beside_a_demand_that_has_one_only_what_is_observed_is_let_through(
    decided: Decided, observed: float, granted: int
) -> None:
    got = decided((10.0, None), [observed, 5.0], [5000.0, 5000.0], Actuation.SCALE, 20)
    assert (got.granted, got.inputs["observed_need"]) == (granted, granted)
    low = decided((10.0, None), [10.0, 5.0], [5000.0, 5000.0], Actuation.SCALE, 20)
    assert low.granted == 20


def test_the_minimum_of_the_workload_holds_all_the_same(decided: Decided) -> None:
    assert decided((None,), 95.0, 900.0, Actuation.SCALE, 3, min_replicas=5).granted == 5


def test_other_lanes_are_sized_as_ever(make_workload: Any, make_seen: Any) -> None:
    ours = make_workload("ours")
    other = replace(make_workload("new"), demands=(Demand("d", "prom", "q", None, LEARNS),))

    def granted(*loads: Workload) -> list[int]:
        fleet = Fleet(loads)
        ten, hundred = np.full(len(loads), 10), np.full(len(loads), 100)
        status = ReplicaStatus(desired=ten, ready=ten, known=ten > 0, floor=ten, ceiling=hundred)
        seen = make_seen(fleet, 100, 95.0, 201.0)
        decisions, _ = decide(fleet, seen, status, LoopState.fresh(fleet, 60), CHAIN, now_s=6000.0)
        return [int(n) for n in decisions.granted]

    [alone] = granted(ours)
    assert alone > 20
    assert granted(ours, other) == [alone, 10]
