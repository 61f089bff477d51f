"""Conditions of policies in decide: what they read, what they do, what the record says of them."""

from typing import Any

import numpy as np
import pytest

from autoscaler.domain.conditions import About, FleetConditions, PolicyCondition, Then
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.policy import Guarded, Origin
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.workload import ScalingRule
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.counterfactual import counterfactuals
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState
from autoscaler.reporting.rules_behind import rules_behind
from autoscaler.spec.cel import program_of

NOW_S = 1_772_451_000.0  # 2026-03-02T11:30Z, a Monday


def condition(text: str, then: Then, replicas: int = 0, line: int = 1, **more: Any) -> PolicyCondition:
    origin = Origin("GuardPolicy p", f"limits.conditions[{line}]", f"p.yaml:{line}", "00000000")
    return PolicyCondition(f"c{line}", program_of(text), then, "said so", origin, replicas, **more)


def guarded(*conditions: PolicyCondition) -> Guarded:
    return Guarded(conditions=conditions, about=About("shop", "w0", (("tier", "web"),), "berlin"))


@pytest.fixture
def once(make_workload, make_seen):
    def run(rules, observed=30.0, peak=30.0, current=10, **changes):
        loads = [make_workload(f"w{k}", guarded=g, scale_down=ScalingRule(), **changes) for k, g in enumerate(rules)]
        fleet = Fleet(tuple(loads))
        now = np.full(len(fleet), current, dtype=np.int64)
        status = ReplicaStatus(np.ones(len(fleet), dtype=np.bool_), now, now, now, np.full(len(fleet), NO_LIMIT))
        state = LoopState.fresh(fleet, 60)
        for at_s in (NOW_S - 600, NOW_S):
            seen = make_seen(fleet, int(at_s // 60), observed, peak, settled=np.full(len(fleet.demands), np.nan))
            decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=at_s)
        return decisions

    return run


TRUE = [
    'labels["tier"] == "web" && site == "berlin" && name == "w0" && ns == "shop"',
    'now.getHours("Europe/Berlin") == 12',
    "replicas == 10 && running == 10 && need == 3",
    "minReplicas <= replicas && replicas <= maxReplicas",
    "recentHigh >= 3 && recentLow <= 10 && wanted >= 3",
    "dataAgeSeconds < 60.0 && margin > 0.5",
]


@pytest.mark.parametrize("text", TRUE)
def test_everything_that_is_documented_can_be_read(once, text):
    decision = once([guarded(condition(text, Then.FLOOR, 25))])[0]
    assert decision.granted == 25
    (note,) = (n for n in decision.notes if n.condition == "PolicyCondition")
    assert note.words.startswith("c1: said so (GuardPolicy p@00000000 limits.conditions[1] (p.yaml:1))")


def test_demands_and_quantiles_are_read_by_the_name_of_the_demand(once, make_workload):
    name = make_workload("w0").demands[0].name
    text = f'observed["{name}"] == 30.0 && p50["{name}"] <= p90["{name}"] && p90["{name}"] <= p95["{name}"]'
    assert once([guarded(condition(text, Then.FLOOR, 25))])[0].granted == 25


def test_without_a_forecast_a_condition_on_it_cannot_be_answered_and_holds(once, make_workload):
    name = make_workload("w0").demands[0].name
    asked = guarded(condition(f'p95["{name}"] > 1.0', Then.FLOOR, 25))
    decision = once([asked], peak=np.nan)[0]
    assert (decision.granted, decision.state) == (10, "Holding")
    assert "ConditionUnknown" in decision.reasons
    (note,) = (n for n in decision.notes if n.condition == "PolicyCondition")
    assert note.words.startswith(f'c1: cannot be answered, so it holds: p95["{name}"] > 1.0 (GuardPolicy p@')
    careful = guarded(condition(f'"{name}" in p95 && p95["{name}"] > 1.0', Then.FLOOR, 25))
    assert once([careful], peak=np.nan)[0].granted == 3


def test_a_division_by_nothing_holds_its_own_lane_alone(once):
    broken = condition("100 / (replicas - running) > 3", Then.CAP, 1)
    decisions = once([guarded(broken), None, guarded(condition("replicas > 50", Then.HOLD))])
    assert [d.granted for d in decisions] == [10, 4, 4]
    assert [d.state == "Holding" for d in decisions] == [True, False, False]


def test_only_the_rules_that_spoke_stand_behind_the_number(once):
    rules = guarded(condition("replicas > 5", Then.HOLD, line=1), condition("replicas > 50", Then.FLOOR, 60, line=2))
    decision = once([rules])[0]
    assert decision.granted == 10
    (effect,) = (e for e in decision.effects if e.guard == "condition")
    assert [r.rpartition("(")[2] for r in rules_behind(decision, effect)] == ["p.yaml:1)"]
    assert counterfactuals(decision, CHAIN)["condition"] == 4


def test_the_strictest_of_several_counts(once):
    rules = guarded(
        condition("true", Then.FLOOR, 12, 1), condition("true", Then.FLOOR, 15, 2),
        condition("true", Then.CAP, 14, 3), condition("true", Then.CAP, 40, 4),
    )  # fmt: skip
    assert once([rules])[0].granted == 14


def test_a_cap_may_cause_shortage_where_it_says_so(once):
    spared = guarded(condition("true", Then.CAP, 15))
    assert once([spared], observed=200.0)[0].granted == 20
    short = guarded(condition("true", Then.CAP, 15, short=True))
    assert once([short], observed=200.0)[0].granted == 15


class Raises:
    text, names = "raises", frozenset[str]()

    def answer(self, _: object) -> bool:
        raise RuntimeError("a bug")


def test_a_condition_that_raises_holds_its_own_lane(once):
    bad = PolicyCondition("c", Raises(), Then.FLOOR, "m", Origin("GuardPolicy p", "limits"), 3)
    decisions = once([guarded(bad), None, guarded(condition("true", Then.FLOOR, 25))])
    assert decisions.granted.tolist() == [10, 4, 25]
    assert decisions[0].state == "Holding"


def test_a_fleet_without_conditions_asks_nothing():
    assert not FleetConditions.of([((), None)] * 3).any
