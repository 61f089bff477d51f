"""The operator on a real API server, as users drive it. Rows K03, K15, K16, K19, K23, K25."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from autoscaler.spec.crd import RESOURCES, crd
from autoscaler.spec.crd_status import MetricsSourceStatus, PredictiveAutoscalerStatus
from tests.real.commands import Settings
from tests.real.controlplane import ControlPlane
from tests.real.history import series
from tests.real.manifests import deployment
from tests.real.operating import USERS, Operators, autoscaler, granted, install, operators
from tests.real.parts import require_part
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow


def level(load: float, name: str = "load") -> Any:
    now = int(time.time()) // 10 * 10
    times = range(now - 4 * 3600, now + 900, 10)
    return {series(name): (times, [load] * len(times))}


def kubectl(some: Operators, namespace: str, *words: str) -> str:
    command = [str(require_part("kubectl")), "-n", namespace, *words]
    env = {**os.environ, "KUBECONFIG": str(some.plane.kubeconfig())}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    one = ControlPlane(tmp_path_factory.mktemp("operated"), Settings(hpa_sync="250ms"))
    one.start()
    install(one.rest(), [crd(kind) for kind in RESOURCES])
    granted(one)
    yield one
    one.stop()


@pytest.fixture
def some(plane: ControlPlane, tmp_path: Path) -> Iterator[Operators]:
    with operators(plane, tmp_path) as running:
        yield running
        for which in list(running.running):
            running.end(which)
    plane.rest().answer("DELETE", "/apis/coordination.k8s.io/v1/namespaces/default/leases/foresail")


@pytest.fixture
def shop(plane: ControlPlane, some: Operators) -> Iterator[Callable[[], str]]:
    """Namespaces of a test, deleted while the operator still runs."""
    made: list[str] = []
    admin = plane.rest()

    def new() -> str:
        name = f"shop-{int(time.time() * 1000) % 10**9}"
        admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        wait_until(lambda: admin.answer("GET", account).status == 200, f"{name}'s service account")
        made.append(name)
        return name

    yield new
    for name in made:
        admin.answer("DELETE", f"/api/v1/namespaces/{name}")


def test_an_object_becomes_a_floor_an_edit_is_followed_a_broken_one_is_not_and_deletion_hands_back(
    some: Operators, shop: Callable[[], str], prometheus: Any
) -> None:
    """K16, K25: and what is left behind is what was there before, at the replicas that run."""
    namespace = shop()
    some.source(prometheus(level(110.0)).url)
    some.workload(namespace)
    some.start()
    wait_until(lambda: some.floor(namespace) >= 11, "the forecast is a floor", 60)
    kubectl(some, namespace, "wait", "--for=condition=Ready", "pa/web", "--timeout=20s")
    status = some.status(namespace)
    PredictiveAutoscalerStatus.model_validate(status)
    assert status["replicas"]["floor"] >= 11
    assert some.condition(namespace, "Acting")["status"] == "True"
    assert status["lastDecision"]["from"] == 2
    told = kubectl(some, namespace, "get", "pa", "web")
    assert "web" in told
    assert "Act" in told
    raised = [e for e in some.events(namespace) if e["reason"] == "FloorRaised"]
    assert raised[0]["note"].startswith("floor 2 to 1")
    source = some.admin.get("/apis/foresail.dev/v1alpha1/metricssources/prod")["status"]
    MetricsSourceStatus.model_validate(source)
    assert source["used"] == 1
    assert source["conditions"][0]["reason"] == "InForce"
    held = some.floor(namespace)
    wait_until(lambda: some.replicas(namespace) >= held, "the HPA follows", 30)

    some.apply(namespace, autoscaler(replicas={"min": 25, "max": 40}))
    wait_until(lambda: some.floor(namespace) >= 25, "an edit is in force", 60)  # rises are 30 s apart
    some.apply(namespace, autoscaler(replicas={"min": 5, "max": 40}, timeZone="Mars/Olympus"))
    wait_until(lambda: some.condition(namespace, "Stalled").get("status") == "True", "it is told", 20)
    stalled = some.condition(namespace, "Stalled")
    assert stalled["reason"] == "InvalidSpec"
    assert stalled["message"].startswith("spec.timeZone:")
    assert some.condition(namespace, "Ready")["status"] == "False"
    time.sleep(3)
    assert some.floor(namespace) >= 25, "the last good form is in force"
    some.apply(namespace, autoscaler(replicas={"min": 25, "max": 40}))
    wait_until(lambda: not some.condition(namespace, "Stalled"), "mended", 20)
    assert {"InvalidSpec", "SpecAccepted"} <= {e["reason"] for e in some.events(namespace)}

    replicas = some.replicas(namespace)
    some.admin.delete(some.path(namespace))
    wait_until(lambda: some.floor(namespace) == 2, "the floor is the owner's again", 30)
    hpa = some.admin.get(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/web")
    assert "foresail.dev/floor" not in (hpa["metadata"].get("annotations") or {})
    assert some.replicas(namespace) == replicas, "without metrics the HPA lets it be"
    some.end()


def test_K03_of_two_on_one_target_the_older_serves_the_newer_names_it_and_takes_over_its_floor(
    some: Operators, shop: Callable[[], str], prometheus: Any
) -> None:
    namespace = shop()
    some.source(prometheus(level(110.0)).url)
    some.workload(namespace)
    time.sleep(1.1)  # ages count in seconds
    newer = autoscaler("newer")
    newer["spec"]["target"]["name"] = "web"
    some.apply(namespace, newer)
    some.start()
    wait_until(lambda: some.floor(namespace) >= 11, "the older acts, though both are there at the start", 60)
    wait_until(lambda: some.condition(namespace, "Stalled", "newer"), "the newer is told", 20)
    for kind in ("Stalled", "Ready", "Conflict"):
        told = some.condition(namespace, kind, "newer")
        assert told["reason"] == "Conflict"
        assert f"PredictiveAutoscaler {namespace}/web, which is older" in told["message"]
    assert "OwnershipConflict" in {e["reason"] for e in some.events(namespace) if e["regarding"]["name"] == "newer"}
    assert not some.condition(namespace, "Stalled")
    assert some.condition(namespace, "Ready")["status"] == "True"

    held, floors = some.floor(namespace), set[int]()
    some.admin.delete(some.path(namespace))

    def took_over() -> bool:
        floors.add(some.floor(namespace))
        return some.condition(namespace, "Acting", "newer").get("status") == "True"

    wait_until(took_over, "the newer acts", 30, every_s=0.05)
    time.sleep(2)
    assert min(floors | {some.floor(namespace)}) >= held, "no moment without the floor"
    assert some.status(namespace, "newer")["replicas"]["floor"] >= held
    some.admin.delete(some.path(namespace, "newer"))
    wait_until(lambda: some.floor(namespace) == 2, "what the older found is what the newer hands back", 30)


def test_K18_D03_what_cannot_be_scaled_and_what_a_person_scaled_to_zero_is_said_and_left_alone(
    some: Operators, shop: Callable[[], str], prometheus: Any
) -> None:
    """In the only two namespaces that this operator looks into; a third has its own reasons."""
    first, second, third = shop(), shop(), shop()
    some.source(prometheus(level(110.0)).url)
    thing = {"apiVersion": "v1", "kind": "ConfigMap", "name": "web"}
    some.apply(first, autoscaler(target=thing, actuation="Scale", acknowledge=["NoReactiveBackup"]))
    for namespace in (second, third):
        some.workload(namespace)
    kubectl(some, second, "scale", "deployment/web", "--replicas=0")
    some.start(0, "--namespace", first, "--namespace", second)
    wait_until(lambda: some.condition(first, "Ready").get("reason") == "TargetNotScalable", "it is said", 60)
    assert "no scale subresource" in some.condition(first, "Ready")["message"]
    told = wait_until(lambda: [e for e in some.events(first) if e["reason"] == "NotWriting"], "it is an event", 20)
    assert told[0]["type"] == "Warning"
    assert "no scale subresource" in told[0]["note"]
    wait_until(lambda: some.condition(second, "Paused").get("status") == "True", "it is told", 20)
    assert some.condition(second, "Paused")["reason"] == "ScaledToZero"
    time.sleep(5)
    assert (some.replicas(second), some.floor(second)) == (0, 2)
    assert some.status(third) == {}
    assert some.floor(third) == 2
    kubectl(some, second, "scale", "deployment/web", "--replicas=2")
    wait_until(lambda: some.floor(second) >= 11, "scaled up again, it goes on", 30)
    wait_until(lambda: some.condition(second, "Paused").get("status") == "False", "and says so", 20)


@pytest.mark.timeout(400)
def test_K15_K23_an_idle_fleet_costs_no_writes_and_the_longest_name_is_one_of_it(
    some: Operators, shop: Callable[[], str], prometheus: Any
) -> None:
    look_oftener = "from autoscaler.bootstrap import operator_teller as t; t.LOOK_S = 10.0"
    some.program = (sys.executable, "-c", f"{look_oftener}; from autoscaler.cli.app import main; main()")
    namespace = shop()
    some.source(prometheus(level(110.0)).url)
    some.workload(namespace)
    long = autoscaler("n" * 63 + ("." + "n" * 63) * 2 + "." + "n" * 61)
    assert len(long["metadata"]["name"]) == 253
    long["metadata"]["annotations"] = {"example.com/note": "Größe ✓ " * 20_000}
    long["spec"] |= {"mode": "Advise", "target": {**long["spec"]["target"], "name": "other"}}
    some.admin.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("other", 1))
    some.apply(namespace, long)
    some.start()
    wait_until(lambda: some.floor(namespace) >= 11, "the forecast is a floor", 60)
    wait_until(lambda: some.condition(namespace, "Ready", long["metadata"]["name"]).get("status"), "both are told", 20)

    def wrote() -> list[float]:
        writes = [w for w in some.plane.writes(USERS[0], namespace=namespace) if w["objectRef"]["resource"] != "leases"]
        return [datetime.fromisoformat(w["stageTimestamp"]).timestamp() for w in writes]

    wait_until(lambda: time.time() - max(wrote()) > 25, "all is calm, over two looks", 200, every_s=2.0)
    reads = [e for e in some.plane.audit() if e["user"].get("username") == USERS[0] and e["verb"] == "get"]
    of_ours = [e["objectRef"] for e in reads if e.get("objectRef", {}).get("resource") == "predictiveautoscalers"]
    assert not [ref for ref in of_ours if ref.get("namespace") == namespace], "the watch tells all"


def test_K19_a_namespace_and_its_objects_go_while_no_operator_is_there(
    some: Operators, shop: Callable[[], str], prometheus: Any
) -> None:
    namespace = shop()
    some.source(prometheus(level(110.0)).url)
    some.workload(namespace)
    some.start()
    wait_until(lambda: some.floor(namespace) >= 11, "the forecast is a floor", 40)
    some.end()
    assert some.floor(namespace) >= 11, "K25: an operator that goes leaves the floor where it is"
    some.admin.delete(f"/api/v1/namespaces/{namespace}")
    path = f"/api/v1/namespaces/{namespace}"
    wait_until(lambda: some.admin.answer("GET", path).status == 404, "nothing is stuck", 40)
