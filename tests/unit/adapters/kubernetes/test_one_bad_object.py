"""One object that is not built as it should costs its own workload, never the others, in looking and in writing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from autoscaler.adapters.kubernetes.cluster import KubernetesCluster
from autoscaler.adapters.kubernetes.connection import Access, Connection
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.workload import Actuation, Target, Workload


class Answers(Connection):
    """An API server out of a dict of lists."""

    def __init__(self, lists: dict[str, list[Any]]) -> None:
        super().__init__(Access())
        self.lists, self.written = lists, []  # type: ignore[var-annotated]

    def call(self, method: str, path: str, body: Any = None, *rest: Any, **query: Any) -> Any:
        if method == "PATCH":
            self.written.append(path)
            if "bad" in path:
                raise RuntimeError("a bug")
            return {}
        plural = path.rpartition("/")[2]
        if path.endswith("apps/v1"):
            return {"resources": [{"name": n, "kind": "Deployment"} for n in ("deployments", "deployments/scale")]}
        return {"items": self.lists.get(plural, []), "resources": []}


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 6, 10, 12, tzinfo=UTC)


def thing(name: str, spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"}, "spec": spec}


def hpa(name: str) -> dict[str, Any]:
    aim = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return thing(name, {"scaleTargetRef": aim, "minReplicas": 2, "maxReplicas": 20})


def fleet_of(make_workload: Callable[..., Workload], *names: str) -> Fleet:
    loads = (replace(make_workload(n), actuation=Actuation.HPA_FLOOR) for n in names)
    return Fleet(tuple(replace(w, target=Target("apps/v1", "Deployment", w.ref.name)) for w in loads))


def test_a_target_that_is_not_understood_costs_its_own_lane(make_workload: Callable[..., Workload]) -> None:
    targets = [thing("good", {"replicas": 3}), thing("odd", {"replicas": "three"})]
    server = Answers({"deployments": targets, "horizontalpodautoscalers": [hpa("good"), hpa("odd")]})
    seen = KubernetesCluster(server, "foresail", Noon()).observe(fleet_of(make_workload, "good", "odd"))
    assert seen.known.tolist() == [True, False]
    assert "odd is not understood: ValueError" in seen.notes[1][0].words


def test_a_write_that_raises_costs_its_own_lane(make_workload: Callable[..., Workload]) -> None:
    targets = [thing(name, {"replicas": 3}) for name in ("bad", "good")]
    server = Answers({"deployments": targets, "horizontalpodautoscalers": [hpa("bad"), hpa("good")]})
    cluster, fleet = KubernetesCluster(server, "foresail", Noon()), fleet_of(make_workload, "bad", "good")
    cluster.observe(fleet)
    now_s = Noon().now().timestamp()
    told = cluster.apply(fleet, [ScaleRequest(lane, 9, now_s + 60, 2) for lane in (0, 1)], now_s)
    assert [told[lane][0].condition for lane in (0, 1)] == [Condition.WRITE_FAILED, Condition.WRITTEN]
    assert len(server.written) == 2
