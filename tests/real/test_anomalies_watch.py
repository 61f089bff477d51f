"""`foresail anomalies watch` on a real Prometheus with a week of history: no workload, no cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.real.history import History, series
from tests.real.servers import free_port, wait_until
from tests.real.web import fetch
from tests.unit.cli.conftest import foresail

__all__ = ["foresail"]

STEP_S, DAYS = 300, 8
STORM = 8
"""Steps of errors at the end."""


def recorded(end_s: int) -> History:
    """Counters of a service whose newest forty minutes are full of errors."""
    rng = np.random.default_rng(4)
    count = DAYS * 86_400 // STEP_S
    times = end_s - STEP_S * np.arange(count - 1, -1, -1)
    good = (60 + 40 * np.sin(times * 2 * np.pi / 86_400)) * rng.lognormal(0, 0.04, count)
    bad = np.abs(rng.normal(0.5, 0.1, count))
    bad[-STORM:] = 30 + rng.normal(0, 1, STORM)
    each = {"200": good, "503": bad}
    return {
        series("http_requests_total", app="checkout", code=code): (times.tolist(), np.cumsum(v * STEP_S).tolist())
        for code, v in each.items()
    }


@pytest.fixture
def end_s() -> int:
    return int(time.time()) // STEP_S * STEP_S


def test_errors_of_now_are_an_open_incident_that_list_show_and_a_later_watch_know(
    prometheus, foresail, end_s, tmp_path
):
    server, store = prometheus(recorded(end_s)), str(tmp_path / "watch.db")
    queries = tmp_path / "groups.yaml"
    queries.write_text("""groups:
- name: checkout
  metrics:
  - {name: requests, query: 'sum(rate(http_requests_total{app="checkout"}[20m]))', kind: demand}
  - {name: failed, query: 'sum(rate(http_requests_total{app="checkout",code=~"5.."}[20m]))', kind: errors}
- name: nobody
  metrics:
  - {name: queue, query: 'sum(no_such_metric)'}
  - {name: slip, query: 'sum('}
""")
    at = f"{np.datetime_as_string(np.datetime64(end_s, 's'))}Z"
    watch = (
        "anomalies",
        "watch",
        "--prometheus",
        server.url,
        "--step",
        "5m",
        "--since",
        "8d",
        "--store",
        store,
        "--once",
    )
    said = foresail(*watch, "--queries", str(queries), "--at", at, "-o", "json")
    assert said.code == 0, said.err
    (now,) = [one for one in json.loads(said.out)["incidents"] if one["state"] == "Open"]
    assert (now["cause"], now["workloads"], now["bindsScaling"]) == ("LatencyErrors", ["watch/checkout"], False)
    assert {one["metric"] for one in now["evidence"]} >= {"failed"}

    listed = foresail("anomalies", "list", "--open", "--store", store, "-o", "json")
    assert listed.code == 1
    assert [one["id"] for one in json.loads(listed.out)["incidents"]] == [now["id"]]
    picture = tmp_path / "incident.png"
    shown = foresail("anomalies", "show", now["id"], "--store", store, "--out", str(picture))
    assert shown.code == 0, shown.err
    assert "failed" in shown.out
    assert picture.read_bytes()[:4] == b"\x89PNG"

    good = """sum(rate(http_requests_total{code="200"}[20m]))"""
    queries.write_text(f"groups: [{{name: checkout, metrics: [{{name: requests, query: '{good}'}}]}}]")
    again = foresail(*watch, "--queries", str(queries))
    assert again.code == 0, again.err
    left = foresail("anomalies", "list", "--open", "--store", store, "-o", "json")
    assert now["id"] not in left.out, "what history no longer shows does not stay open for ever"


def test_queries_that_never_answer_are_refused_with_the_reason(prometheus, foresail, end_s):
    server = prometheus(recorded(end_s))
    asked = ("anomalies", "watch", "--prometheus", server.url, "--step", "5m", "--since", "1d", "--once")
    said = foresail(*asked, "--query", "a=sum(", "--query", "b=nope")
    assert said.code == 2
    assert "a: " in said.err
    assert "parse error" in said.err
    assert "b: " in said.err
    assert "nope has no series" in said.err


def test_a_source_that_dies_is_told_by_healthz_and_the_watch_goes_on(prometheus, end_s):
    server, port = prometheus(recorded(end_s)), free_port()
    watch = (sys.executable, "-m", "autoscaler", "anomalies", "watch", "--prometheus", server.url, "--step", "2s")
    more = ("--since", "2h", "--query", "a=sum(http_requests_total)", "--listen", f"127.0.0.1:{port}")
    running = subprocess.Popen((*watch, *more), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def healthy() -> bool | None:
        try:
            return bool(fetch(f"http://127.0.0.1:{port}/healthz", timeout_s=2.0).json()["ok"])
        except OSError:
            return None

    try:
        wait_until(lambda: healthy() is True, "the watch looks", within_s=60)
        server.kill()
        wait_until(lambda: healthy() is False, "the dead source is told", within_s=60)
        server.start()
        wait_until(lambda: healthy() is True, "the source answers again", within_s=60)
        os.kill(server.server.pid, signal.SIGSTOP)  # it accepts, and never answers
        began = time.monotonic()
        wait_until(lambda: healthy() is False, "the frozen source is told", within_s=60)
        assert time.monotonic() - began < 10, "a step waits for half of itself"
        os.kill(server.server.pid, signal.SIGCONT)
        wait_until(lambda: healthy() is True, "the thawed source answers", within_s=60)
    finally:
        running.terminate()
        said = running.communicate(timeout=20)[1]
    assert running.returncode == 0, said
    assert said.count("source_silent") == 2
