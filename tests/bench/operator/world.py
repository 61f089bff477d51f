"""A cluster of many workloads on real servers, with the pods of kwok and a Prometheus that has their history."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from autoscaler.adapters.kubernetes.objects import GROUP
from autoscaler.spec.crd import RESOURCES, crd
from tests.real.commands import Settings as PlaneSettings
from tests.real.controlplane import ControlPlane
from tests.real.history import History, series
from tests.real.manifests import deployment, hpa
from tests.real.operating import HEAD, granted, install
from tests.real.prometheus import Prometheus, Settings
from tests.real.servers import wait_until

HISTORY_S: Final = 6 * 3600
AHEAD_S: Final = 2 * 3600
EVERY_S: Final = 30
PER_REPLICA: Final = 10
NODES: Final = ("node-0", "node-1", "node-2", "node-3")
AT_ONCE: Final = 8


def name_of(index: int) -> str:
    return f"web-{index:04d}"


def demand_history(count: int, now_s: float) -> History:
    """A slow wave for each, all apart; some of it lies ahead, so that no exporter has to run."""
    first = int(now_s - HISTORY_S) // EVERY_S * EVERY_S
    times = range(first, int(now_s + AHEAD_S), EVERY_S)

    def values(index: int) -> list[float]:
        high, phase = 20.0 + index % 30, index * 0.37
        return [round(high * (1.0 + 0.4 * math.sin(t / 1800.0 + phase)), 2) for t in times]

    return {series("load", app=name_of(i)): (times, values(i)) for i in range(count)}


@dataclass
class World:
    """namespaces: the workloads are dealt out over so many."""

    folder: Path
    count: int
    namespaces: int
    replicas: int = 1
    pods: bool = True
    plane: ControlPlane = field(init=False)
    prometheus: Prometheus = field(init=False)

    def namespace(self, index: int) -> str:
        return f"team-{index % self.namespaces:04d}"

    def start(self) -> None:
        self.prometheus = Prometheus(self.folder / "prometheus", Settings())
        self.prometheus.load(demand_history(self.count, time.time()))
        self.prometheus.start()
        # many HPAs at their own pace: what is measured is the operator, and the core is one
        calm = ("--node-monitor-grace-period=2h",)  # a busy core is no lost node
        settings = PlaneSettings(nodes=NODES, hpa_sync="60s", controller_flags=calm)
        self.plane = ControlPlane(self.folder / "plane", settings)
        self.plane.start()
        install(self.plane.rest(), [crd(kind) for kind in RESOURCES])
        granted(self.plane)
        admin = self.plane.rest()
        for index in range(self.namespaces):
            meta = {"name": self.namespace(index)}
            admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        accounts = [f"/api/v1/namespaces/{self.namespace(i)}/serviceaccounts/default" for i in range(self.namespaces)]
        wait_until(lambda: admin.answer("GET", accounts[-1]).status == 200, "service accounts", 60 + self.namespaces)

    def stop(self) -> None:
        self.plane.stop()
        self.prometheus.stop()

    def each(self, make: Callable[[int], object], which: Sequence[int]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(make, which))

    def workloads(self, which: Sequence[int], *, hpas: bool = True) -> None:
        """Deployments with their pods, or paused ones that have none, and an HPA for each."""
        admin = self.plane.rest(timeout_s=30.0)

        def make(index: int) -> None:
            namespace, name = self.namespace(index), name_of(index)
            made = deployment(name, self.replicas, NODES[index % len(NODES)])
            made["spec"]["paused"] = not self.pods
            admin.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", made)
            if hpas:
                path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
                admin.create(path, hpa(name, 1, 40))

        self.each(make, which)
        if self.pods:
            last = [self.namespace(i) for i in which[-self.namespaces :]]
            for namespace in dict.fromkeys(last):
                wanted = sum(self.namespace(i) == namespace for i in which) * self.replicas
                wait_until(
                    lambda n=namespace, w=wanted: len(self.plane.ready_pods(n)) >= w,  # type: ignore[misc]
                    f"pods of {namespace}", 900, every_s=2.0,
                )  # fmt: skip

    def source(self, url: str | None = None) -> None:
        spec = {"prometheus": {"url": url or self.prometheus.url, "staleAfter": "5m"}}
        made = {**HEAD, "kind": "MetricsSource", "metadata": {"name": "prod"}, "spec": spec}
        self.plane.rest().apply(f"{GROUP}/metricssources/prod", made, "platform", force=True)

    def autoscalers(self, which: Sequence[int], **spec: Any) -> float:
        """Seconds that it took to create them all."""
        admin = self.plane.rest(timeout_s=30.0)

        def make(index: int) -> None:
            path = f"{GROUP}/namespaces/{self.namespace(index)}/predictiveautoscalers"
            admin.create(path, autoscaler(index, **spec))

        began = time.monotonic()
        self.each(make, which)
        return time.monotonic() - began

    def things(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.plane.rest(timeout_s=60.0).get(f"{GROUP}/predictiveautoscalers")["items"]
        return found

    def ready(self) -> int:
        """How many PredictiveAutoscalers are Ready."""
        return sum(condition(thing, "Ready") == "True" for thing in self.things())

    def floors(self) -> Mapping[str, int]:
        """By workload, what stands in its HPA."""
        path = "/apis/autoscaling/v2/horizontalpodautoscalers"
        items = self.plane.rest(timeout_s=60.0).get(path)["items"]
        return {i["metadata"]["name"]: int(i["spec"]["minReplicas"]) for i in items}


def autoscaler(index: int, **spec: Any) -> dict[str, Any]:
    name = name_of(index)
    demand = {
        "name": "load", "source": "prod", "query": f'sum(load{{app="{name}"}})',
        "capacity": {"perReplica": str(PER_REPLICA)},
    }  # fmt: skip
    given: dict[str, Any] = {
        "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "mode": "Act",
        "demands": [demand], "replicas": {"min": 1, "max": 40},
    }  # fmt: skip
    return {**HEAD, "kind": "PredictiveAutoscaler", "metadata": {"name": name}, "spec": given | spec}


def condition(thing: Mapping[str, Any], kind: str) -> str | None:
    found = (thing.get("status") or {}).get("conditions") or []
    return next((str(c["status"]) for c in found if c["type"] == kind), None)


@contextmanager
def world(folder: Path, count: int, namespaces: int, **settings: Any) -> Iterator[World]:
    made = World(folder, count, namespaces, **settings)
    made.folder.mkdir(parents=True, exist_ok=True)
    try:
        made.start()
        yield made
    finally:
        if hasattr(made, "plane"):
            made.stop()
