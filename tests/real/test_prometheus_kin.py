"""The same reader on a real VictoriaMetrics, which speaks the same API in its own words.

Newer releases than the pinned one need Go 1.27.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.domain.series import DataVerdict
from tests.real.history import escaped, series
from tests.real.parts import require_part
from tests.real.servers import Server, free_port, wait_until
from tests.real.ticking import MINUTE, Gauges, Loop, gauge, holds, readers, verdict_of
from tests.real.web import fetch


@pytest.fixture
def reader_of() -> Iterator[Callable[..., PrometheusReader]]:
    with readers() as make:
        yield make


@pytest.fixture
def victoria(tmp_path: Path) -> Iterator[Callable[[Gauges], str]]:
    """`victoria(history)`: its URL, with the history in it and at most 50 series in a query."""
    binary = str(require_part("victoria-metrics"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    flags = ["-retentionPeriod=10y", "-search.latencyOffset=0s", "-search.maxUniqueTimeseries=50"]
    command = [binary, f"-storageDataPath={tmp_path / 'data'}", f"-httpListenAddr=127.0.0.1:{port}", *flags]
    server = Server("victoria-metrics", command, tmp_path / "victoria.log")
    server.start(lambda: fetch(f"{url}/health", timeout_s=1.0).status == 200)

    def load(history: Gauges) -> str:
        lines = [
            f"{escaped(key)} {value} {at * 1000}"
            for key, (times, values) in history.items()
            for at, value in zip(times, values, strict=True)
        ]
        fetch(f"{url}/api/v1/import/prometheus", method="POST", body="\n".join(lines).encode())
        fetch(f"{url}/internal/force_flush")
        wait_until(lambda: b'"__name__"' in fetch(f"{url}/api/v1/series?match[]=load_rps").body, "the import")
        return url

    yield load
    server.stop()


def test_a_victoria_metrics_answers_the_same(victoria, reader_of):
    now_s = int(time.time()) // MINUTE * MINUTE
    history = gauge(now_s, 60.0) | gauge(now_s, 50.0, instance="b:80")
    history |= {series("many", i=str(k)): ([now_s], [1.0]) for k in range(100)}
    history |= {series("twice", job=job, instance="a"): ([now_s - 30, now_s], [1.0, 1.0]) for job in ("x", "y")}
    queries = {
        "sum(load_rps)": DataVerdict.OK,
        "load_rps": DataVerdict.SEVERAL_SERIES,
        "sum(lod_rps)": DataVerdict.MISSING,
        "sum(load_rps{job='mail'})": DataVerdict.MISSING,
        "sum(twice)": DataVerdict.DUPLICATED,
        "sum(many)": DataVerdict.TOO_HEAVY,
        "sum(": DataVerdict.BAD_QUERY,
        "load_rps * on(job) load_rps": DataVerdict.BAD_QUERY,
        "0/0": DataVerdict.MISSING,  # it leaves out what is no number
    }
    decisions = Loop(reader_of(victoria(history)), list(queries)).tick(now_s)
    assert {q: verdict_of(d) for q, d in zip(queries, decisions, strict=True)} == queries
    assert decisions[0].granted == 11
    notes = [holds(d, verdict) for d, verdict in zip(decisions[1:], list(queries.values())[1:], strict=True)]
    assert notes[1] == "metric lod_rps has no series now; load_rps exists"
    assert "nothing matches job=\"mail\"; job is now 'shop'" in notes[2]
    assert "twice is there 2 times" in notes[3]
