"""Two workloads whose selectors take the same pods are both refused. Row M16."""

from __future__ import annotations

import time
from typing import Any

from autoscaler.adapters.kubernetes.overlaps import overlapping
from autoscaler.domain.notes import Condition


def target(selector: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {"spec": {"selector": selector, "template": {"metadata": {"labels": labels}}}}


def only(**labels: str) -> dict[str, Any]:
    return {"matchLabels": labels}


def test_M16_a_selector_that_takes_anothers_pods_refuses_both_by_name(make_workload):
    loads = [make_workload(name) for name in ("web", "api", "own")]
    targets = [
        target(only(team="shop"), team="shop", app="web"),
        target(only(app="api"), team="shop", app="api"),
        target(only(app="own"), app="own"),
    ]
    found = overlapping(loads, targets)
    assert set(found) == {0, 1}
    assert all(note.condition is Condition.CONFLICT for note in found.values())
    assert "(PredictiveAutoscaler shop/api)" in found[0].words
    assert "(PredictiveAutoscaler shop/web)" in found[1].words
    assert "its own labels" in found[0].words


def test_M16_expressions_and_selectors_of_all_are_looked_at_too(make_workload):
    loads = [make_workload(name) for name in ("all", "web")]
    for wide in ({}, {"matchExpressions": [{"key": "app", "operator": "Exists"}]}):
        targets = [target(wide, app="all"), target(only(app="web"), app="web")]
        assert set(overlapping(loads, targets)) == {0, 1}


def test_M16_other_namespaces_unknown_targets_and_own_pods_are_no_overlap(make_workload):
    from autoscaler.domain.workload import WorkloadRef

    loads = [make_workload("web"), make_workload("web", ref=WorkloadRef("other", "web")), make_workload("gone")]
    same = target(only(app="web"), app="web")
    assert overlapping(loads, [same, same, None]) == {}


def test_M16_thousands_in_one_namespace_are_no_millions_of_pairs(make_workload):
    loads = [make_workload(f"w{i}") for i in range(4000)]
    targets: list[Any] = [target(only(app=f"w{i}", tier="web"), app=f"w{i}", tier="web") for i in range(4000)]
    began = time.monotonic()
    assert overlapping(loads, targets) == {}
    assert time.monotonic() - began < 8.0, "sixteen million pairs take longer"
