"""Objects of a cluster are judged as files are, each by itself."""

import copy
from typing import Any

from autoscaler.spec import parse_text
from autoscaler.spec.cluster_object import document_of
from autoscaler.spec.fleet import judge

SOURCE: dict[str, Any] = {
    "apiVersion": "foresail.dev/v1alpha1",
    "kind": "MetricsSource",
    "metadata": {"name": "prod", "uid": "u", "resourceVersion": "7", "generation": 1},
    "spec": {"prometheus": {"url": "http://prometheus:9090"}},
}
WEB: dict[str, Any] = {
    "apiVersion": "foresail.dev/v1alpha1",
    "kind": "PredictiveAutoscaler",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "uid": "u",
        "creationTimestamp": "2026-03-01T06:00:00Z",
        "labels": {"tier": "web"},
        "managedFields": [{"manager": "kubectl"}],
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "Example.COM/upper": "another tool's",
            "example.com/owner": "mia",
        },
    },
    "spec": {
        "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "demands": [{"name": "requests", "source": "prod", "query": "q", "capacity": {"perReplica": "45"}}],
        "replicas": {"max": 60},
    },
    "status": {"observedGeneration": 1},
}
FILE = """\
apiVersion: foresail.dev/v1alpha1
kind: MetricsSource
metadata: {name: prod}
spec: {prometheus: {url: "http://prometheus:9090"}}
---
apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {name: web, namespace: shop, labels: {tier: web}, annotations: {example.com/owner: mia}}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: web}
  demands: [{name: requests, source: prod, query: q, capacity: {perReplica: "45"}}]
  replicas: {max: 60}
"""


def test_an_object_means_what_its_file_means():
    judged = judge([document_of(SOURCE), document_of(WEB)])
    assert judged.problems == ()
    file = parse_text(FILE, "web.yaml")
    assert judged.fleet.autoscalers == file.autoscalers
    assert judged.fleet.sources == file.sources
    assert judged.fleet.compile() == file.compile()


def test_an_item_of_a_list_is_told_its_kind():
    item = {key: value for key, value in WEB.items() if key not in {"kind", "apiVersion"}}
    judged = judge([document_of(SOURCE), document_of(item, "PredictiveAutoscaler")])
    assert [a.metadata.name for a in judged.fleet.autoscalers] == ["web"]


def test_k16_of_several_objects_only_the_invalid_one_is_refused():
    """K16: it is named with the field path, and the others stay in force."""
    bad = copy.deepcopy(WEB)
    bad["metadata"]["name"] = "bad"
    bad["spec"]["target"]["name"] = "bad"
    bad["spec"]["replicas"] = {"min": 61, "max": 60}
    judged = judge([document_of(one) for one in (SOURCE, bad, WEB)])
    assert [a.metadata.name for a in judged.fleet.autoscalers] == ["web"]
    assert [str(ref) for ref in judged.refused] == ["PredictiveAutoscaler shop/bad"]
    (problem,) = judged.problems
    assert (problem.file, problem.path) == ("PredictiveAutoscaler shop/bad", "spec.replicas")
    assert "min 61 is above max 60" in str(problem)


def test_an_object_without_a_spec_says_so():
    judged = judge([document_of({**WEB, "spec": None})])
    assert [(p.path, p.message) for p in judged.problems] == [("spec", "is missing: it is left blank")]
    gone = {key: value for key, value in WEB.items() if key != "spec"}
    assert [p.path for p in judge([document_of(gone)]).problems] == ["spec"]
