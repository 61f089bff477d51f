"""A capacity that is learned, as it is written."""

import pytest

from autoscaler.domain.errors import InvalidSpec, Refused
from autoscaler.domain.workload import Demand, LearnedFrom
from autoscaler.spec import parse_text, to_workload

TEXT = """apiVersion: foresail.dev/v1alpha1
kind: MetricsSource
metadata: {name: rec}
spec: {file: {path: web.csv}}
---
apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {name: web, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: web}
  replicas: {min: 2, max: 60}
  demands:
  - {name: requests, source: rec, query: web, capacity: CAPACITY}
"""


def demand(capacity: str) -> Demand:
    fleet = parse_text(TEXT.replace("CAPACITY", capacity), "web.yaml")
    return to_workload(fleet.autoscalers[0]).demands[0]


def test_what_it_is_learned_from_stands_beside_the_given_one():
    found = demand('{perReplica: "45", learned: {resource: cpu, limit: 500m, replicas: ready, summed: true}}')
    assert (found.capacity_per_replica, found.learned) == (45.0, LearnedFrom("cpu", 0.5, "ready", summed=True))
    other = demand('{perReplica: "45", learned: {resource: p95, limit: "0.25", replicas: ready, template: created}}')
    assert other.learned == LearnedFrom("p95", 0.25, "ready", template="created")


def test_it_may_be_learned_only():
    found = demand("{learned: {resource: cpu, limit: 500m, replicas: ready}}")
    assert (found.capacity_per_replica, found.learned) == (None, LearnedFrom("cpu", 0.5, "ready"))


def test_without_either_nothing_is_known_ever():
    with pytest.raises(ValueError, match="neither a capacity nor what it is learned from"):
        Demand("requests", "rec", "web", None)


def test_who_needs_a_number_is_told_the_way_out():
    with pytest.raises(Refused, match=r"not learned yet; give perReplica, or --capacity"):
        _ = Demand("requests", "rec", "web", None, LearnedFrom("cpu", 0.5, "ready")).known_capacity


def test_a_given_one_is_learned_from_nothing():
    assert demand('{perReplica: "45"}').learned is None


@pytest.mark.parametrize(
    ("capacity", "words"),
    [
        ("{}", 'says nothing of what one replica serves; write perReplica: "45"'),
        ("{learned: {resource: cpu, replicas: ready}}", "capacity.learned.limit is missing"),
        ('{perReplica: "45", learned: {resource: cpu, replicas: ready}}', "capacity.learned.limit is missing"),
        (
            '{perReplica: "45", learned: {resource: cpu, limit: "0", replicas: ready}}',
            "learned.limit: must be positive",
        ),
        ('{perReplica: "45", learned: {resource: cpu, limit: "1"}}', "capacity.learned.replicas is missing"),
        ('{perReplica: "45", learned: {resource: cpu, limit: "1", replicas: r, sum: true}}', "learned.sum"),
    ],
)
def test_slips_name_their_place(capacity, words):
    with pytest.raises(InvalidSpec) as caught:
        demand(capacity)
    assert words in str(caught.value).replace(": is missing", " is missing")


def test_a_limit_is_a_positive_number():
    with pytest.raises(ValueError, match="positive"):
        LearnedFrom("cpu", 0.0, "ready")
