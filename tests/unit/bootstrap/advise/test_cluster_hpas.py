"""HPAs as a cluster lists them, in the terms of those that kube-state-metrics shows."""

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.prometheus.discovery import FoundHpa, FoundWorkload, HpaMetric, Key
from autoscaler.bootstrap.advise.candidates import HpaAsSet, Unjudged, hpa_as_set
from autoscaler.bootstrap.advise.cluster_hpas import ALL, cluster_hpas, disagreements
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


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "grant list on horizontalpodautoscalers, name --namespace, or leave --kubeconfig out"),
        (401, "does not accept the credentials of the kubeconfig: log in again"),
    ],
)
def test_who_may_not_read_is_told_the_way_out(status, words):
    with pytest.raises(Refused, match=words):
        _found({ALL: ApiFault(status, "no")})


def test_no_answer_is_told_as_one_that_may_come_later():
    with pytest.raises(ApiFault, match=r"check the server that the kubeconfig names, or leave .*\(no answer\)"):
        _found({ALL: ApiFault(None, "no answer")})


DEFAULTED = {
    "scaleUp": {
        "stabilizationWindowSeconds": 0, "selectPolicy": "Max",
        "policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15},
        ],
    },
    "scaleDown": {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]},
}  # fmt: skip
TENTH = [{"type": "Percent", "value": 10, "periodSeconds": 60}, {"type": "Pods", "value": 2, "periodSeconds": 60}]


@pytest.mark.parametrize(
    ("behavior", "words"),
    [
        ({}, ""),
        (DEFAULTED, ""),
        ({"scaleDown": {"stabilizationWindowSeconds": 300}}, ""),
        ({"scaleDown": {"stabilizationWindowSeconds": 600}}, "scaleDown waits 600 s"),
        ({"scaleDown": {"policies": TENTH}}, "scaleDown by 10 % in 60 s or 2 in 60 s"),
        ({"scaleDown": {"policies": TENTH, "selectPolicy": "Min"}}, "scaleDown by 10 % in 60 s and 2 in 60 s"),
        ({"scaleUp": {"stabilizationWindowSeconds": 60}, "scaleDown": {"selectPolicy": "Disabled"}},
         "scaleUp waits 60 s; scaleDown is disabled"),
        ({"scaleUp": {"tolerance": "5%"}}, "scaleUp tolerates 5%"),
    ],
)  # fmt: skip
def test_a_behavior_that_is_not_the_default_is_told(behavior, words):
    (hpas,) = _found({ALL: [_hpa("web", [CPU], behavior=behavior)]}).values()
    assert hpas[0].behavior == words
    found = hpa_as_set(hpas, "shop/web")
    assert isinstance(found, HpaAsSet)
    assert found.behavior == words


def test_what_the_metrics_show_otherwise_is_told_and_nothing_where_they_agree():
    def shown(name: str, least: int = 1) -> FoundWorkload:
        hpa = FoundHpa(f"{name}-hpa", least, 9, (HpaMetric("cpu", "Utilization", 65),))
        return FoundWorkload(Key("shop", "Deployment", name), 3, hpas=(hpa,))

    held = _found({ALL: [_hpa("web", [CPU], behavior={"scaleDown": {"selectPolicy": "Disabled"}}), _hpa("api", [CPU])]})
    assert not list(disagreements([shown("web"), shown("api")], held))
    assert not list(disagreements([replace(shown("gone"), hpas=())], held))
    gone, other = disagreements([shown("web"), shown("api", 2), *map(shown, "abcd")], held)
    assert "an HPA of shop/a, shop/b, shop/c and 1 more and the cluster has none" in gone
    assert "another HPA of shop/api than the cluster has: the cluster's is used" in other
