"""The frozen view of one lane: complete enough to replay, and true in each state."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from autoscaler.domain.decision import Decision, Decisions, State
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import ForesightAt
from autoscaler.domain.proposals import Proposals
from autoscaler.domain.reasons import Reason
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.workload import Mode, Pause, PauseDirection, Workload
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.decide import decide, run_chain
from autoscaler.pipeline.state import LoopState

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def decided(make_workload: Callable[..., Workload], make_seen: Callable[..., ForesightAt]) -> Callable[..., Decisions]:
    def build(
        observed: Any = 100.0, peak: Any = 120.0, *, known: bool = True, capacities: Any = (10.0,), **changes: Any
    ) -> Decisions:
        fleet = Fleet((make_workload("a"), make_workload("b", capacities, **changes)))
        demand = np.concatenate(([50.0], np.atleast_1d(observed)))
        peaks = np.concatenate(([np.nan], np.atleast_1d(peak)))
        ten = np.array([10, 10])
        status = ReplicaStatus(np.array([True, known]), ten, ten, ten, np.array([99, 99]))
        seen = make_seen(fleet, 100, demand, peaks)
        return decide(fleet, seen, status, LoopState.fresh(fleet, 60), CHAIN, now_s=6000.0)[0]

    return build


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, State.ACTIVE),
        ({"mode": Mode.ADVISE}, State.ADVISORY),
        ({"peak": np.nan}, State.LEARNING),
        ({"observed": np.nan}, State.HOLDING),
        ({"observed": 500.0, "pause": Pause(PauseDirection.BOTH, "sre", "x", LATER)}, State.PAUSED),
    ],
    ids=str,
)
def test_state_is_what_the_owner_must_know_first(
    decided: Callable[..., Decisions], changes: dict[str, Any], state: State
) -> None:
    assert decided(**changes)[1].state is state


def test_the_view_is_complete_and_unknown_is_none(decided: Callable[..., Decisions]) -> None:
    view = decided([300.0, np.nan], [np.nan, 70.0], capacities=(10.0, 5.0))[1]
    assert (str(view.workload), view.current, view.wanted) == ("shop/b", 10, 30)
    assert (view.at, view.expires) == (datetime.fromtimestamp(6000, UTC), datetime.fromtimestamp(6120, UTC))
    known, unknown = view.demands
    assert (known.observed, known.age_s, known.model, known.quantiles) == (300.0, 0.0, None, None)
    assert (unknown.observed, unknown.age_s, unknown.model, unknown.sizing_quantile) == (None, None, "given", 70.0)
    assert [e.guard for e in view.effects] == [g.name for g in CHAIN]
    assert view.reasons == (Reason.OBSERVED_NEED, Reason.BAD_DATA)
    assert len(view.words) == len(view.reasons)


def _replayed(view: Decision, like: Proposals) -> Proposals:
    arrays = {
        name: np.array([view.inputs[name]], dtype=getattr(like, name).dtype)
        for name in like.__slots__
        if name != "now_s" and name in view.inputs
    }
    return Proposals(now_s=view.inputs["now_s"], silent=frozenset(), **arrays)


@pytest.mark.parametrize("changes", [{}, {"observed": np.nan}, {"observed": 5000.0}, {"known": False}], ids=str)
def test_a_recorded_decision_replays_to_the_same_number(
    decided: Callable[..., Decisions], changes: dict[str, Any]
) -> None:
    decisions = decided(**changes)
    for lane in (0, 1):
        view = decisions[lane]
        trace, last = run_chain(CHAIN, _replayed(view, decisions.proposals))
        assert int(last.wanted[0]) == view.granted
        assert [bool(t.acted[0]) for t in trace] == [e.acted for e in view.effects]


def test_equal_fingerprints_mean_the_same_decision(decided: Callable[..., Decisions]) -> None:
    np.testing.assert_array_equal(decided().fingerprint(), decided().fingerprint())
    assert (decided().fingerprint() != decided(500.0).fingerprint())[1].any()
    assert (decided().fingerprint() != decided(np.nan).fingerprint())[1].any()
    np.testing.assert_array_equal(decided().fingerprint()[0], decided(500.0).fingerprint()[0])
