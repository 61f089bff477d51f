"""Rows M01 and M03–M15 of the fault catalogue: the whole tick on a real Prometheus, with the twin of the cluster.

Every workload runs 12 replicas of 10 units each, and nothing but the quality of its data keeps it from shrinking.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from tests.real.exporter import Exporter, Mode
from tests.real.faultproxy import BLACK_HOLE, PASS, rewrite
from tests.real.history import series
from tests.real.prometheus import Prometheus, Settings
from tests.real.servers import wait_until
from tests.real.ticking import MINUTE, Loop, Traffic, gauge, holds, readers, verdict_of


@pytest.fixture
def now_s() -> int:
    """The newest whole minute: history that ends there is as fresh as can be."""
    return int(time.time()) // MINUTE * MINUTE


@pytest.fixture
def reader_of() -> Iterator[Callable[..., PrometheusReader]]:
    with readers() as make:
        yield make


def test_M01_refused_connections_hold_for_as_long_as_they_last(prometheus, reader_of, now_s):
    server = prometheus(gauge(now_s, 120.0))
    reader = reader_of(server.url)
    loop = Loop(reader, ["sum(load_rps)"])
    assert loop.one(now_s).granted == 12
    server.stop()
    for minute in range(1, 16):
        note = holds(loop.one(now_s + minute * MINUTE), DataVerdict.UNREACHABLE)
        assert "connection refused" in note
    health = reader.health
    assert not health.reachable
    assert health.failures[DataVerdict.UNREACHABLE] >= 15
    assert loop.cluster.desired[0] == 12


@pytest.mark.slow
def test_M02_a_hanging_source_ends_at_the_deadline(prometheus, fault_proxy, reader_of, now_s):
    server = prometheus(gauge(now_s, 120.0))
    proxy = fault_proxy(server.url)
    loop = Loop(reader_of(proxy.url, timeout_s=0.4), [f"sum(load_rps) + 0 * {i}" for i in range(40)])
    loop.tick(now_s)
    proxy.set(BLACK_HOLE)
    for minute in (1, 2):
        began = time.monotonic()
        decisions = loop.tick(now_s + minute * MINUTE)
        assert time.monotonic() - began < 8, "forty queries cost one deadline, not forty"
        for decision in decisions:
            assert "no answer within 0.4 s" in holds(decision, DataVerdict.UNREACHABLE)


@pytest.mark.slow
def test_M03_empty_result_holds(prometheus, exporter, reader_of):
    exporter.set("load_rps", 120.0)
    server = prometheus(scrape=[exporter.target], scrape_interval="200ms")
    loop = Loop(reader_of(server.url), ["sum(load_rps)"], step_s=1)
    loop.until(lambda d: verdict_of(d) == DataVerdict.OK, "the first value")
    exporter.mode = Mode.FAIL
    seen = loop.until(lambda d: verdict_of(d) == DataVerdict.MISSING and bool(d.demands[0].note), "the target is lost")
    assert [d.granted for d in seen] == [12] * len(seen)
    assert "metric load_rps has no series now" in holds(seen[-1], DataVerdict.MISSING)
    exporter.mode = Mode.OK
    exporter.set("load_rps", 20.0)
    seen = loop.until(lambda d: verdict_of(d) == DataVerdict.OK, "it is back")
    assert [d.granted for d in seen] == [12] * (len(seen) - 1) + [2], "only a clean value removes replicas"


@pytest.mark.parametrize(
    ("query", "verdict"),
    [
        ("0 * sum(load_rps) / 0", DataVerdict.NOT_FINITE),
        ("sum(load_rps) / 0", DataVerdict.NOT_FINITE),
        ("-1 * sum(load_rps) / 0", DataVerdict.NOT_FINITE),
        ("-1 * sum(load_rps)", DataVerdict.NEGATIVE),
    ],
    ids=["M04-nan", "M05-inf", "M05-minus-inf", "M05-negative"],
)
def test_M04_M05_what_is_no_demand_holds(prometheus, reader_of, now_s, query, verdict):
    server = prometheus(gauge(now_s, 30.0))
    holds(Loop(reader_of(server.url), [query]).one(now_s), verdict)


def test_M06_huge_value_saturates_at_max(prometheus, reader_of, now_s):
    server = prometheus(gauge(now_s, 2.2e8))
    queries = ["sum(load_rps) * 100", "sum(load_rps) * 1e299", "sum(load_rps) * 1e11"]
    for decision in Loop(reader_of(server.url), queries).tick(now_s):
        assert verdict_of(decision) == DataVerdict.OK
        assert decision.granted == 100


def test_M07_several_series_are_refused_with_their_labels(prometheus, reader_of, now_s):
    history = gauge(now_s, 5.0) | gauge(now_s, 6.0, instance="b:80") | gauge(now_s, 1.0, job="mail", instance="c:80")
    server = prometheus(history)
    join = "load_rps * on(job) load_rps"
    several, refused, whole = Loop(reader_of(server.url), ["load_rps", join, "sum(load_rps)"]).tick(now_s)
    note = holds(several, DataVerdict.SEVERAL_SERIES)
    assert note.startswith("3 series: {")
    assert 'instance="b:80"' in note
    assert "found duplicate series for the match group" in holds(refused, DataVerdict.BAD_QUERY)
    assert whole.granted == 2, "a failing query costs its own workload only"


def test_M08_wrong_types_are_named(prometheus, reader_of, now_s):
    server = prometheus(gauge(now_s, 5.0))
    loop = Loop(reader_of(server.url), ["load_rps[5m]", '"twelve"', "sum(load_rps[5m:1m])", "sum(rate(load_rps))"])
    window, text, subquery, wrong = loop.tick(now_s)
    assert "range vector" in holds(window, DataVerdict.WRONG_TYPE)
    assert '"string"' in holds(text, DataVerdict.WRONG_TYPE)
    assert "expected type instant vector" in holds(subquery, DataVerdict.BAD_QUERY)
    assert "expected type range vector" in holds(wrong, DataVerdict.BAD_QUERY)


@pytest.mark.slow
def test_M08_native_histograms_are_no_number(tmp_path, reader_of):
    with HistogramExporter() as target, two_jobs(tmp_path, target, convert_classic_histograms_to_nhcb=True) as server:
        wait_until(lambda: server.query("latency_seconds"), "a scrape", 15)
        loop = Loop(reader_of(server.url), ["sum(latency_seconds)"], step_s=1)
        [seen] = loop.until(lambda d: verdict_of(d) == DataVerdict.WRONG_TYPE, "the histogram")[-1:]
        assert "native histograms" in holds(seen, DataVerdict.WRONG_TYPE)


@pytest.mark.parametrize(("load", "granted"), [(30.0, 12), (200.0, 20)], ids=["never-shrinks", "may-grow"])
def test_M09_a_partial_answer_is_a_lower_bound(prometheus, fault_proxy, reader_of, now_s, load, granted):
    server = prometheus(gauge(now_s, load))
    proxy = fault_proxy(server.url)
    warned = b'{"status":"success","warnings":["No StoreAPIs matched: store eu-2 is down"],'
    proxy.set(rewrite(lambda body: body.replace(b'{"status":"success",', warned)))
    loop = Loop(reader_of(proxy.url), ["sum(load_rps)"])
    decision = loop.one(now_s)
    assert "store eu-2 is down" in holds(decision, DataVerdict.PARTIAL, Reason.LOWER_BOUND, granted)
    proxy.set(PASS)
    loop.pipeline.history = type(loop.pipeline.history)(60, 30)
    assert loop.one(now_s).granted == load / 10


def test_M10_old_samples_within_the_lookback_hold(prometheus, reader_of, now_s):
    last_s = now_s - 10 * MINUTE
    server = prometheus(gauge(last_s, 30.0))
    loop = Loop(reader_of(server.url), ["sum(load_rps)"], step_s=15, keep_steps=120)
    found = []
    for k in range(25):
        loop.back_to_twelve()
        decision = loop.one(last_s + 15 * k)
        found.append((15 * k, verdict_of(decision), decision.granted))
    assert all(v == DataVerdict.OK and granted == 3 for age, v, granted in found if age <= 120)
    assert all(v == DataVerdict.STALE and granted == 12 for age, v, granted in found if 120 < age < 300)
    assert all(v == DataVerdict.MISSING and granted == 12 for age, v, granted in found if age > 300)
    assert any(age > 300 for age, *_ in found)


@pytest.mark.slow
def test_M10_a_rate_over_a_long_window_does_not_hide_a_dead_exporter(prometheus, reader_of, now_s):
    times = [now_s - 4 * MINUTE - k * 15 for k in range(400, -1, -1)]
    server = prometheus({series("hits_total", instance="a"): (times, [30.0 * 15 * k for k in range(401)])})
    decision = Loop(reader_of(server.url), ["sum(rate(hits_total[30m]))"]).one(now_s)
    note = holds(decision, DataVerdict.STALE)
    assert "240 s old" in note


@pytest.mark.slow
def test_M11_no_shrinking_until_a_full_window_after_a_restart(prometheus, exporter, reader_of):
    with Traffic("hits_total", 120.0, exporter):
        server = prometheus(scrape=[exporter.target], scrape_interval="200ms")
        loop = Loop(reader_of(server.url), ["sum(rate(hits_total[6s]))"], step_s=1, keep_steps=120)
        steady = loop.until(lambda d: verdict_of(d) == DataVerdict.OK and d.granted >= 11, "steady load", 40)
        assert min(d.granted for d in steady) >= 11
        loop.next_step()
        killed_s = time.time()
        server.kill()
        away = [loop.next_step()[0] for _ in range(3)]
        assert {verdict_of(d) for d in away} == {DataVerdict.UNREACHABLE}
        server.start()
        back_s = time.time()
        seen = loop.until(lambda d: verdict_of(d) == DataVerdict.OK, "recovered", 40)
    verdicts = [verdict_of(d) for d in seen]
    assert DataVerdict.RECOVERING in verdicts
    assert set(verdicts[:-1]) <= {DataVerdict.RECOVERING, DataVerdict.MISSING, DataVerdict.STALE}
    assert seen[-1].at.timestamp() >= back_s + 6, "a full window has passed"
    assert min(d.granted for d in away + seen) >= 11, "nothing shrinks from the kill to the end"
    recovering = next(d for d in seen if verdict_of(d) == DataVerdict.RECOVERING)
    assert Reason.LOWER_BOUND in recovering.reasons
    assert seen[-1].at.timestamp() > killed_s


@pytest.mark.slow
def test_M11_a_restart_between_two_ticks_is_seen(prometheus, exporter, reader_of):
    with Traffic("hits_total", 120.0, exporter):
        server = prometheus(scrape=[exporter.target], scrape_interval="200ms")
        reader = reader_of(server.url)
        loop = Loop(reader, ["sum(rate(hits_total[30s]))"], step_s=1, keep_steps=120)
        loop.until(lambda d: d.demands[0].observed is not None, "first rates", 20)
        reader._recovery._rows.clear()  # as if it had been well for long
        server.kill()
        server.start()
        loop.next_step()
        assert holds(loop.next_step()[0], DataVerdict.RECOVERING, Reason.LOWER_BOUND, at=12)


@pytest.mark.slow
def test_M12_a_broken_write_ahead_log_costs_its_samples_only(prometheus, exporter, reader_of, now_s):
    exporter.set("load_rps", 120.0)
    server = prometheus(
        gauge(now_s - 20 * MINUTE, 120.0, instance="old"), scrape=[exporter.target], scrape_interval="200ms"
    )
    wait_until(lambda: server.query('load_rps{job="live"}'), "a scrape")
    exporter.wait_scraped(10)
    server.kill()
    [segment] = sorted((server.data / "wal").glob("0*"))
    half = segment.stat().st_size // 2
    with segment.open("r+b") as wal:
        wal.truncate(half)
        wal.seek(half // 2)
        wal.write(b"\xff" * 64)
    server.start()
    loop = Loop(reader_of(server.url), ["sum(load_rps)"], keep_steps=120)
    decision = loop.one()
    assert decision.granted == 12
    known = loop.pipeline.history.panel().values[0]
    there = known[~np.isnan(known)]
    assert 20 < len(there) < 60, "what was in blocks is there, what was lost is missing and not zero"
    assert (there == 120.0).all()


@pytest.mark.slow
def test_M13_counter_resets_make_no_spike(prometheus, reader_of):
    with Exporter() as a, Exporter() as b, Exporter() as c, Exporter() as d, Traffic("hits_total", 120.0, a, b, c, d):
        server = prometheus(scrape=[e.target for e in (a, b, c, d)], scrape_interval="200ms")
        loop = Loop(reader_of(server.url), ["sum(rate(hits_total[5s]))"], step_s=1, keep_steps=120)
        loop.until(lambda x: verdict_of(x) == DataVerdict.OK, "a steady rate", 40)
        for exporter in (a, b):
            exporter.set("hits_total", 0.0)
        seen = [loop.next_step()[0] for _ in range(8)]
    assert all(verdict_of(x) == DataVerdict.OK for x in seen)
    assert max(x.demands[0].observed or 0 for x in seen) < 1.25 * 120
    assert max(x.granted for x in seen) <= 15


@pytest.mark.slow
def test_M14_the_same_target_under_two_jobs_is_not_summed(tmp_path, exporter, reader_of):
    exporter.set("load_rps", 30.0)
    with two_jobs(tmp_path, exporter.target) as server:
        # both are there in the newest whole step too: what is not doubled at first sight is looked at ten minutes later
        wait_until(lambda: len(server.query("load_rps", at=time.time() - 2)) == 2, "two scrapes", 15)
        queries = ["sum(load_rps)", 'sum(load_rps{job="live"})', "sum(max without (job) (load_rps))"]
        loop = Loop(reader_of(server.url), queries, step_s=1)
        loop.next_step()
        loop.next_step()
        doubled, one, merged = loop.next_step()
        note = holds(doubled, DataVerdict.DUPLICATED)
        assert "load_rps is there 2 times" in note
        assert 'job="live"' in note
        assert 'job="second"' in note
        assert one.demands[0].observed == merged.demands[0].observed == 30.0
        assert {verdict_of(one), verdict_of(merged)} <= {DataVerdict.OK, DataVerdict.RECOVERING}


@pytest.mark.slow
def test_M15_a_renamed_metric_and_a_dropped_label_are_named(prometheus, exporter, reader_of):
    exporter.set("http_requests_in_flight", 120.0, route="/buy")
    server = prometheus(scrape=[exporter.target], scrape_interval="200ms")
    queries = ["sum(http_requests_in_flight)", 'sum(http_requests_in_flight{route="/buy"})']
    loop = Loop(reader_of(server.url), queries, step_s=1)
    loop.until(lambda d: verdict_of(d) == DataVerdict.OK, "the first value")
    exporter.remove("http_requests_in_flight", route="/buy")
    exporter.set("http_requests_in_flight", 120.0)
    exporter.wait_scraped(2)
    _, dropped = loop.next_step()
    note = holds(dropped, DataVerdict.MISSING)
    assert 'nothing matches route="/buy": label route is gone' in note
    exporter.remove("http_requests_in_flight")
    exporter.set("http_server_requests_in_flight", 120.0)
    exporter.wait_scraped(2)
    renamed, _ = loop.next_step()
    note = holds(renamed, DataVerdict.MISSING)
    assert "metric http_requests_in_flight has no series now; http_server_requests_in_flight exists" in note


class two_jobs:  # noqa: N801 - read as a verb's object
    """A Prometheus that scrapes one target in two jobs, or in one with further settings."""

    def __init__(self, folder: Path, target: str, **scrape: Any) -> None:
        self.server = Prometheus(folder / "two", Settings(scrape=[target], scrape_interval="200ms"))
        file = folder / "two" / "prometheus.json"
        config = json.loads(file.read_text())
        [job] = config["scrape_configs"]
        if scrape:
            config["scrape_configs"] = [job | scrape]
        else:
            config["scrape_configs"].append(job | {"job_name": "second"})
        file.write_text(json.dumps(config))

    def __enter__(self) -> Prometheus:
        self.server.start()
        return self.server

    def __exit__(self, *_: object) -> None:
        self.server.stop()


class HistogramExporter:
    """A classic histogram with its type, as a client library writes it."""

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Histogram)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        return f"127.0.0.1:{self.server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


class _Histogram(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        buckets = "".join(f'latency_seconds_bucket{{le="{le}"}} 5\n' for le in ("0.1", "1", "+Inf"))
        body = f"# TYPE latency_seconds histogram\n{buckets}latency_seconds_sum 1\nlatency_seconds_count 5\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Scrapes are not narrated."""
