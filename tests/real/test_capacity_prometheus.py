"""What a replica serves, learned from a real Prometheus: by the command, and by a service that has nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import yaml

from autoscaler.bootstrap.service import Service, service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.decision import State
from autoscaler.domain.notes import Condition
from autoscaler.domain.reasons import Reason
from autoscaler.simulator.clock import VirtualClock
from tests.real.history import History, series
from tests.real.prometheus import Prometheus
from tests.unit.cli.conftest import foresail

__all__ = ["foresail"]

STEP_S, DAYS = 60, 4
IDLE, PER_REQUEST, LIMIT = 0.1, 0.02, 1.0
TRUE = (LIMIT - IDLE) / PER_REQUEST
LOAD = "sum(rate(http_requests_total[5m]))"
CPU = "sum(rate(container_cpu_usage_seconds_total[5m]))"
READY = "sum(kube_deployment_status_replicas_ready)"


def recorded(end_s: int, *, of_load: bool) -> History:
    """Days of two pods' counters: CPU of a known law with 3 % of noise, or of no law at all."""
    rng = np.random.default_rng(7)
    count = DAYS * 86_400 // STEP_S
    times = end_s - STEP_S * np.arange(count - 1, -1, -1)
    ready = 2.0 + np.arange(count) // 700 % 3
    each = 24.0 * (1 - np.cos(np.arange(count) * 2 * np.pi * STEP_S / 86_400)) * rng.normal(1, 0.02, count)
    law = (IDLE + PER_REQUEST * each) * rng.normal(1, 0.03, count)
    cores = law if of_load else rng.gamma(4.0, 0.12, count)
    found = {series("kube_deployment_status_replicas_ready", deployment="web"): (times.tolist(), ready.tolist())}
    for pod, share in (("a", 0.5), ("b", 0.5)):
        for metric, rate in (("http_requests_total", each), ("container_cpu_usage_seconds_total", cores)):
            counter = np.cumsum(share * np.maximum(rate, 0.0) * ready * STEP_S)
            found[series(metric, pod=pod)] = (times.tolist(), counter.tolist())
    return found


@pytest.fixture
def end_s() -> int:
    return int(time.time()) // 300 * 300


def asked(server: Prometheus, *more: str) -> tuple[str, ...]:
    return (
        "capacity", "--prometheus", server.url, "--since", "4d", "--load", LOAD, "--replicas", READY,
        "--resource", CPU, "--summed", "--limit", str(LIMIT), *more,
    )  # fmt: skip


def test_a_known_capacity_is_found_again_within_its_interval(prometheus, foresail, end_s):
    said = foresail(*asked(prometheus(recorded(end_s, of_load=True)), "-o", "yaml"))
    assert said.code == 0, said.err
    found = float(yaml.safe_load(said.out)["capacity"]["perReplica"])
    assert 0.88 * TRUE < found <= 1.01 * TRUE, "within a limit is more than on average within it: a little below"


def test_where_load_explains_nothing_it_is_refused_with_the_reason(prometheus, foresail, end_s):
    said = foresail(*asked(prometheus(recorded(end_s, of_load=False))))
    assert said.code == 1
    assert "the load explains too little of the resource" in said.out + said.err
    assert "perReplica:" not in said.out


def learning_only(folder: Path, url: str, now_s: int) -> Service:
    (folder / "fleet.yaml").write_text(f"""apiVersion: foresail.dev/v1alpha1
kind: MetricsSource
metadata: {{name: prod}}
spec: {{prometheus: {{url: "{url}"}}}}
---
apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {{name: web, namespace: shop}}
spec:
  target: {{apiVersion: apps/v1, kind: Deployment, name: web}}
  replicas: {{min: 2, max: 60}}
  demands:
  - name: requests
    source: prod
    query: {LOAD}
    capacity:
      learned: {{resource: "{CPU}", summed: true, limit: "{LIMIT}", replicas: "{READY}"}}
""")
    settings = ServiceSettings((folder / "fleet.yaml",), folder / "record.db")
    return service(settings, VirtualClock(datetime.fromtimestamp(now_s, UTC)))


@pytest.fixture
def running(tmp_path, prometheus, end_s, request) -> Iterator[Service]:
    one = learning_only(tmp_path, prometheus(recorded(end_s, of_load=request.param)).url, end_s)
    yield one
    one.close()


@pytest.mark.parametrize("running", [True], indirect=True)
def test_a_service_that_learns_only_holds_and_then_sizes(running):
    first = running.tick()[0]
    assert (first.state, first.sizing, first.granted) == (State.HOLDING, Reason.CAPACITY_UNKNOWN, first.current)
    running.capacities.wait(60)
    second = running.tick()[0]
    assert 0.88 * TRUE < second.demands[0].capacity_per_replica <= 1.01 * TRUE
    assert second.sizing is not Reason.CAPACITY_UNKNOWN


@pytest.mark.parametrize("running", [False], indirect=True)
def test_a_service_that_may_not_trust_what_it_sees_goes_on_holding(running):
    running.tick()
    running.capacities.wait(60)
    decision = running.tick()[0]
    assert (decision.state, decision.demands[0].capacity_per_replica) == (State.HOLDING, None)
    said = {n.condition: n.words for n in decision.notes}
    assert "the load explains too little" in said[Condition.CAPACITY_REFUSED]
