"""Real KEDA: who moves what between a ScaledObject, the HPA that KEDA makes of it, and the Deployment."""

from __future__ import annotations

import pytest

from tests.real.keda import scaled_object
from tests.real.manifests import AT_ONCE, deployment
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow
APPS, KEDA = "/apis/apps/v1/namespaces/default/deployments", "/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects"
HPA = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/keda-hpa-web"


def test_a_scaled_object_on_prometheus_drives_the_hpa_and_hands_its_minimum_down(keda, prometheus, exporter):
    exporter.set("load_rps", 20.0)
    server = prometheus(scrape=[exporter.target], scrape_interval="200ms")
    wait_until(lambda: server.query("sum(load_rps)"), "the first scrape", 20)
    admin = keda.plane.rest()
    admin.create(APPS, deployment("web", replicas=2))
    advanced = {"horizontalPodAutoscalerConfig": {"behavior": AT_ONCE}}
    admin.create(KEDA, scaled_object("web", 2, 20, server.url, "sum(load_rps)", 10, advanced=advanced))

    def wanted() -> int:
        replicas: int = admin.get(f"{APPS}/web")["spec"]["replicas"]
        return replicas

    wait_until(lambda: admin.answer("GET", HPA).status == 200, "KEDA made an HPA", 20)
    exporter.set("load_rps", 95.0)
    wait_until(lambda: wanted() == 10, "95 at 10 each are ten", 20)
    exporter.set("load_rps", 31.0)
    wait_until(lambda: wanted() == 4, "down to four", 20)

    admin.patch(f"{KEDA}/web", {"spec": {"minReplicaCount": 6}})
    wait_until(lambda: wanted() == 6, "the raised minimum arrives", 20)
    assert admin.get(HPA)["spec"]["minReplicas"] == 6

    admin.patch(HPA, {"spec": {"minReplicas": 9}})
    wait_until(lambda: admin.get(HPA)["spec"]["minReplicas"] == 6, "KEDA takes its own HPA back", 20)
