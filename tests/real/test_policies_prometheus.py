"""Policy files over what a real Prometheus says. Rows D05, D07, P03, P06."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from autoscaler.bootstrap.policies_lint import lint
from autoscaler.cli.policy_diff import Simulated, run_diff
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.tick import Pipeline
from autoscaler.simulator.cluster import MemoryCluster
from autoscaler.spec.reader import load
from tests.real.guarded import SOURCE, autoscaler, policy
from tests.real.history import series
from tests.real.servers import wait_until
from tests.real.ticking import Kept, Loop, readers, verdict_of

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.fixture
def reader_of() -> Iterator[Callable[..., Any]]:
    with readers() as make:
        yield make


class Obeying(Loop):
    """A Loop over workloads and policies that stand in files; its workloads' source is the reader's."""

    def __init__(
        self, reader: Any, folder: Path, query: str, *policies: str, count: int = 1, step_s: int = 60, **spec: Any
    ) -> None:
        demand = [{"name": "load", "source": "prod", "query": query, "capacity": {"perReplica": "10"}}]
        fleet = [autoscaler(f"w{k}", "shop", {}, demands=demand, **spec) for k in range(count)]
        folder.mkdir(exist_ok=True)
        (folder / "all.yaml").write_text("---\n".join((SOURCE, *fleet, *policies)))
        self.step_s = step_s
        self.fleet = Fleet(load([folder]).compile())
        self.cluster = MemoryCluster(self.fleet, step_s, self.fleet.is_floor.copy(), np.full(count, 12, dtype=np.int64))
        self.kept = Kept()
        server = PeakServer((LastValue(),))
        self.pipeline = Pipeline(reader, self.cluster, self.kept, History(step_s, 30), server, CHAIN)


def turns(sizes: list[int]) -> int:
    """Changes of direction."""
    moves = [b - a for a, b in itertools.pairwise(sizes) if a != b]
    return sum((a > 0) != (b > 0) for a, b in itertools.pairwise(moves))


def test_D05_within_the_tolerance_of_a_policy_a_day_at_the_edge_makes_no_turns(prometheus, reader_of, tmp_path):
    end = int(time.time()) // 300 * 300
    times = range(end - DAY - 2 * HOUR, end, MINUTE)
    wave = [101.0 + 6.0 * np.sin(t / 700.0) for t in times]  # needs ten replicas or eleven, in turn
    server = prometheus({series("load_rps"): (times, wave)})
    calm = policy(
        "calm", defaults="{behavior: {scaleUp: {tolerance: 0.2}, scaleDown: {tolerance: 0.2}}}",
        selector="{namespaces: [shop]}",
    )  # fmt: skip
    behavior = {
        "scaleUp": {"policies": [{"type": "Percent", "value": 1000, "periodSeconds": 15}]},
        "scaleDown": {"stabilizationWindowSeconds": 0},
    }
    counted = []
    for name, policies in (("free", ()), ("calm", (calm,))):
        loop = Obeying(
            reader_of(server.url), tmp_path / name, "sum(load_rps)", *policies, step_s=300, behavior=behavior,
            replicas={"min": 1, "max": 100},
        )  # fmt: skip
        sizes = [loop.one(at).granted for at in range(end - DAY, end, 300)]
        counted.append(turns(sizes))
        assert all(10 <= size <= 13 for size in sizes[3:]), "what is needed is there all day"
    free, kept = counted
    assert free > 24, "without it there is more than a turn an hour, so that there is something to stop"
    assert kept <= 2


@pytest.mark.slow
def test_D07_a_shared_rule_that_collapses_takes_a_share_at_a_time_and_one_that_is_dropped_takes_nothing(
    prometheus, exporter, reader_of, tmp_path
):
    exporter.set("load_rps", 110.0)
    rule = {"name": "shared", "interval": "200ms", "rules": [{"record": "shop:rps", "expr": "sum(load_rps)"}]}
    server = prometheus(scrape=[exporter.target], scrape_interval="200ms", rules=[rule])
    brake = policy("brake", "{namespaces: [shop]}", limits='{brake: {shrink: "25%"}}')
    loop = Obeying(reader_of(server.url), tmp_path / "all", "shop:rps", brake, count=12, step_s=1)
    loop.until(lambda d: verdict_of(d) == DataVerdict.OK, "the rule has a result", 30)
    loop.back_to_twelve()
    loop.next_step()
    exporter.set("load_rps", 20.0)
    wait_until(lambda: server.query("shop:rps < 50"), "the rule has collapsed", 15)
    time.sleep(1)
    before = loop.cluster.desired.copy()
    braked = 0
    for _ in range(5):
        decisions = loop.next_step()
        now = np.array([d.granted for d in decisions])
        assert np.count_nonzero(now < before) <= 3, "a quarter of twelve"
        braked += sum(Reason.FLEET_BRAKE in d.reasons for d in decisions)
        before = now
    assert braked
    assert np.count_nonzero(before < 12) > 3, "the turns change"
    (server.data.parent / "rules.json").write_text(json.dumps({"groups": []}))
    os.kill(server.server.pid, signal.SIGHUP)
    wait_until(lambda: not server.query("shop:rps"), "the rule is gone", 15)
    at = loop.cluster.desired.copy()
    for _ in range(3):
        decisions = loop.next_step()
    assert {verdict_of(d) for d in decisions} <= {DataVerdict.MISSING, DataVerdict.STALE}
    assert (loop.cluster.desired >= at).all(), "unknown is not zero"


QUERIES = [
    'sum(rate(http_requests_total{job="shop"}[1m]))',
    "sum(rate(http_requests_total[1m])",
    "sum by (job) (rate(x_total[1m])) / ignoring(job) group_left sum(up)",
    "sum(rate(x_total[1x]))",
    "rate(x_total)",
    "sum(x_total[5m])",
    'x_total{job=~"["}',
    "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))",
    "sum(x) offset 5m",
    "max_over_time(sum(rate(x_total[1m]))[10m:1m])",
    "sum(rate(x_total[1m])) > bool 3",
    "1 +",
    "{}",
    "sum(rate(x_total[1m])) @ end()",
    "absent(up{job='x'}) or vector(0)",
    "clamp_max(sum(rate(x_total[1m])), 3, 4)",
    "unknown_function(x)",
]


def test_P03_what_lint_calls_no_promql_is_what_prometheus_refuses(prometheus, tmp_path):
    server = prometheus()
    wrong = []
    for query in QUERIES:
        demand = [{"name": "load", "source": "prod", "query": query, "capacity": {"perReplica": "10"}}]
        path = tmp_path / "fleet.yaml"
        path.write_text("---\n".join((SOURCE, autoscaler("w", "shop", {}, demands=demand))))
        found = [f for f in lint([path], datetime(2026, 6, 1, tzinfo=UTC)) if "not PromQL" in f.message]
        answer = server.get(f"/api/v1/parse_query?query={quote(query)}")
        if bool(found) != (answer.status == 400):
            wrong.append((query, [f.message for f in found], answer.status, answer.body[:200]))
    assert wrong == []


@pytest.mark.slow
def test_P06_a_risky_edit_is_told_with_its_effect_on_what_prometheus_recorded(prometheus, tmp_path, capsys):
    end = int(time.time()) // MINUTE * MINUTE
    times = range(end - DAY, end, MINUTE)
    server = prometheus({series("load_rps"): (times, [150.0 + 100.0 * np.sin(t / 9000) for t in times])})
    demand = [{"name": "load", "source": "prod", "query": "sum(load_rps)", "capacity": {"perReplica": "10"}}]
    fleet = tmp_path / "fleet.yaml"
    source = SOURCE.replace("http://localhost:9", server.url)
    fleet.write_text("---\n".join((source, autoscaler("w", "shop", {}, demands=demand))))
    sides = []
    for name, most in (("old", 60), ("new", 6)):
        sides.append(tmp_path / f"{name}.yaml")
        sides[-1].write_text(policy(limits=f"{{replicas: {{max: {most}}}}}"))
    words = Simulated(since="20h")
    with pytest.raises(SystemExit) as left:
        run_diff((sides[0], sides[1]), (fleet,), None, words, fail_on="risky", output="json")
    assert left.value.code == 1
    told = json.loads(capsys.readouterr().out)
    (change,) = told["changes"]
    assert (change["field"], change["risky"]) == ("max", "10 times")
    before, after = told["effect"]["before"], told["effect"]["after"]
    assert (before["most"] > 6, after["most"]) == (True, 6)
    assert after["replica_hours"] < before["replica_hours"]
    assert after["short_minutes"] > before["short_minutes"]
