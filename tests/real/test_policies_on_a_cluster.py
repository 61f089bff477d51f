"""Policy files on a real API server: what is decided is what the cluster has. Rows D02, D06, D07, D11, D15, F08."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from autoscaler.domain.notes import Condition
from autoscaler.domain.reasons import Reason
from tests.real.guarded import Estate, policy

CALENDAR = '{{once: {{from: "{}", until: "{}"}}}}'


def span(start: datetime, end: datetime) -> str:
    return CALENDAR.format(*(m.strftime("%Y-%m-%dT%H:%M:%SZ") for m in (start, end)))


@pytest.fixture
def estate(control_plane: Any, namespace: str, tmp_path: Path) -> Callable[..., Estate]:
    """`estate(names, labels=by name, replicas=…)`: Deployments, workloads, and files that a test rewrites."""

    def make(names: list[str] | None = None, labels: Any = None, **settings: Any) -> Estate:
        known = labels or {name: {} for name in names or ["web"]}
        return Estate(control_plane, namespace, tmp_path, known, **settings)

    return make


def rule_of(decision: Any, field: str) -> str:
    return dict(decision.rules).get(field, "")


def test_D02_a_max_that_a_policy_lowers_is_reached_by_the_policys_steps(estate):
    one = estate(replicas=40)
    size = one.one(390.0).granted
    assert size >= 39
    steps = "behavior: {scaleDown: {policies: [{type: Percent, value: 10, periodSeconds: 60}]}}"
    one.obey(policy(limits=f"{{replicas: {{max: 12}}, {steps}}}"))
    sizes = [size]
    for _ in range(5):
        decision = one.one(390.0)
        sizes.append(one.sizes["web"])
    assert all(0 < a - b <= -(-a // 10) for a, b in itertools.pairwise(sizes)), sizes
    assert sizes[-1] == decision.granted
    assert rule_of(decision, "max").endswith("policies.yaml:6)")


def test_D11_in_a_freeze_the_cluster_keeps_its_size_and_grows_to_need_alone(estate):
    one = estate(replicas=10)
    size = one.one(95.0).granted
    freeze = f"{{name: f, reason: move, when: {span(one.at(30), one.at(630))}}}"
    one.obey(policy(limits=f"{{freezes: [{freeze}]}}"))
    for _ in range(3):
        decision = one.one(20.0)
        assert (decision.granted, one.sizes["web"]) == (size, size)
    assert Reason.CHANGE_FREEZE in decision.reasons
    assert rule_of(decision, "freeze").startswith("GuardPolicy shop@")
    assert one.one(180.0).granted == one.sizes["web"] == 18
    one.one(20.0)
    assert one.sizes["web"] == 18
    one.one(20.0, ahead_s=600.0)
    for _ in range(6):
        one.one(20.0)
    assert one.sizes["web"] < 18, "the freeze is over"


def test_F08_an_event_that_no_history_knows_is_there_when_it_begins_even_in_the_dark(estate):
    one = estate(replicas=4)
    size = one.one(35.0).granted
    starts = one.at(600)
    one.obey(policy(limits=f"{{events: [{{name: sale, floor: 25, when: {span(starts, one.at(1500))}}}]}}"))
    while one.at(240) < starts:
        assert one.one(35.0).granted == one.sizes["web"] == size
    while one.at(60) < starts:
        decision = one.one(None)
    assert one.sizes["web"] == 25, "asked for by the lead time and a step ahead"
    assert rule_of(decision, "min").startswith("GuardPolicy shop@")


def test_D15_beyond_a_ceiling_of_cost_forecasts_get_nothing_and_need_gets_all(estate):
    names = [f"w{k}" for k in range(4)]
    one = estate(names, replicas=10)
    one.tick(95.0)
    one.obey(policy(limits='{budget: {perHour: "5.00", replicaPrice: "0.10"}}'))
    decisions = one.tick(dict.fromkeys(names, 200.0))  # everybody needs 20: 80 replicas, 8.00 an hour
    assert sum(one.sizes.values()) == 80, "what is needed now is served beyond the budget"
    told = [n for k in range(4) for n in decisions[k].notes if n.condition is Condition.BUDGET_REACHED]
    assert told, "it is said, not silent"


def test_D15_with_an_acknowledged_shortage_the_ceiling_binds_below_need(estate):
    names = [f"w{k}" for k in range(4)]
    one = estate(names, replicas=10)
    one.tick(95.0)
    money = '{budget: {perHour: "5.00", replicaPrice: "0.10", mayCauseShortage: true}}'
    one.obey(policy(limits=money, acknowledge="[MayCauseShortage]"))
    decisions = one.tick(dict.fromkeys(names, 200.0))
    assert sum(one.sizes.values()) == 50
    assert {Reason.BUDGET_REACHED in decisions[k].reasons for k in range(4)} == {True}


def test_D07_a_metric_that_drops_for_all_takes_only_the_share_at_a_time(estate):
    names = [f"w{k}" for k in range(20)]
    one = estate(names, replicas=10)
    one.obey(policy(limits='{brake: {shrink: "20%"}}'))
    one.tick(95.0)
    before = one.sizes
    shrunk: set[str] = set()
    braked = 0
    for _ in range(6):
        decisions = one.tick(10.0)
        now = one.sizes
        moved = {n for n in names if now[n] < before[n]}
        assert len(moved) <= 4
        shrunk |= moved
        braked += sum(Reason.FLEET_BRAKE in decisions[k].reasons for k in range(20))
        before = now
    assert braked
    assert len(shrunk) > 4, "the turns change"


def test_D07_a_share_of_nothing_freezes_the_fleet_and_a_dead_source_too(estate):
    names = [f"w{k}" for k in range(5)]
    one = estate(names, replicas=10)
    one.obey(policy(limits='{brake: {shrink: "0%"}}'))
    one.tick(95.0)
    before = one.sizes
    for demand in (10.0, None, 10.0):
        one.tick(demand)
        assert one.sizes == before


@pytest.mark.slow
def test_D06_five_hundred_want_more_at_once_and_the_budget_goes_by_priority(estate):
    labels = {f"w{k:03}": {"class": "gold" if k < 50 else "rest"} for k in range(500)}
    one = estate(labels=labels, replicas=1)
    one.tick(5.0)
    one.obey(
        policy(limits="{budget: {replicas: 1200, mayCauseShortage: true}}", acknowledge="[MayCauseShortage]"),
        policy("gold", "{matchLabels: {class: gold}}", defaults="{priority: 500}"),
    )
    one.tick(80.0)  # everybody needs eight: 4,000 replicas
    sizes = one.sizes
    assert sum(sizes.values()) <= 1200
    assert {sizes[n] for n, label in labels.items() if label["class"] == "gold"} == {9}  # with the margin
    rest = [sizes[n] for n, label in labels.items() if label["class"] == "rest"]
    assert max(rest) - min(rest) <= 1, "in proportion among equals"
    assert sum(sizes.values()) == 1200, "nothing is wasted"
