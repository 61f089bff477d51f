"""Queries over a workload's pods: exact, quoted, of one series; and what is found in the answers."""

from typing import Any

import pytest

from autoscaler.adapters.prometheus.discovery import Discoverer, Key
from autoscaler.adapters.prometheus.discovery_counters import COUNTERS, Counter, Join
from autoscaler.adapters.prometheus.discovery_queries import Pods, Scope, matcher, window_s
from autoscaler.adapters.prometheus.promql import reading

NASTY = 'we"b\\'
WEB = Key("shop", "Deployment", "web")


def _pods(kind: str = "Deployment", name: str = "web", **scope: Any) -> Pods:
    return Pods(Scope(**scope), "shop", kind, name)


def _queries(pods: Pods) -> list[str]:
    own = [pods.cpu_cores(120), pods.throttled_share(300), pods.replicas("ready"), pods.replicas("wanted")]
    return own + [counter.per_second(pods, 120) for counter in COUNTERS]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
@pytest.mark.parametrize("name", ["web", NASTY, "a.b-c", "x" * 63])
def test_every_query_is_promql_and_holds_to_the_scope(kind, name):
    for query in _queries(_pods(kind, name, matchers=(matcher("cluster=prod"),))):
        read = reading(query)
        assert read.understood, query
        assert read.selectors
        for selector in read.selectors:
            assert ("cluster", "=", "prod") in {(m.label, m.operator, m.value) for m in selector.matchers}


def test_a_long_name_is_narrowed_by_what_kubernetes_leaves_of_it():
    """It cuts the name before it appends the suffixes of a ReplicaSet and a pod."""
    _, pods = _pods(name="x" * 60).matchers
    assert pods == f'pod=~"{"x" * 45}.*"'


@pytest.mark.parametrize(("scrape_s", "found"), [(5, 60), (15, 60), (30, 120), (60, 240), (66.7, 240), (0.1, 60)])
def test_a_rate_spans_four_scrapes(scrape_s, found):
    assert window_s(scrape_s) == found


@pytest.mark.parametrize("text", ["prod", "=prod", "1x=prod", 'a"b=c', ""])
def test_a_matcher_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="LABEL=VALUE"):
        matcher(text)


@pytest.mark.parametrize(
    ("labels", "theirs"),
    [
        ({"service": "shop-web-80@kubernetes"}, [WEB]),
        ({"service": "shop-web-http@kubernetescrd"}, [WEB]),
        ({"service": "shop-web-admin-80@kubernetes"}, []),
        ({"service": "shop-web@docker"}, []),
    ],
)
def test_traefik_s_one_label_names_namespace_and_service(labels, theirs):
    counter = next(c for c in COUNTERS if c.metric.startswith("traefik"))
    assert list(counter.workloads(labels, {}, {WEB}, Key)) == theirs


def test_a_counter_of_a_pod_belongs_to_the_pod_s_owner():
    counter = Counter("http_requests_total", Join.POD)
    owners = {("shop", "web-1-a"): WEB}
    assert list(counter.workloads({"namespace": "shop", "pod": "web-1-a"}, owners, {WEB}, Key)) == [WEB]
    assert not list(counter.workloads({"namespace": "shop", "pod": "web-9"}, owners, {WEB}, Key))


def test_a_source_without_kube_state_metrics_is_asked_once(backend, client_of, make_ok):
    backend.says(make_ok("vector", []))
    found = Discoverer(client_of(backend.url), Scope()).discover()
    assert found.workloads == ()
    assert "kube_deployment_spec_replicas" in found.absent
    assert len(backend.asked) == 1
