"""What the real HPA controller does with a floor that moves: the product's design rests on these."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.real.controlplane import ControlPlane
from tests.real.manifests import deployment, hpa, hpa_external
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow
SYNCS_S = 1.2
"""Four of the HPA controller's rounds: what has not happened by then does not happen."""


@dataclass
class Bench:
    """The Deployment `web` and its HPA, which wants one replica per 10 of the metric `load`."""

    plane: ControlPlane
    namespace: str
    load: dict[str, float] = field(default_factory=lambda: {"load": 20.0})

    def __post_init__(self) -> None:
        self.deployments = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        self.hpas = f"/apis/autoscaling/v2/namespaces/{self.namespace}/horizontalpodautoscalers"
        self.admin = self.plane.rest()

    def begin(self, made: dict[str, Any], replicas: int = 2) -> None:
        self.admin.create(self.deployments, deployment("web", replicas=replicas))
        wait_until(lambda: len(self.plane.ready_pods(self.namespace)) == replicas, "Ready pods", 20)
        self.admin.create(self.hpas, made)
        wait_until(lambda: self.condition("ScalingActive"), "the HPA's first round", 20)

    def condition(self, kind: str) -> dict[str, Any] | None:
        conditions = self.admin.get(f"{self.hpas}/web").get("status", {}).get("conditions") or []
        return next((c for c in conditions if c["type"] == kind), None)

    def floor(self, replicas: int) -> None:
        self.admin.patch(f"{self.hpas}/web", {"spec": {"minReplicas": replicas}})

    def reaches(self, replicas: int, within_s: float = 10.0) -> None:
        path = f"{self.deployments}/web"
        wait_until(lambda: self.admin.get(path)["spec"]["replicas"] == replicas, f"{replicas} replicas", within_s)

    @property
    def sizes(self) -> list[int]:
        """What the HPA controller has asked for, each time."""
        writes = self.plane.writes("controllers", "deployments", self.namespace)
        scaled = [w for w in writes if w["objectRef"].get("subresource") == "scale"]
        return [w["requestObject"]["spec"]["replicas"] for w in scaled]

    def said(self) -> list[str]:
        events = self.admin.get(f"/api/v1/namespaces/{self.namespace}/events")["items"]
        return [e["message"] for e in events if e["reason"] == "SuccessfulRescale"]


@pytest.fixture
def bench(control_plane: ControlPlane, namespace: str) -> Bench:
    made = Bench(control_plane, namespace)
    values: Callable[[str, str], float | None] = lambda asked, metric: (  # noqa: E731 - one per test
        made.load.get(metric) if asked == namespace else None
    )
    control_plane.serve_external_metrics(values)
    return made


ONE_A_MINUTE = {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}}


def test_a_raised_floor_is_reached_in_one_step_without_metrics_and_against_the_scale_up_policies(bench):
    """One pod per minute is allowed and the metric has no data: the floor of seven is asked for at once."""
    bench.begin(hpa_external("web", 2, 20, "load", 10, ONE_A_MINUTE))
    bench.load.clear()
    wait_until(lambda: bench.condition("ScalingActive")["status"] == "False", "no data")
    assert bench.sizes == []
    bench.floor(7)
    bench.reaches(7)
    assert bench.sizes == [7]
    wait_until(lambda: bench.said() == ["New size: 7; reason: Current number of replicas below Spec.MinReplicas"], "it")


def test_the_same_policy_does_hold_the_metric_back(bench):
    """So what the test above shows is the floor's own way past it."""
    bench.begin(hpa_external("web", 2, 20, "load", 10, ONE_A_MINUTE))
    bench.load["load"] = 70.0
    bench.reaches(3)
    time.sleep(SYNCS_S)
    assert bench.sizes == [3]


def test_a_floor_let_go_drops_in_one_sync_in_the_middle_of_the_downscale_window(bench):
    """The window of five minutes keeps what the metric wanted, never what the floor was: twelve fall to two."""
    bench.begin(hpa_external("web", 2, 20, "load", 10))
    bench.floor(12)
    bench.reaches(12)
    time.sleep(SYNCS_S)
    bench.floor(2)
    bench.reaches(2)
    assert bench.sizes == [12, 2]


def test_a_floor_held_longer_than_the_window_drops_in_one_sync_too(bench):
    bench.begin(hpa_external("web", 2, 20, "load", 10, {"scaleDown": {"stabilizationWindowSeconds": 1}}))
    bench.floor(12)
    bench.reaches(12)
    time.sleep(SYNCS_S)
    bench.floor(1)
    bench.reaches(2)
    assert bench.sizes == [12, 2]


def test_a_drop_stops_at_what_the_metric_wanted_within_the_window(bench):
    """The metric's own peak of eight does live on for the window, below the floor of twelve."""
    bench.begin(hpa_external("web", 2, 20, "load", 10))
    bench.floor(12)
    bench.reaches(12)
    bench.load["load"] = 80.0
    time.sleep(SYNCS_S)
    bench.load["load"] = 20.0
    time.sleep(SYNCS_S)
    bench.floor(2)
    bench.reaches(8)
    time.sleep(SYNCS_S)
    assert bench.sizes == [12, 8]


def test_a_floor_lowered_in_steps_is_followed_step_by_step(bench):
    bench.begin(hpa_external("web", 2, 20, "load", 10))
    steps = [12, 9, 6, 3]
    for step in steps:
        bench.floor(step)
        bench.reaches(step)
    assert bench.sizes == steps


def test_without_any_metrics_api_it_never_shrinks(bench):
    """The floor still raises; lowered again, nothing comes down: only a metric can ask for less."""
    bench.plane.withdraw_external_metrics()
    bench.begin(hpa("web", 1, 20), replicas=4)
    active = bench.condition("ScalingActive")
    assert (active["status"], active["reason"]) == ("False", "FailedGetResourceMetric")
    bench.floor(6)
    bench.reaches(6)
    bench.floor(1)
    time.sleep(2 * SYNCS_S)
    assert bench.sizes == [6]
