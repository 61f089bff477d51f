"""HPAs as a cluster lists them, in the terms of those that kube-state-metrics shows."""

from typing import Any

import pytest

from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.prometheus.discovery import FoundHpa, HpaMetric, Key
from autoscaler.bootstrap.advise.candidates import HpaAsSet, Unjudged, hpa_as_set
from autoscaler.bootstrap.advise.cluster_hpas import ALL, cluster_hpas
from autoscaler.domain.errors import Refused


class Lists:
    """A connection that answers lists by their path."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def items(self, path: str) -> Any:
        answer = self.answers[path]
        if isinstance(answer, Exception):
            raise answer
        return answer


def _hpa(name: str, metrics: list[Any], **spec: Any) -> dict[str, Any]:
    aim = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "maxReplicas": 9}
    return {"metadata": {"name": f"{name}-hpa", "namespace": "shop"}, "spec": {**aim, "metrics": metrics, **spec}}


CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 65}}}
CORES = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "450m"}}}
QUEUE = {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"value": "30"}}}


def _found(answers: dict[str, Any], *namespaces: str) -> dict[Key, tuple[FoundHpa, ...]]:
    connection: Any = Lists(answers)
    return cluster_hpas(connection, namespaces)


def test_each_kind_of_target_is_told_apart():
    found = _found({ALL: [_hpa("web", [CPU], minReplicas=3), _hpa("api", [CORES]), _hpa("mail", [QUEUE, CPU])]})
    by_name = {key.name: hpas[0] for key, hpas in found.items()}
    assert by_name["web"] == FoundHpa("web-hpa", 3, 9, (HpaMetric("cpu", "Utilization", 65),))
    assert by_name["api"].metrics == (HpaMetric("cpu", "AverageValue", 0.45),)
    assert by_name["mail"].metrics[0] == HpaMetric("queue", "Value", 30)
    assert hpa_as_set([by_name["mail"]], "shop/mail") == HpaAsSet("mail-hpa", 1, 9, cpu_share=0.65)


def test_an_hpa_whose_target_is_not_known_is_no_guess():
    silent = hpa_as_set([FoundHpa("h", 1, 9)], "shop/web")
    assert isinstance(silent, Unjudged)
    assert "--kubeconfig" in silent.remedy
    other = hpa_as_set([FoundHpa("h", 1, 9, (HpaMetric("queue", "Value", 30),))], "shop/web")
    assert isinstance(other, Unjudged)
    assert "queue" in other.reason


def test_only_the_named_namespaces_are_listed():
    path = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
    assert list(_found({path: [_hpa("web", [CPU])]}, "shop")) == [Key("shop", "Deployment", "web")]


def test_a_missing_right_is_told_with_the_way_out():
    with pytest.raises(Refused, match="grant list on horizontalpodautoscalers"):
        _found({ALL: ApiFault(403, "forbidden")})
    with pytest.raises(ApiFault):
        _found({ALL: ApiFault(None, "no answer")})
