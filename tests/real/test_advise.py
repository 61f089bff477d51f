"""`foresail advise` on real servers, as a new user would run it: all sorts of workloads, judged or told why not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.domain.workload import Actuation, Mode
from autoscaler.spec.reader import load
from tests.real.estate import KUBELET, MINUTE, Hpa, Load, estate, sized, wave
from tests.real.history import escaped, series
from tests.real.parts import require_part
from tests.real.prometheus import Prometheus, Settings
from tests.real.servers import Server, free_port, wait_until
from tests.real.web import fetch

DAYS, FEW = 14, 6
COARSE = "--step", "300s", "--lead", "10m"
"""Where a test is not about the simulation itself: a fifth of its time."""
OPEN_SESAME = "$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW"  # bcrypt of "open sesame"


def loads() -> list[Load]:
    busy, cores = wave(DAYS, 100, seed=1, burst=2.2), wave(DAYS, 2.0, seed=2)
    db, maxed = wave(FEW, 1.5, seed=3), wave(FEW, 3.0, seed=4)
    steps, few = FEW * 1440, cores[-FEW * 1440 :]
    return [
        # 0.03 cores a request and 0.02 idle: one core does 32.7/s; the HPA keeps it at half of that
        Load("shop", "web", busy, sized(busy, 17.0, 2, 20, late=8), cores_each=0.03, hpa=Hpa(2, 20, value=50),
             rollouts=(3 * 1440 + 17, 9 * 1440 + 700), counter="http_requests_total"),
        Load("pay", "web", cores, sized(cores, 0.6, 2, 20), hpa=Hpa(2, 20, value=60)),
        Load("data", "db", db, sized(db, 0.5, 2, 12), kind="StatefulSet", hpa=Hpa(2, 12, value=50)),
        Load("shop", "cart", maxed, sized(maxed, 0.7, 2, 4), hpa=Hpa(2, 4)),
        Load("shop", "flat", np.full(steps, 1.0), np.full(steps, 2), hpa=Hpa(2, 8)),
        Load("shop", "young", busy[-2 * 1440 :] / 50, np.full(2 * 1440, 3), hpa=Hpa(2, 8)),
        Load("shop", "queued", few, np.full(steps, 3), hpa=Hpa(2, 8, "queue_length", "average", 30)),
        Load("shop", "fixed", few, np.full(steps, 5)),
        Load("shop", "single", db / 4, np.full(steps, 1)),
        Load("shop", "squeezed", db, np.full(steps, 3), hpa=Hpa(2, 8), throttled=0.6, limit_cores=1.0),
        Load("shop", "unasked", db, np.full(steps, 3), request_cores=None, hpa=Hpa(2, 8)),
    ]  # fmt: skip


def everything(end_s: int) -> dict[Any, Any]:
    """The loads, doubled by a second kube-state-metrics, and what else lives in a cluster."""
    found = estate(loads(), end_s, ksm_copies=2)
    at = (end_s - MINUTE * np.arange(DAYS * 1440 - 1, -1, -4)).tolist()
    ones = [1.0] * len(at)
    found[series("kube_daemonset_status_desired_number_scheduled", namespace="kube-system", daemonset="agent")] = (
        at,
        ones,
    )
    found[series("kube_cronjob_info", namespace="shop", cronjob="web-report", schedule="0 * * * *")] = at, ones
    found[series("kube_job_info", namespace="shop", job_name="web-report-1")] = at, ones
    # a stranger whose pod's name begins as the pods of shop/web do, and which burns far more
    stranger = {"namespace": "shop", "pod": "web-report-1-x7k2p"}
    found[series("kube_pod_owner", **stranger, owner_kind="Job", owner_name="web-report-1")] = at, ones
    burnt = (np.arange(len(at)) * 50.0 * 240).tolist()
    found[series("container_cpu_usage_seconds_total", **stranger, container="job", **KUBELET)] = at, burnt
    holes = np.arange(FEW * 1440) % 100 < 60
    broken = estate([Load("shop", "broken", wave(FEW, 2.0, seed=5), np.full(FEW * 1440, 3), hpa=Hpa(2, 8))], end_s)
    for key, (times, values) in broken.items():
        keep = holes[-len(times) :] if key[0].startswith("container_") else np.ones(len(times), dtype=np.bool_)
        found[key] = np.asarray(times)[keep].tolist(), np.asarray(values)[keep].tolist()
    return found


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def found(self) -> dict[str, Any]:
        assert self.code in {0, 1}, self.err
        told: dict[str, Any] = json.loads(self.out)
        return told


def advise(folder: Path, *args: object) -> Ran:
    command = [str(Path(sys.executable).with_name("foresail")), "advise", *map(str, args)]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=500)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def at(when_s: float) -> str:
    return datetime.fromtimestamp(when_s, UTC).isoformat()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[object, ...]]:
    """Options for a Prometheus with fourteen days of a whole cluster, as of their end."""
    server = Prometheus(tmp_path_factory.mktemp("cluster"), Settings())
    end_s = int(time.time()) // 300 * 300
    server.load(everything(end_s))
    server.start()
    yield "--prometheus", server.url, "--at", at(end_s)
    server.stop()


UNJUDGED = {
    "shop/broken": "gaps: 4",
    "shop/cart": "its replicas stood at the HPA's maximum (4)",
    "shop/flat": "flat",
    "shop/queued": "scales on queue_length",
    "shop/single": "1 replica and no HPA",
    "shop/squeezed": "its CPU was throttled 100%",
    "shop/unasked": "no capacity: its HPA aims at a share of the CPU request",
    "shop/young": "short history: 2.0 days",
}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_whole_cluster_is_judged_or_told_why_not(cluster, tmp_path):
    found = advise(tmp_path, *cluster, "--step", "300s", "--out", "advice", "-o", "json").found
    judged = {one["workload"]: one for one in found["judged"]}
    assert set(judged) == {"shop/web", "pay/web", "data/db", "shop/fixed"}
    assert {one["workload"]: one["reason"] for one in found["unjudged"]} == {
        name: next(u["reason"] for u in found["unjudged"] if u["workload"] == name and words in u["reason"])
        for name, words in UNJUDGED.items()
    }
    assert {(one["workload"], one["kind"]) for one in found["ignored"]} == {
        ("kube-system/agent", "DaemonSet"), ("shop/web-report", "CronJob"), ("shop/web-report-1", "Job"),
    }  # fmt: skip
    web = judged["shop/web"]
    assert (web["demand"]["basis"], web["demand"]["metric"]) == ("requests", "http_requests_total")
    # 0.03 cores a request beside 0.02 idle: its request of one core is used at 32.7 requests a second
    assert web["capacity"]["perReplica"] == pytest.approx((1 - 0.02) / 0.03, rel=0.05)
    assert web["confidence"] == "high"
    assert web["hpa"] == "cpu 50 %, 2–20"
    assert web["hpaTargetAdvised"] > 50
    assert web["keepsRisk"]
    assert web["saving"]["value"] > 0.1
    assert found["startWith"][0] == "shop/web"
    pages = sorted(path.name for path in (tmp_path / "advice").glob("*.html"))
    assert pages == sorted(f"{name.replace('/', '-')}.html" for name in found["startWith"])
    assert "shop/web" in (tmp_path / "advice" / "shop-web.html").read_text()
    assert judged["pay/web"]["demand"]["basis"] == "cpu"
    assert judged["pay/web"]["confidence"] == "medium"
    assert judged["data/db"]["kind"] == "StatefulSet"
    assert judged["shop/fixed"]["hpa"] is None
    for one in judged.values():  # of several ReplicaSets, two kube-state-metrics and a stranger with our prefix
        assert one["averageReplicas"]["now"] == pytest.approx(one["averageOnRecord"], rel=0.25)

    fleet = load([tmp_path / "advice" / "foresail.yaml"])
    loads = {str(w.ref): w for w in fleet.compile()}
    assert set(loads) == set(judged)
    assert {w.mode for w in loads.values()} == {Mode.ADVISE}
    assert loads["shop/fixed"].actuation is Actuation.SCALE
    assert loads["shop/web"].actuation is Actuation.HPA_FLOOR
    decided = run(tmp_path, "once", "advice/foresail.yaml", "--store", "d.db", "-o", "json")
    # its data has ended by now, or the server has just begun: held or not, each of its queries is asked and answered
    assert {d["workload"] for d in decided.found["decisions"]} == set(judged)
    assert "BAD_QUERY" not in decided.err
    assert "SEVERAL_SERIES" not in decided.err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_only_what_is_named_is_judged_and_the_table_says_it(cluster, tmp_path):
    ran = advise(tmp_path, *cluster, *COARSE, "--namespace", "data", "--days", "6")
    assert ran.code == 0, ran.err
    assert "1 of 1 workloads judged on 6.0 days" in ran.out
    assert "data/db" in ran.out
    assert "low: 6.0 days of history" in ran.out
    assert "shop/" not in ran.out


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_demands_of_a_file_are_judged_as_they_are_typed(cluster, tmp_path):
    (tmp_path / "queries.yaml").write_text(
        """
