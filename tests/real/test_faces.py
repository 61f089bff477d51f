"""The command on a real Prometheus, as a user calls it: doctor, once at past instants, run through a kill -9, get."""

import json
import math
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.real.history import History, series
from tests.real.prometheus import Prometheus
from tests.real.servers import free_port
from tests.real.web import fetch

pytestmark = pytest.mark.slow
COMMAND = (sys.executable, "-m", "autoscaler")
GOOD = 'sum(rate(http_requests_total{job="api"}[5m]))'
DAYS = 3


def ten_times(when_s: float) -> float:
    return 100 * (1 + 0.3 * math.sin(2 * math.pi * (when_s % 86400) / 86400))


def two_pods(end_s: int) -> History:
    """Counters of two pods, each minute, up to two hours after end_s, so that the present has samples."""
    times = [end_s + 7200 - 60.0 * k for k in range(DAYS * 1440)][::-1]
    found: dict[Any, Any] = {}
    for pod in "ab":
        total, values = 0.0, []
        for at in times:
            total += 60 * ten_times(at)
            values.append(total)
        found[series("http_requests_total", job="api", pod=pod, instance=f"{pod}:80")] = (times, values)
    found[series("queue_depth", job="api", instance="a:80")] = (times, [float(k % 7) for k in range(len(times))])
    return found


def source(name: str, url: str, more: str = "") -> str:
    return (
        f"apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {{name: {name}}}\n"
        f"spec: {{prometheus: {{url: '{url}', staleAfter: 3m{more}}}}}\n"
    )


def workload(name: str, query: str, source: str = "prod") -> str:
    return (
        f"apiVersion: foresail.dev/v1alpha1\nkind: PredictiveAutoscaler\nmetadata: {{name: {name}, namespace: shop}}\n"
        "spec:\n  mode: Act\n  actuation: Scale\n  acknowledge: [NoReactiveBackup]\n"
        f"  target: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}\n"
        f"  demands: [{{name: requests, source: {source}, query: '{query}', capacity: {{perReplica: 10}}}}]\n"
        "  replicas: {min: 2, max: 60}\n  lead: {ready: 2m}\n"
    )


def foresail(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *args], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def history() -> History:
    return two_pods(int(time.time()) // 60 * 60)


def test_the_doctor_finds_what_is_wrong_and_leaves_what_is_right(tmp_path, prometheus, history):
    server: Prometheus = prometheus(history=history)
    wrong = {
        "per-pod": 'rate(http_requests_total{job="api"}[5m])',
        "average": "avg(rate(http_requests_total[5m]))",
        "queue": "sum(queue_depth)",
        "misspelt": "sum(rate(http_request_total[5m]))",
        "no-such-job": 'sum(rate(http_requests_total{job="apu"}[5m]))',
        "too-short": "sum(rate(http_requests_total[1m]))",
        "broken": "sum(",
        "counter": "sum(http_requests_total)",
    }
    documents = [source("prod", server.url), workload("good", GOOD), *(workload(n, q) for n, q in wrong.items())]
    (tmp_path / "fleet.yaml").write_text("---\n".join(documents))
    said = foresail(tmp_path, "doctor", "fleet.yaml", "-o", "json")
    assert (said.returncode, said.stderr) == (1, "")
    found: dict[str, list[Any]] = {}
    for finding in json.loads(said.stdout)["findings"]:
        found.setdefault(finding["subject"].split()[0].removeprefix("shop/"), []).append(finding)
    bad = {name: " ".join(f["words"] for f in each if f["level"] != "ok") for name, each in found.items()}
    assert bad["source"] == ""
    assert re.fullmatch(r"(?!.*(fail|NaN)).*the day's season can serve; the week's from .*", bad.pop("good"))
    expected = {
        "per-pod": "fall when we add pods", "average": "the demand of one pod", "queue": "looks like a queue",
        "misspelt": "no series of http_request_total now", "no-such-job": 'job="apu" excludes all',
        "too-short": "a window of 60 s holds fewer than two", "broken": "parse error", "counter": "only ever rises",
    }  # fmt: skip
    assert {name: words in bad[name] for name, words in expected.items()} == dict.fromkeys(expected, True), bad


def test_the_doctor_exits_with_3_where_a_backend_is_away(tmp_path):
    text = [source("prod", f"http://127.0.0.1:{free_port()}"), workload("good", GOOD)]
    (tmp_path / "fleet.yaml").write_text("---\n".join(text))
    said = foresail(tmp_path, "doctor", "fleet.yaml")
    assert said.returncode == 3
    assert "connection refused" in said.stdout


def test_once_at_a_past_moment_knows_what_was_known_then(tmp_path, prometheus, history):
    server: Prometheus = prometheus(history=history)
    (tmp_path / "fleet.yaml").write_text("---\n".join([source("prod", server.url), workload("good", GOOD)]))
    when = int(time.time()) // 60 * 60 - 86400
    at = datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = foresail(tmp_path, "once", "fleet.yaml", "--at", at, "-o", "json")
    assert said.returncode == 0, said.stderr
    (found,) = json.loads(said.stdout)["decisions"]
    assert found["demands"][0]["observed"] == pytest.approx(2 * ten_times(when - 150), rel=0.01)
    assert found["demands"][0]["verdict"] == "OK"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """`foresail run` with one-second ticks; the URL of its pages. Ended by SIGTERM."""
    running: list[subprocess.Popen[bytes]] = []

    def start() -> str:
        listen = f"127.0.0.1:{free_port()}"
        command = [*COMMAND, "run", "fleet.yaml", "--tick", "1s", "--step", "10s", "--listen", listen]
        with (tmp_path / "run.log").open("ab") as log:
            running.append(subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log))
        return f"http://{listen}"

    yield start
    for each in running:
        each.send_signal(signal.SIGTERM)
        assert each.wait(20) == 0


def until(true: Callable[[], object], seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if true():
                return
        except OSError:
            pass
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)


def metric(url: str, name: str) -> float | None:
    lines = fetch(f"{url}/metrics", timeout_s=5.0).body.decode().splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name)), None)


def test_M01_run_holds_while_prometheus_is_killed_and_says_so_once(tmp_path, prometheus, history, service):
    server: Prometheus = prometheus(history=history)
    (tmp_path / "fleet.yaml").write_text("---\n".join([source("prod", server.url), workload("good", GOOD)]))
    url = service()
    until(lambda: (metric(url, "foresail_granted_replicas") or 0) >= 8)
    granted = metric(url, "foresail_granted_replicas")
    server.kill()
    until(lambda: metric(url, "foresail_source_up") == 0 and metric(url, "foresail_held") == 1)
    assert metric(url, "foresail_granted_replicas") == granted
    # The source is known to be down before the tick that judges it is kept: the table follows the tick.
    until(lambda: "unreachable" in foresail(tmp_path, "get", "good").stdout)
    assert "Holding" in foresail(tmp_path, "get", "good").stdout
    server.start()
    until(lambda: metric(url, "foresail_source_up") == 1 and "RECOVERING" in (tmp_path / "run.log").read_text())
    assert (metric(url, "foresail_granted_replicas") or 0) >= (granted or 0)
    log = (tmp_path / "run.log").read_text()
    assert f"source name=prod prometheus {server.url}" in log
    assert log.count("verdict=UNREACHABLE") == 1
