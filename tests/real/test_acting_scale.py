"""Scale on a real API server: anything with a scale subresource, alone on its target. Rows D02, D08–D10, K01, K02, K18,
M28."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.adapters.kubernetes.permissions import needed
from autoscaler.domain.decision import State
from autoscaler.domain.notes import Condition
from autoscaler.domain.reasons import Reason
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.workload import Actuation, PolicyType, ScalingRule, StepPolicy, Target
from tests.real.acting import DEPLOYMENTS, Acting
from tests.real.manifests import deployment, hpa
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow
TEN_PERCENT = ScalingRule(0, (StepPolicy(PolicyType.PERCENT, 10, 60),))


@pytest.fixture
def acting(control_plane: Any, namespace: str) -> Callable[..., Acting]:
    def make(replicas: int = 4, **settings: Any) -> Acting:
        one = Acting(control_plane, namespace, actuation=Actuation.SCALE, **settings)
        if one.target.kind == "Deployment":
            one.create(deployment("web", replicas))
            ready(one, replicas)  # the statuses of a rollout may take the version from under every try of a write
        return one

    return make


def ready(one: Acting, count: int) -> None:
    wait_until(lambda: int(one.look().ready[0]) == count, f"{count} pods are Ready", 60)


def test_the_scale_subresource_is_written_under_the_version_that_was_looked_at(acting):
    one = acting()
    note = one.write(7)
    assert (note.condition, note.words) == (Condition.WRITTEN, "Deployment web replicas: 4 → 7")
    assert one.replicas == 7
    (write,) = one.writes
    assert write["objectRef"]["subresource"] == "scale"
    assert write["requestObject"]["metadata"]["resourceVersion"]
    ready(one, 7)


def test_the_larger_of_observed_need_and_forecast_is_what_is_wanted(acting):
    one = acting()
    decision = one.tick(200.0)
    assert decision.sizing in {Reason.FORECAST_PEAK, Reason.OBSERVED_NEED}
    assert decision.granted >= 20
    assert one.replicas == decision.granted


@pytest.mark.parametrize("kind", ["StatefulSet", "ReplicaSet"])
def test_other_kinds_of_apps_scale_the_same_way(acting, kind):
    one = acting(target=Target("apps/v1", kind, "web"), plural=f"{kind.lower()}s")
    made = deployment("web", 2)
    made["kind"] = kind
    if kind == "StatefulSet":
        made["spec"]["serviceName"] = "web"
    one.create(made, plural=f"{kind.lower()}s")
    ready(one, 2)
    assert one.write(5).condition is Condition.WRITTEN
    assert int(one.look().desired[0]) == 5
    ready(one, 5)


def test_a_custom_resource_with_a_scale_subresource_is_scaled_through_it(acting):
    one = acting(target=Target("tests.foresail.dev/v1", "Fleetlet", "web"), plural="fleetlets", grant=False)
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
            "status": {
                "type": "object",
                "properties": {"size": {"type": "integer"}, "selector": {"type": "string"}},
            },
        },
    }
    scale = {
        "specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size", "labelSelectorPath": ".status.selector",
    }  # fmt: skip
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
        "subresources": {"scale": scale},
    }  # fmt: skip
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "fleetlets.tests.foresail.dev"},
        "spec": {
            "group": "tests.foresail.dev", "scope": "Namespaced", "versions": [version],
            "names": {"kind": "Fleetlet", "plural": "fleetlets", "singular": "fleetlet"},
        },
    }  # fmt: skip
    one.admin.create(crds, definition)
    try:
        path = f"/apis/tests.foresail.dev/v1/namespaces/{one.namespace}/fleetlets"
        wait_until(lambda: one.admin.answer("GET", path).status == 200, "the kind is served")
        one.admin.create(
            path, {
                "apiVersion": "tests.foresail.dev/v1", "kind": "Fleetlet", "metadata": {"name": "web"},
                "spec": {"size": 3}, "status": {"size": 3, "selector": "app=web,tier in (a,b)"},
            },
        )  # fmt: skip
        one.allow(needed(one.workload(), "fleetlets", keda=False))
        seen = one.look()
        assert (bool(seen.known[0]), int(seen.desired[0])) == (True, 3), one.notes()
        assert one.write(6).words == "Fleetlet web replicas: 3 → 6"
        assert one.admin.get(f"{path}/web")["spec"]["size"] == 6
    finally:
        one.admin.delete(f"{crds}/fleetlets.tests.foresail.dev")


def test_K18_a_kind_without_a_scale_subresource_is_named(acting):
    one = acting(target=Target("v1", "ConfigMap", "web"), plural="configmaps")
    assert (
        one.told(Condition.TARGET_NOT_SCALABLE) == "v1 ConfigMap has no scale subresource: its replicas cannot be set"
    )
    assert one.tick(200.0).state is State.HOLDING
    assert not one.writes


def test_K18_a_target_that_is_made_anew_is_not_written_by_what_was_decided_about_the_old_one(acting):
    one = acting()
    one.look()
    one.kubectl("delete", "deployment", "web", "--cascade=foreground", "--wait")
    one.create(deployment("web", 3))
    now_s = one.clock.now().timestamp()
    (note,) = one.cluster.apply(one.fleet, [ScaleRequest(0, 9, now_s + 30, 4)], now_s)[0]
    assert note.condition is not Condition.WRITTEN
    assert one.replicas == 3


@pytest.mark.parametrize("first", ["before", "after"])
def test_K01_an_hpa_on_the_same_target_is_named_and_scale_stops(acting, first):
    one = acting()
    if first == "after":
        assert one.write(5).condition is Condition.WRITTEN
    one.create(hpa("web", 1, 5), "autoscaling/v2", "horizontalpodautoscalers")
    told = one.told(Condition.RIVAL)
    assert told.startswith("HPA web scales Deployment web too: Scale is for targets without another one")
    assert "actuation: HpaFloor" in told
    before = len(one.writes)
    assert one.tick(300.0).state is State.YIELDED
    assert len(one.writes) == before


def test_K02_a_tool_that_sets_replicas_back_is_not_fought(acting):
    one = acting()
    for _ in range(3):
        assert one.write(9).condition is Condition.WRITTEN
        one.clock.ahead += timedelta(seconds=30)
        one.kubectl("patch", "deployment", "web", "--field-manager=argocd-controller", "-p", '{"spec":{"replicas":1}}')
        one.look()
        ready(one, 1)
    told = one.told(Condition.CONFLICT)
    assert "argocd-controller set spec.replicas of Deployment web back three times" in told
    assert "group: apps, kind: Deployment, jsonPointers: [/spec/replicas]" in told
    before = len(one.writes)
    assert one.tick(200.0).state is State.YIELDED
    assert (one.replicas, len(one.writes)) == (1, before)


def test_D10_a_shrink_waits_for_the_disruption_budget(acting):
    one = acting(replicas=6)
    ready(one, 6)
    budget = {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"minAvailable": 6, "selector": {"matchLabels": {"app": "web"}}},
    }  # fmt: skip
    one.create(budget, "policy/v1", "poddisruptionbudgets")
    wait_until(lambda: int(one.look().least[0]) == 6, "the budget is counted", 10)
    one.tick(10.0)
    decision = one.tick(10.0)
    assert Reason.DISRUPTION_BUDGET in decision.reasons
    assert (decision.granted, one.replicas) == (6, 6)
    one.kubectl("patch", "pdb", "web", "--type=merge", "-p", '{"spec":{"minAvailable":1}}')
    wait_until(lambda: int(one.look().least[0]) <= 2, "the budget has room", 10)
    for _ in range(3):
        decision = one.tick(10.0)
    assert decision.granted < 6
    assert not [w for w in one.writes if w["objectRef"]["resource"] == "pods"], "pods are never deleted by us"


def test_D02_a_policy_lowered_under_the_current_size_moves_step_by_step(acting):
    one = acting(replicas=20, more={"scale_down": TEN_PERCENT})
    sizes = []
    for _ in range(4):
        ready(one, one.replicas)  # a rollout's statuses may take the resource version from under every try
        sizes.append(one.tick(300.0, max_replicas=8).granted)
    assert sizes[0] == 20 - 2
    assert all(a - b in {1, 2} for a, b in itertools.pairwise(sizes)), sizes
    assert one.replicas == sizes[-1]


def test_D09_a_quota_that_refuses_pods_stops_the_rise_and_its_words_are_passed_on(acting):
    one = acting(replicas=2)
    ready(one, 2)
    quota = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "3"}},
    }  # fmt: skip
    one.admin.create(f"/api/v1/namespaces/{one.namespace}/resourcequotas", quota)
    quotas = f"/api/v1/namespaces/{one.namespace}/resourcequotas/small"
    wait_until(lambda: one.admin.get(quotas).get("status", {}).get("used", {}).get("pods") == "2", "quota counted")
    assert one.write(6).condition is Condition.WRITTEN
    wait_until(lambda: bool(one.look().stuck[0]), "the refusal is seen", 15)
    assert "exceeded quota: small" in one.told(Condition.PODS_REFUSED)
    decision = one.tick(200.0)
    assert Reason.NO_ROOM in decision.reasons
    assert one.replicas == 6
    one.admin.delete(quotas)
    one.kubectl("rollout", "restart", "deployment/web")  # the controller backs off; a new try shows that there is room
    wait_until(lambda: not bool(one.look().stuck[0]), "room again", 20)


def test_M28_surge_pods_of_a_rollout_are_neither_base_nor_load(acting):
    one = acting(replicas=40, more={"max_replicas": 100})
    ready(one, 40)
    path = DEPLOYMENTS.format(one.namespace, "web")
    strategy = {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}
    one.admin.patch(path, {"spec": {"strategy": strategy}}, "strategic-merge-patch")
    most, seen = 0, []

    def surged() -> bool:
        nonlocal most
        most = max(most, int(one.admin.get(path)["status"].get("replicas", 0)))
        status = one.look()
        seen.append((int(status.desired[0]), int(status.ready[0])))
        return most > 40

    for k in range(20):
        stamp = {"spec": {"template": {"metadata": {"annotations": {"tests/restart": str(k)}}}}}
        one.admin.patch(path, stamp, "strategic-merge-patch")
        surged()
    wait_until(surged, "there are surge pods", 30)
    for _ in range(5):
        surged()
    assert {desired for desired, _ in seen} == {40}
    assert max(count for _, count in seen) <= 40
    decision = one.tick(350.0)
    assert decision.current == 40
