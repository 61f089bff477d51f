"""The cluster's side kept up by watches: what is asked no more, and when it is not believed. Rows K07, K10, K20."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from autoscaler.adapters.kubernetes import trimming
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.kept import BROKEN_S, KeptCluster
from autoscaler.adapters.kubernetes.reading import Kinds, Reader
from autoscaler.adapters.kubernetes.views import look
from autoscaler.domain.notes import Condition
from autoscaler.domain.workload import Actuation

APPS = {
    "resources": [
        {"kind": "Deployment", "name": "deployments"},
        {"kind": "Scale", "name": "deployments/scale"},
    ]
}
HPAS, PODS = "/apis/autoscaling/v2/horizontalpodautoscalers", "/api/v1/pods"
DEPLOYMENTS, BUDGETS = "/apis/apps/v1/deployments", "/apis/policy/v1/poddisruptionbudgets"


def deployment(name: str, namespace: str = "shop", replicas: int = 3, version: int = 1) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "uid": f"d-{namespace}-{name}", "resourceVersion": str(version)}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"env": ["x" * 1000]}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"metadata": meta, "spec": spec, "status": {"conditions": []}}


def hpa(name: str, namespace: str = "shop", least: int = 2) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "uid": f"h-{namespace}-{name}", "resourceVersion": "1"}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": 30}
    return {"metadata": meta, "spec": spec, "status": {"currentMetrics": ["x" * 1000]}}


def pod(name: str, app: str, namespace: str = "shop") -> dict[str, Any]:
    now = "2026-06-10T09:00:00Z"
    return {
        "metadata": {
            "name": name, "namespace": namespace, "uid": f"p-{name}", "resourceVersion": "1", "labels": {"app": app},
            "creationTimestamp": now, "managedFields": [{"manager": "x"}], "annotations": {"a": "x" * 1000},
        },
        "spec": {"containers": [{"image": "x"}]},
        "status": {
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("Ready", "PodScheduled")
            ],
            "containerStatuses": [{"restartCount": 0, "state": {"running": {"startedAt": now}}}],
        },
    }  # fmt: skip


@dataclass
class Server:
    """things: by path. refused: path → the fault of each call there; watches: of each watch there."""

    things: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refused: dict[str, ApiFault] = field(default_factory=dict)
    unwatched: dict[str, ApiFault] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    open: dict[str, _Events] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, path: str, **query: str) -> Any:
        with self.lock:
            self.asked.append(path)
        if path in self.refused:
            raise self.refused[path]
        if path == "/apis/apps/v1":
            return APPS
        if path.startswith("/apis/keda.sh"):
            raise ApiFault(404, "no such group")
        return {"metadata": {"resourceVersion": "10"}, "items": list(self.things.get(path, []))}

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(path)["items"]
        return found

    def stream(self, path: str, query: dict[str, str], quiet_s: float) -> _Events:
        if path in self.unwatched:
            raise self.unwatched[path]
        self.open[path] = made = _Events()
        return made

    def tell(self, path: str, kind: str, thing: dict[str, Any]) -> None:
        self.open[path].queue.put({"type": kind, "object": thing})

    def end(self, path: str, fault: ApiFault) -> None:
        self.unwatched[path] = fault
        self.open[path].queue.put(fault)


class _Events:
    def __init__(self) -> None:
        self.queue: queue.Queue[Any] = queue.Queue()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while (event := self.queue.get()) is not None:
            if isinstance(event, ApiFault):
                raise event
            yield event

    def close(self) -> None:
        self.queue.put(None)


@dataclass
class World:
    server: Server = field(default_factory=Server)
    now_s: float = 1000.0
    namespaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.kept = KeptCluster(self.server, self.namespaces, monotonic=lambda: self.now_s)  # type: ignore[arg-type]
        self.reader = Reader(self.server, Kinds(self.server), self.kept)  # type: ignore[arg-type]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    monkeypatch.setattr("autoscaler.adapters.kubernetes.watching.FIRST_WAIT_S", 0.01)
    made: list[World] = []

    def make(**settings: Any) -> World:
        one = World(**settings)
        one.server.things = {HPAS: [hpa("web")], DEPLOYMENTS: [deployment("web")], PODS: [pod("web-1", "web")]}
        made.append(one)
        return one

    yield make
    for one in made:
        one.kept.close()


@pytest.fixture
def load(make_workload: Any) -> Any:
    return lambda name: make_workload(name, actuation=Actuation.HPA_FLOOR)


def until(ask: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(500):
        if ask():
            return
        done.wait(0.01)
    raise AssertionError("not in time")


def known(one: World, load: Any) -> Any:
    return look(load, one.reader.look([load])[load.ref.namespace], 0.0, 300.0)


def test_the_first_look_lists_and_the_next_ones_ask_nothing(world, load):
    one, web = world(), load("web")
    view = known(one, web)
    assert (view.known, view.desired, view.ready, view.floor) == (True, 3, 1, 2)
    asked = len(one.server.asked)
    for _ in range(3):
        known(one, web)
    assert len(one.server.asked) == asked
    assert {HPAS, PODS, DEPLOYMENTS, BUDGETS} <= set(one.server.asked)


def test_what_changes_is_seen_without_asking(world, load):
    one, web = world(), load("web")
    known(one, web)
    one.server.tell(DEPLOYMENTS, "MODIFIED", deployment("web", replicas=7, version=11))
    until(lambda: known(one, web).desired == 7)
    one.server.tell(HPAS, "DELETED", hpa("web"))
    until(lambda: not known(one, web).known)
    assert known(one, web).notes[0].condition is Condition.NO_AUTOSCALER


def test_K07_a_broken_or_silent_watch_is_not_believed_for_long(world, load):
    one, web = world(), load("web")
    known(one, web)
    one.server.end(DEPLOYMENTS, ApiFault(None, "no answer: reset"))
    cache = next(c for c in one.kept.watches if c.path == DEPLOYMENTS)
    until(lambda: cache.fault is not None)
    assert known(one, web).known, "a moment is borne"
    one.now_s += BROKEN_S + 1
    view = known(one, web)
    assert not view.known
    assert view.notes[0].condition is Condition.CLUSTER_UNREACHABLE
    del one.server.unwatched[DEPLOYMENTS]
    until(lambda: cache.fault is None)
    assert known(one, web).known
    one.now_s += one.kept.oldest_s + 1
    assert "last spoke of it" in known(one, web).notes[0].words


def test_K20_what_may_not_be_watched_is_listed_and_what_may_not_be_listed_is_named(world, load):
    one, web = world(), load("web")
    forbidden = ApiFault(403, 'deployments.apps is forbidden: User "x" cannot watch')
    one.server.unwatched[DEPLOYMENTS] = forbidden
    here = "/apis/apps/v1/namespaces/shop/deployments"
    one.server.things[here] = [deployment("web", replicas=5)]
    known(one, web)
    until(lambda: next(c for c in one.kept.watches if c.path == DEPLOYMENTS).fault is not None)
    assert known(one, web).desired == 5
    assert here in one.server.asked
    one.server.refused[here] = ApiFault(403, "deployments.apps is forbidden: cannot list")
    view = known(one, web)
    assert view.notes[0].condition is Condition.FORBIDDEN
    assert "cannot list" in view.notes[0].words


def test_an_operator_of_some_namespaces_watches_these_alone(world, load):
    one = world(namespaces=("shop",))
    here = "/apis/apps/v1/namespaces/shop/deployments"
    one.server.things[here] = [deployment("web")]
    one.server.things["/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"] = [hpa("web")]
    assert known(one, load("web")).known
    assert {c.path for c in one.kept.watches} == {
        here, "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers", "/api/v1/namespaces/shop/pods",
        "/apis/policy/v1/namespaces/shop/poddisruptionbudgets",
    }  # fmt: skip


def test_what_is_kept_is_small_and_says_the_same():
    owned = {
        "manager": "helm", "operation": "Apply", "apiVersion": "apps/v1", "time": "2026-06-10T09:00:00Z",
        "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {}}}},
    }  # fmt: skip
    whole = deployment("web")
    whole["metadata"]["managedFields"] = [owned, {"manager": "x", "fieldsV1": {"f:status": {}}}]
    kept = trimming.scaled(whole)
    assert kept["spec"]["replicas"] == 3
    assert kept["spec"]["template"] == {"metadata": {"labels": {"app": "web"}}}
    assert [e["fieldsV1"] for e in kept["metadata"]["managedFields"]] == [{"f:spec": {"f:replicas": {}}}]
    assert len(str(trimming.pod(pod("web-1", "web")))) < 700
    assert "status" not in trimming.autoscaler(hpa("web"))
