"""The operator on a real API server, as users drive it. Rows K08, K15, K16, K19, K25."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.commands import Settings
from tests.real.controlplane import ControlPlane
from tests.real.history import series
from tests.real.operating import USERS, Operators, autoscaler, granted, install, operators
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow


def level(load: float, name: str = "load") -> Any:
    now = int(time.time()) // 10 * 10
    times = range(now - 4 * 3600, now + 900, 10)
    return {series(name): (times, [load] * len(times))}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    one = ControlPlane(tmp_path_factory.mktemp("operated"), Settings(users=USERS, hpa_sync="250ms"))
    one.start()
    install(one.rest())
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
    wait_until(lambda: some.floor(namespace) >= 11, "the forecast is a floor", 40)
    held = some.floor(namespace)
    wait_until(lambda: some.replicas(namespace) >= held, "the HPA follows", 30)
    some.apply(namespace, autoscaler(replicas={"min": 15, "max": 40}))
    wait_until(lambda: some.floor(namespace) >= 15, "an edit is in force", 20)
    some.apply(namespace, autoscaler(replicas={"min": 15, "max": 4}))
    wait_until(lambda: some.health()["specProblems"], "the slip is told", 20)
    (said,) = some.health()["specProblems"]
    assert f"predictiveautoscalers/{namespace}/web" in said
    assert "min 15 is above max 4" in said
    time.sleep(3)
    assert some.floor(namespace) >= 15, "the last good form is in force"
    replicas = some.replicas(namespace)
    some.admin.delete(some.path(namespace))
    wait_until(lambda: some.floor(namespace) == 2, "the floor is the owner's again", 20)
    hpa = some.admin.get(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/web")
    assert "foresail.dev/floor" not in (hpa["metadata"].get("annotations") or {})
    assert some.replicas(namespace) == replicas, "without metrics the HPA lets it be"
    some.end()


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
