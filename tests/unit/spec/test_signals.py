"""What is watched beside the demands, and how loudly, as it is written."""

import pytest

from autoscaler.domain.errors import InvalidSpec
from autoscaler.domain.signals import Signal, SignalKind, Watching
from autoscaler.domain.workload import Workload
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
  - {name: requests, source: rec, query: web, capacity: {perReplica: "45"}}
"""


def workload(lines: str = "") -> Workload:
    (one,) = parse_text(TEXT + lines, "web.yaml").autoscalers
    return to_workload(one)


def test_signals_and_the_accepted_false_pages_become_values() -> None:
    load = workload(
        "  signals:\n  - {name: p95, source: rec, query: web_p95, kind: Latency}\n"
        "  - {name: failed, source: rec, query: web_5xx, kind: Errors}\n"
        "  anomalies: {falsePagesPerWeek: 0.25}\n"
    )
    assert load.signals == (
        Signal("p95", "rec", "web_p95", SignalKind.LATENCY),
        Signal("failed", "rec", "web_5xx", SignalKind.ERRORS),
    )
    assert load.watching == Watching(on=True, false_pages_per_week=0.25)


def test_without_a_word_a_workload_is_watched_at_one_false_page_a_week() -> None:
    assert workload().watching == Watching(on=True, false_pages_per_week=1.0)
    assert workload("  anomalies: {enabled: false}\n").watching.on is False


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("  signals: [{name: p95, source: nope, query: q, kind: Latency}]\n", "no such MetricsSource"),
        ("  signals: [{name: p95, source: rec, query: q, kind: Slowness}]\n", "spec.signals[0].kind"),
        (
            (
                "  signals:\n  - {name: a, source: rec, query: q, kind: Errors}\n"
                "  - {name: a, source: rec, query: r, kind: Errors}\n"
            ),
            "another signal of this object has the same name",
        ),
        ("  anomalies: {falsePagesPerWeek: -1}\n", "spec.anomalies.falsePagesPerWeek"),
        ("  anomalies: {falsePagesPerWeek: .inf}\n", "spec.anomalies.falsePagesPerWeek"),
    ],
)
def test_what_means_nothing_is_refused_with_its_place(lines: str, words: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        workload(lines)
    assert words in str(caught.value)
    assert "web.yaml:" in str(caught.value)
