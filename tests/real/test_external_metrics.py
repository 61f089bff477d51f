"""The real HPA on metrics that a test answers: it follows up and down, and fills the gaps of missing samples."""

from __future__ import annotations

import pytest

from tests.real.manifests import AT_ONCE, deployment, hpa, hpa_external
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow
APPS, SCALING = "/apis/apps/v1/namespaces", "/apis/autoscaling/v2/namespaces"


@pytest.fixture
def wanted(control_plane, namespace):
    """What the Deployment `web` is told to run."""
    path = f"{APPS}/{namespace}/deployments/web"
    return lambda: control_plane.rest().get(path)["spec"]["replicas"]


def test_an_external_metric_scales_up_and_down(control_plane, namespace, wanted):
    load = {"queue": 25.0}
    metrics = control_plane.serve_external_metrics(lambda _ns, metric: load.get(metric))
    admin = control_plane.rest()
    admin.create(f"{APPS}/{namespace}/deployments", deployment("web", replicas=2))
    admin.create(f"{SCALING}/{namespace}/horizontalpodautoscalers", hpa_external("web", 1, 20, "queue", 10, AT_ONCE))
    wait_until(lambda: wanted() == 3, "25 at 10 each are three", 20)
    load["queue"] = 61.0
    wait_until(lambda: wanted() == 7, "up to seven", 20)
    load["queue"] = 18.0
    wait_until(lambda: wanted() == 2, "down to two", 20)
    assert f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/queue" in metrics.asked

    del load["queue"]

    def without_data():
        status = admin.get(f"{SCALING}/{namespace}/horizontalpodautoscalers/web").get("status", {})
        return any(c["type"] == "ScalingActive" and c["status"] == "False" for c in status.get("conditions", []))

    wait_until(without_data, "the HPA says that it has no data", 20)
    assert wanted() == 2


def test_cpu_with_pods_that_lack_samples(control_plane, namespace, wanted):
    """Four pods at a target of 50 m; up, a missing sample counts as no use at all; down, as the whole request."""
    usage: dict[str, int] = {}
    control_plane.serve_external_metrics(usage=lambda asked: dict(usage) if asked == namespace else {})
    admin = control_plane.rest()
    admin.create(f"{APPS}/{namespace}/deployments", deployment("web", replicas=4, cpu="100m"))
    wait_until(lambda: len(control_plane.ready_pods(namespace)) == 4, "four Ready pods", 20)
    first, second, *_ = control_plane.ready_pods(namespace)
    usage |= {first: 200, second: 200}
    made = hpa("web", 1, 20)
    made["spec"]["behavior"] = AT_ONCE
    admin.create(f"{SCALING}/{namespace}/horizontalpodautoscalers", made)
    wait_until(lambda: wanted() == 8, "(200 + 200 + 0 + 0) / 50 are eight", 20)
    wait_until(lambda: len(control_plane.ready_pods(namespace)) == 8, "eight Ready pods", 20)
    usage |= dict.fromkeys(control_plane.ready_pods(namespace)[:6], 0)
    wait_until(lambda: wanted() == 4, "(6 x 0 + 2 x 100) / 50 are four", 20)
