"""D06, D07, D15 in decide: whole fleets under a brake and a budget, and one tick's record of each lane's part."""

import numpy as np
import pytest

from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.policy import Brake, Budget, Guarded, Origin
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.workload import PolicyType, ScalingRule, StepPolicy
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline import decide as deciding
from autoscaler.pipeline.counterfactual import counterfactuals
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState

HERE = Origin("GuardPolicy p", "limits", "p.yaml:1", "00000000")


@pytest.fixture
def fleet_run(make_workload, make_seen):
    """Ticks of a minute over a fleet; each decision is carried out. observed, peak: of each tick, over lanes."""

    def run(guarded, replicas, ticks, **changes):
        loads = [
            make_workload(f"w{k}", **({"scale_down": ScalingRule(), "guarded": g} | changes))
            for k, g in enumerate(guarded)
        ]
        fleet = Fleet(tuple(loads))
        state, current, found = LoopState.fresh(fleet, 60), np.array(replicas, dtype=np.int64), []
        for k, (observed, peak) in enumerate(ticks):
            now_s = 1_772_000_040.0 + 60 * k
            known = np.ones(len(fleet), dtype=np.bool_)
            status = ReplicaStatus(known, current, current, current, np.full(len(fleet), NO_LIMIT))
            seen = make_seen(fleet, int(now_s // 60), observed, peak, settled=np.full(len(fleet.demands), np.nan))
            decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s)
            current = decisions.granted
            found.append(decisions)
        return found

    return run


def test_D07_a_metric_that_drops_everywhere_lets_only_the_share_shrink_at_a_time(fleet_run) -> None:
    lanes = 40
    calm, dropped = (100.0, np.nan), (10.0, np.nan)
    found = fleet_run([Guarded(brakes=(Brake(0.25, HERE),))] * lanes, [10] * lanes, [calm, dropped, dropped, dropped])
    for tick in found[1:]:
        assert int((tick.granted < tick.proposals.current).sum()) <= 10
    first = found[1]
    assert int((first.granted < 10).sum()) == 10
    held = first[int(np.flatnonzero(first.granted == 10)[0])]
    assert held.state == "Holding"
    assert "FleetBrake" in held.reasons
    assert ("brake", str(HERE)) in held.rules
    assert counterfactuals(held, CHAIN)["fleet-brake"] < 10
    free = fleet_run([None] * lanes, [10] * lanes, [calm, dropped])
    assert (free[1].granted < 10).all()


def test_D06_everybody_who_wants_more_at_once_is_served_by_priority_within_the_budget(fleet_run) -> None:
    lanes = 500
    rules = [Guarded(budgets=(Budget(3000, HERE),), priority=900 if k < 100 else 100) for k in range(lanes)]
    (tick,) = fleet_run(rules, [4] * lanes, [(40.0, 200.0 / 1.125)], max_replicas=1000)
    assert int(tick.granted.sum()) == 3000
    assert (tick.granted >= 4).all()
    assert tick.granted[:100].min() >= tick.granted[100:].max()
    again = fleet_run(rules, [4] * lanes, [(40.0, 200.0 / 1.125)], max_replicas=1000)[0]
    np.testing.assert_array_equal(tick.granted, again.granted)


def test_D15_a_budget_never_cuts_what_is_needed_now_and_min_beats_it(fleet_run) -> None:
    rules = [Guarded(budgets=(Budget(10, HERE),))] * 3
    (tick,) = fleet_run(rules, [2, 2, 2], [([90.0, 10.0, 10.0], [300.0, 300.0, 300.0])], min_replicas=4)
    assert tick.granted.tolist() == [9, 4, 4]
    assert "BudgetReached" in tick[0].reasons
    assert tick[0].inputs["budget_cap"] == 9


def test_a_lowered_budget_is_reached_by_permitted_steps(fleet_run) -> None:
    rules = [Guarded(budgets=(Budget(10, HERE),))] * 2
    down = ScalingRule(0, (StepPolicy(PolicyType.PODS, 2, 60),))
    found = fleet_run(rules, [10, 10], [([20.0] * 2, [100.0 / 1.125] * 2)] * 4, scale_down=down)
    assert [int(t.granted.sum()) for t in found] == [16, 12, 10, 10]


def test_a_fleet_without_shared_rules_runs_the_chain_once(fleet_run, monkeypatch) -> None:
    calls = 0
    once = deciding.run_chain

    def counted(*given):
        nonlocal calls
        calls += 1
        return once(*given)

    monkeypatch.setattr(deciding, "run_chain", counted)
    fleet_run([Guarded()] * 3, [5] * 3, [(10.0, np.nan)])
    assert calls == 1


def test_D06_growth_by_forecast_waits_for_its_turn_and_need_does_not(fleet_run) -> None:
    lanes = 40
    rules = [Guarded(brakes=(Brake(0.25, HERE, grow=True),))] * lanes
    found = fleet_run(rules, [10] * lanes, [(100.0, 300.0)] * 4)
    for tick in found:
        assert int((tick.granted > tick.proposals.current).sum()) <= 10
    assert int((found[3].granted > 10).sum()) > 10  # the turns change
    waits = found[0][int(np.flatnonzero(found[0].granted == 10)[0])]
    assert "GrowthBrake" in waits.reasons
    assert counterfactuals(waits, CHAIN)["growth-brake"] > 10
    (needed,) = fleet_run(rules, [10] * lanes, [(200.0, 200.0)])
    assert (needed.granted >= 20).all()
    short = [Guarded(brakes=(Brake(0.25, HERE, grow=True, short=True),))] * lanes
    (left,) = fleet_run(short, [10] * lanes, [(200.0, 200.0)])
    assert int((left.granted > 10).sum()) == 10


def test_D15_a_budget_that_may_cause_shortage_binds_below_need_but_not_below_min(fleet_run) -> None:
    rules = [Guarded(budgets=(Budget(12, HERE, short=True),))] * 3
    (tick,) = fleet_run(rules, [2, 2, 2], [([90.0, 10.0, 10.0], [300.0, 300.0, 300.0])], min_replicas=2)
    assert int(tick.granted.sum()) == 12
    assert (tick.granted >= 2).all()
    assert tick.granted[0] < 9
    assert "BudgetReached" in tick[0].reasons
    assert counterfactuals(tick[0], CHAIN)["budget"] > 9