- name: queued
  namespace: shop
  query: sum(rate(container_cpu_usage_seconds_total{namespace="shop", pod=~"queued-.*", container="app"}[4m]))
  capacity: "1"
  hpa: {target: 70, min: 2, max: 8}
- {name: anything, query: 'sum(rate(container_cpu_usage_seconds_total{namespace="pay", container="app"}[4m]))'}
- {name: apart, query: 'rate(container_cpu_usage_seconds_total{namespace="pay", container="app"}[4m])', capacity: 1,
   hpa: {target: 70, max: 8}}
"""
    )
    found = advise(tmp_path, *cluster, *COARSE, "--days", "5", "--queries", "queries.yaml", "-o", "json").found
    assert found["ignored"] == []
    assert [one["workload"] for one in found["judged"]] == ["shop/queued"]
    assert found["judged"][0]["capacity"] == {"perReplica": 1.0, "from": "typed", "promised": True}
    assert found["judged"][0]["hpa"] == "70 %, 2–8"
    reasons = {one["workload"]: one["reason"] for one in found["unjudged"]}
    assert "no capacity" in reasons["default/anything"]
    assert "several series" in reasons["default/apart"]


def run(folder: Path, *args: object) -> Ran:
    command = [str(Path(sys.executable).with_name("foresail")), *map(str, args)]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=500)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def test_nobody_there_is_exit_3_with_a_way_out(tmp_path):
    ran = advise(tmp_path, "--prometheus", f"http://127.0.0.1:{free_port()}")
    assert (ran.code, ran.out) == (3, "")
    assert "check that the URL is right" in ran.err


def test_a_prometheus_without_a_cluster_is_a_finding_with_a_way_out(prometheus, tmp_path):
    ran = advise(tmp_path, "--prometheus", prometheus().url, "--out", "advice")
    assert ran.code == 1
    assert "no Deployment or StatefulSet in the series of kube-state-metrics" in ran.out
    assert "--queries" in ran.out
    assert not (tmp_path / "advice" / "foresail.yaml").exists()
    typed = advise(tmp_path, "--prometheus", prometheus().url, "--namespace", "shoop", "--match", "cluster=prod")
    assert "none under --namespace shoop --match cluster=prod; look at what was typed" in typed.out


def test_a_password_is_asked_for_by_name_and_taken_from_its_file(prometheus, tmp_path):
    server = prometheus(web_config={"basic_auth_users": {"reader": OPEN_SESAME}}, auth=("reader", "open sesame"))
    refused = advise(tmp_path, "--prometheus", server.url)
    assert (refused.code, refused.out) == (2, "")
    assert "401" in refused.err
    assert "--password-file" in refused.err
    (tmp_path / "password").write_text("open sesame\n")
    let_in = advise(tmp_path, "--prometheus", server.url, "--user", "reader", "--password-file", "password")
    assert let_in.code == 1, let_in.err
    assert "open sesame" not in let_in.out + let_in.err


def test_several_clusters_in_one_source_are_never_added_up(prometheus, tmp_path):
    end_s = int(time.time()) // MINUTE * MINUTE
    one = estate([Load("shop", "web", np.ones(60), np.full(60, 3))], end_s)
    both = {
        (name, tuple(sorted({**dict(labels), "cluster": cluster}.items()))): points
        for (name, labels), points in one.items()
        for cluster in ("east", "west")
    }
    server = prometheus(both)
    refused = advise(tmp_path, "--prometheus", server.url)
    assert refused.code == 2
    assert "holds several clusters (east, west); choose one with --match cluster=west" in refused.err
    chosen = advise(tmp_path, "--prometheus", server.url, "--match", "cluster=east", "-o", "json").found
    assert [u["workload"] for u in chosen["unjudged"]] == ["shop/web"]


@pytest.fixture
def victoria(tmp_path: Path) -> Iterator[Callable[[dict[Any, Any]], str]]:
    """`victoria(history)`: URL of a VictoriaMetrics that holds it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    flags = ["-retentionPeriod=10y", "-search.latencyOffset=0s", f"-httpListenAddr=127.0.0.1:{port}"]
    command = [str(require_part("victoria-metrics")), f"-storageDataPath={tmp_path / 'data'}", *flags]
    server = Server("victoria-metrics", command, tmp_path / "victoria.log")
    server.start(lambda: fetch(f"{url}/health", timeout_s=1.0).status == 200)

    def load(history: dict[Any, Any]) -> str:
        for key, (times, values) in history.items():
            lines = [f"{escaped(key)} {value} {int(at * 1000)}" for at, value in zip(times, values, strict=True)]
            fetch(f"{url}/api/v1/import/prometheus", method="POST", body="\n".join(lines).encode())
        fetch(f"{url}/internal/force_flush")
        wait_until(lambda: b"kube_pod_owner" in fetch(f"{url}/api/v1/label/__name__/values").body, "the import")
        return url

    yield load
    server.stop()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_victoria_metrics_gives_the_same_advice(victoria, prometheus, tmp_path):
    end_s = int(time.time()) // 300 * 300 - 300
    cores = wave(5, 2.0, seed=2)
    history = estate([Load("pay", "web", cores, sized(cores, 0.6, 2, 20), hpa=Hpa(2, 20, value=60))], end_s)
    urls = victoria(history), prometheus(history).url
    one, other = (
        advise(tmp_path, "--prometheus", u, "--at", at(end_s), *COARSE, "--days", "5", "-o", "json").found for u in urls
    )
    for found in (one, other):
        assert [j["workload"] for j in found["judged"]] == ["pay/web"]
    mine, theirs = one["judged"][0], other["judged"][0]
    assert mine["capacity"]["perReplica"] == pytest.approx(theirs["capacity"]["perReplica"], rel=0.05)
    assert mine["averageReplicas"]["now"] == pytest.approx(theirs["averageReplicas"]["now"], rel=0.05)
