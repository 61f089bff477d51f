"""What the product meets in clusters: slow and broken pods, full nodes, quotas, budgets."""

from __future__ import annotations

import time

import pytest

from tests.real.kwok_stages import stages
from tests.real.manifests import deployment
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow
APPS, CORE = "/apis/apps/v1/namespaces", "/api/v1/namespaces"


def test_slow_pods_broken_pods_and_full_nodes(own_control_plane):
    """One plane for three things that are seen together: Ready after 1.5 s, crash loops, and no room until a node."""
    plane = own_control_plane(scheduler=True, nodes=(), kwok_config=stages(1500, 500, failing="broken"))
    plane.add_node("small", cpu="1", memory="10Gi", pods="20")
    admin = plane.rest()
    begun = time.monotonic()
    admin.create(f"{APPS}/default/deployments", deployment("web", replicas=6, node=None, cpu="250m"))
    wait_until(lambda: len(plane.ready_pods("default")) == 4, "four pods fit", 20)
    assert time.monotonic() - begun >= 1.5

    def unschedulable() -> list[str]:
        conditions = [c for pod in plane.pods("default") for c in pod["status"].get("conditions", [])]
        return [c["message"] for c in conditions if c.get("reason") == "Unschedulable"]

    assert len(unschedulable()) == 2
    assert all("1 Insufficient cpu" in message for message in unschedulable())

    plane.add_node("another", cpu="4", memory="10Gi", pods="20")
    wait_until(lambda: len(plane.ready_pods("default")) == 6, "a node more lets them go", 20)

    broken = deployment("bad", replicas=1, node=None)
    broken["spec"]["template"]["metadata"]["labels"]["broken"] = "true"
    admin.create(f"{APPS}/default/deployments", broken)

    def restarts() -> list[int]:
        return [s["restartCount"] for p in plane.pods("default", "app=bad") for s in p["status"]["containerStatuses"]]

    wait_until(lambda: plane.pods("default", "app=bad")[0]["status"].get("containerStatuses"), "it ran once", 20)
    wait_until(lambda: restarts() >= [3], "it goes on crashing", 20)
    assert not plane.ready_pods("default", "app=bad")


def test_a_quota_shows_in_the_deployments_conditions(control_plane, namespace):
    """The replicas are asked for and stay asked for; that they cannot be made stands in ReplicaFailure."""
    admin = control_plane.rest()
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "3"}}}
    admin.create(f"{CORE}/{namespace}/resourcequotas", quota)
    path = f"{APPS}/{namespace}/deployments"
    admin.create(path, deployment("web", replicas=5))

    def failure():
        conditions = admin.get(f"{path}/web").get("status", {}).get("conditions", [])
        return [c for c in conditions if c["type"] == "ReplicaFailure" and c["status"] == "True"]

    [condition] = wait_until(failure, "ReplicaFailure", 20)
    assert condition["reason"] == "FailedCreate"
    assert "exceeded quota: few" in condition["message"]
    wait_until(lambda: len(control_plane.ready_pods(namespace)) == 3, "three of five", 20)
    assert admin.get(f"{path}/web")["spec"]["replicas"] == 5


def test_a_disruption_budget_is_counted(control_plane, namespace):
    admin = control_plane.rest()
    admin.create(f"{APPS}/{namespace}/deployments", deployment("web", replicas=4))
    budgets = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    spec = {"minAvailable": 3, "selector": {"matchLabels": {"app": "web"}}}
    admin.create(
        budgets, {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec}
    )

    def counted():
        status = admin.get(f"{budgets}/web").get("status", {})
        return (status.get("currentHealthy"), status.get("disruptionsAllowed")) == (4, 1)

    wait_until(counted, "four healthy, one may go", 20)


def test_what_a_deleted_deployment_owned_goes_too_and_a_stateful_set_counts_up(control_plane, namespace):
    admin = control_plane.rest()
    path = f"{APPS}/{namespace}/deployments"
    admin.create(path, deployment("web", replicas=2))
    stateful = deployment("db", replicas=3)
    stateful["kind"], stateful["spec"]["serviceName"] = "StatefulSet", "db"
    admin.create(f"{APPS}/{namespace}/statefulsets", stateful)
    wait_until(lambda: len(control_plane.ready_pods(namespace, "app=web")) == 2, "two Ready pods", 20)
    wait_until(lambda: control_plane.ready_pods(namespace, "app=db") == ["db-0", "db-1", "db-2"], "three in order", 20)
    admin.delete(f"{path}/web")
    wait_until(lambda: not control_plane.pods(namespace, "app=web"), "its pods are collected", 20)
