"""What is written over a copy is looked at right before: only what stood there when it was decided. Row K10."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import pytest

from autoscaler.adapters.kubernetes.claims import HPA
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.floors import Floors
from autoscaler.adapters.kubernetes.reading import Kinds
from autoscaler.adapters.kubernetes.trimming import autoscaler, scaled
from autoscaler.adapters.kubernetes.views import NamespaceView, look
from autoscaler.adapters.kubernetes.writing import Throttle, Writer
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.workload import Actuation
from tests.unit.adapters.kubernetes.test_kept import APPS, deployment, hpa


@dataclass
class Live:
    """hpa, scale: as they stand at the server now. sent: what was written."""

    hpa: dict[str, Any] | None
    scale: dict[str, Any]
    sent: list[tuple[str, Any]] = field(default_factory=list)

    def get(self, path: str, **query: str) -> Any:
        if path == "/apis/apps/v1":
            return APPS
        if path.endswith("/scale"):
            return copy.deepcopy(self.scale)
        if self.hpa is None:
            raise ApiFault(404, "not found")
        return copy.deepcopy(self.hpa)

    def call(self, method: str, path: str, body: Any = None, content_type: str = "", query: Any = None) -> Any:
        self.sent.append((path, body))
        return {}


@pytest.fixture
def world(make_workload: Any) -> Any:
    whole = hpa("web")
    whole["metadata"]["managedFields"] = [
        {"manager": "helm", "operation": "Apply", "fieldsV1": {"f:spec": {"f:minReplicas": {}, "f:maxReplicas": {}}}}
    ]
    whole["status"] = {"currentReplicas": 2}
    target = deployment("web")
    live = Live(whole, {"metadata": dict(target["metadata"]), "spec": {"replicas": 3}})

    def write(actuation: Actuation, wanted: int, instead_of: int) -> Note:
        load = make_workload("web", actuation=actuation)
        hpas = [autoscaler(hpa_then)] if actuation is Actuation.HPA_FLOOR else []
        targets = {("apps/v1", "Deployment"): {"web": scaled(target)}}
        view = look(load, NamespaceView(targets, hpas, [], [], []), 0.0, 300.0)
        assert view.known
        writer = Writer(
            live, Kinds(live), Floors(live, "foresail"), Throttle(lambda: 0.0), lambda: 100.0, looks=True  # type: ignore[arg-type]
        )  # fmt: skip
        return writer.write(load, view, ScaleRequest(0, wanted, 200.0, instead_of))

    hpa_then = copy.deepcopy(whole)
    return live, write


def test_K10_a_floor_goes_out_over_what_stands_there_though_statuses_have_moved(world):
    live, write = world
    live.hpa["metadata"]["resourceVersion"], live.hpa["status"] = "99", {"currentReplicas": 9}
    assert write(Actuation.HPA_FLOOR, 9, 2).condition is Condition.WRITTEN
    path, body = live.sent[0]
    assert path == HPA.path("shop", "web")
    assert body["metadata"]["uid"] == live.hpa["metadata"]["uid"]


@pytest.mark.parametrize("change", ["max", "min", "owner", "aim"])
def test_K10_what_changed_since_it_was_kept_is_decided_anew(world, change):
    live, write = world
    match change:
        case "max":
            live.hpa["spec"]["maxReplicas"] = 4
        case "min":
            live.hpa["spec"]["minReplicas"] = 5
        case "owner":
            live.hpa["metadata"]["managedFields"][0]["manager"] = "mia"
        case "aim":
            live.hpa["spec"]["scaleTargetRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}
    assert write(Actuation.HPA_FLOOR, 9, 2).condition is Condition.WRITE_CONFLICT
    assert not live.sent


def test_K10_K18_what_is_gone_or_made_anew_is_not_written(world):
    live, write = world
    live.hpa["metadata"]["uid"] = "another"
    note = write(Actuation.HPA_FLOOR, 9, 2)
    assert note.condition is Condition.WRITE_FAILED
    assert "made anew" in note.words
    live.hpa = None
    assert write(Actuation.HPA_FLOOR, 9, 2).condition is Condition.WRITE_FAILED
    assert not live.sent


def test_K10_a_count_that_somebody_moved_is_not_written_over(world):
    live, write = world
    assert write(Actuation.SCALE, 5, 3).condition is Condition.WRITTEN
    live.scale["spec"]["replicas"] = 8
    assert write(Actuation.SCALE, 5, 3).condition is Condition.WRITE_CONFLICT
    assert len(live.sent) == 1
