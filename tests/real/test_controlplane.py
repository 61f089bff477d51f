"""The control plane fixture: a real HPA moves real pods, rights are real, and the audit log has seen it all."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.real.commands import ADMIN, RESTRICTED
from tests.real.faultproxy import status
from tests.real.manifests import deployment, hpa
from tests.real.parts import require_part
from tests.real.rest import Refusal
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow
APPS, SCALING = "/apis/apps/v1/namespaces", "/apis/autoscaling/v2/namespaces"


def test_a_raised_floor_becomes_ready_pods_and_an_audit_line(control_plane, namespace):
    admin = control_plane.rest()
    admin.create(f"{APPS}/{namespace}/deployments", deployment("web", replicas=2))
    admin.create(f"{SCALING}/{namespace}/horizontalpodautoscalers", hpa("web", 2, 20))
    wait_until(lambda: len(control_plane.ready_pods(namespace, "app=web")) == 2, "two Ready pods", 20)

    floor = {"spec": {"minReplicas": 7}}
    admin.patch(f"{SCALING}/{namespace}/horizontalpodautoscalers/web", floor)
    wait_until(lambda: len(control_plane.ready_pods(namespace, "app=web")) == 7, "seven Ready pods", 20)

    writes = control_plane.writes(ADMIN, "horizontalpodautoscalers", namespace)
    assert [event["verb"] for event in writes] == ["create", "patch"]
    assert writes[-1]["requestObject"] == floor
    assert writes[-1]["responseStatus"]["code"] == 200
    scaled = control_plane.writes("controllers", "deployments", namespace)
    assert any(event["objectRef"].get("subresource") == "scale" for event in scaled), "it was the HPA controller"


def test_the_restricted_user_may_do_what_it_was_granted_and_no_more(control_plane, namespace):
    control_plane.rest().create(f"{APPS}/{namespace}/deployments", deployment("web", replicas=1))
    mine = control_plane.rest(RESTRICTED)
    with pytest.raises(Refusal, match="403"):
        mine.get(f"{APPS}/{namespace}/deployments")
    rule = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}
    control_plane.grant(RESTRICTED, [rule], namespace)
    found = wait_until(lambda: mine.answer("GET", f"{APPS}/{namespace}/deployments").status == 200, "the right works")
    assert found
    with pytest.raises(Refusal, match="403"):
        mine.delete(f"{APPS}/{namespace}/deployments/web")
    [tried] = control_plane.writes(RESTRICTED, "deployments", namespace)
    assert (tried["verb"], tried["responseStatus"]["code"]) == ("delete", 403)


def test_kubectl_comes_in_by_kubeconfig(control_plane, namespace):
    control_plane.rest().create(f"{APPS}/{namespace}/deployments", deployment("web", replicas=1))
    done = subprocess.run(
        [require_part("kubectl"), "get", "deployments", "-n", namespace, "-o", "name", "--request-timeout=10s"],
        env={**os.environ, "KUBECONFIG": str(control_plane.kubeconfig())},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "deployment.apps/web\n"), done.stderr


def test_the_fault_proxy_stands_in_front_of_the_api_server(control_plane, namespace, fault_proxy):
    proxy = fault_proxy(control_plane.url, control_plane.tls())
    admin = control_plane.rest(url=proxy.url)
    path = f"{APPS}/{namespace}/deployments"
    admin.create(path, deployment("web", replicas=1))
    assert [item["metadata"]["name"] for item in admin.get(path)["items"]] == ["web"]
    proxy.set(status(429, retry_after_s=1), only=lambda method, _path: method == "PATCH", times=1)
    with pytest.raises(Refusal, match="429"):
        admin.patch(f"{path}/web", {"spec": {"replicas": 2}})
    assert admin.patch(f"{path}/web", {"spec": {"replicas": 2}})["spec"]["replicas"] == 2


def test_its_own_plane_places_pods_and_survives_a_killed_api_server(own_control_plane):
    plane = own_control_plane(scheduler=True, nodes=())
    plane.add_node("small", cpu="10", memory="10Gi", pods="3")
    admin = plane.rest()
    admin.create(f"{APPS}/default/deployments", deployment("web", replicas=5, node=None))
    wait_until(lambda: len(plane.ready_pods("default")) == 3, "three pods fit", 30)

    def pending():
        pods = admin.get("/api/v1/namespaces/default/pods")["items"]
        return sum(pod["status"]["phase"] == "Pending" for pod in pods) == 2

    wait_until(pending, "two are Pending")
    plane.api.kill()
    with pytest.raises(OSError):
        admin.get("/api/v1/namespaces/default/pods")
    plane.start_api()
    assert len(plane.ready_pods("default")) == 3
    plane.add_node("another", cpu="10", memory="10Gi", pods="30")
    wait_until(lambda: len(plane.ready_pods("default")) == 5, "the controllers came back and so do the pods", 40)
