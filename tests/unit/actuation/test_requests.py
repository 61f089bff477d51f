from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from autoscaler.actuation.requests import requests
from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import ForesightAt
from autoscaler.domain.replicas import ReplicaStatus, ScaleRequest
from autoscaler.domain.workload import Actuation, Mode, Workload
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState


@pytest.fixture
def decided(make_workload: Callable[..., Workload], make_seen: Callable[..., ForesightAt]) -> Callable[..., Decisions]:
    def build(demand: list[float], current: int = 10, **changes: object) -> Decisions:
        fleet = Fleet(tuple(make_workload(f"w{i}", **changes) for i in range(len(demand))))
        counts = np.full(len(demand), current, dtype=np.int64)
        yes = np.ones(len(demand), dtype=np.bool_)
        status = ReplicaStatus(yes, counts, counts, counts, np.full(len(demand), 100))
        seen = make_seen(fleet, 100, demand)
        return decide(fleet, seen, status, LoopState.fresh(fleet, 60), CHAIN, now_s=6000.0)[0]

    return build


def test_only_lanes_that_change_are_written_and_each_write_expires_after_two_steps(
    decided: Callable[..., Decisions],
) -> None:
    decisions = decided([100.0, 250.0, 95.0, 400.0])
    assert requests(decisions) == (ScaleRequest(1, 25, 6120.0, 10), ScaleRequest(3, 40, 6120.0, 10))


def test_equal_values_are_not_written(decided: Callable[..., Decisions]) -> None:
    assert requests(decided([100.0, 91.0])) == ()
    assert requests(decided([])) == ()


def test_advise_makes_no_request_however_much_is_wanted(decided: Callable[..., Decisions]) -> None:
    decisions = decided([900.0], mode=Mode.ADVISE)
    assert decisions.granted.tolist() == [90]
    assert requests(decisions) == ()


def test_a_floor_is_compared_with_the_floor_and_not_with_what_runs(decided: Callable[..., Decisions]) -> None:
    decisions = decided([100.0], current=1, actuation=Actuation.HPA_FLOOR)
    assert requests(decisions) == ()


def test_an_unknown_target_is_not_written_whatever_the_guards_say(decided: Callable[..., Decisions]) -> None:
    decisions = decided([900.0])
    unknown = replace(decisions.proposals, target_known=np.array([False]))
    assert requests(replace(decisions, proposals=unknown)) == ()
