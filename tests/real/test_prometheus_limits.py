"""Rows M17, M18 and M21–M23 of the fault catalogue: too much, too often, too early, too late, and holes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from autoscaler.adapters.prometheus.client import PrometheusClient
from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from tests.real.faultproxy import PASS, status
from tests.real.history import series
from tests.real.ticking import MINUTE, Loop, demand, gauge, holds, readers, verdict_of

HOUR = 60 * MINUTE


@pytest.fixture
def now_s() -> int:
    """The newest whole minute: history that ends there is as fresh as can be."""
    return int(time.time()) // MINUTE * MINUTE


@pytest.fixture
def reader_of() -> Iterator[Callable[..., PrometheusReader]]:
    with readers() as make:
        yield make


class Hand:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def __call__(self) -> float:
        return self.at_s


def test_M17_wide_reads_are_cut_below_the_limit_of_points(prometheus, fault_proxy, reader_of, now_s):
    server = prometheus(gauge(now_s, 120.0, minutes=300))
    proxy = fault_proxy(server.url)
    step = now_s // 15
    batch = reader_of(proxy.url).load([demand("sum(load_rps)")], step - 25_000, step, 15)
    pieces = (step - 1) // 10_000 - (step - 25_000) // 10_000 + 1  # they end on multiples of 10,000: three or four
    assert [path for _, path in proxy.requests].count("/api/v1/query_range") == pieces + 1 + 1  # and copies, age
    assert batch.end_step == step
    assert (batch.values[0, -300 * 4 + 4 :] == 120.0).all()
    assert np.isnan(batch.values[0, : 25_000 - 300 * 4 - 4]).all()


def test_M17_a_request_with_too_many_samples_is_cut_once(prometheus, fault_proxy, reader_of, now_s):
    server = prometheus(gauge(now_s, 120.0, minutes=2000, every_s=60), flags=["--query.max-samples=1000"])
    proxy = fault_proxy(server.url)
    step = now_s // MINUTE
    batch = reader_of(proxy.url).load([demand("sum(load_rps)")], step - 1900, step, MINUTE)
    assert (batch.values == 120.0).all()
    assert len(proxy.requests) < 12


def test_M17_a_query_that_stays_too_heavy_rests(prometheus, fault_proxy, now_s):
    server = prometheus(gauge(now_s, 120.0, minutes=2000, every_s=60), flags=["--query.max-samples=1000"])
    proxy = fault_proxy(server.url)
    hand = Hand()
    settings = PrometheusSettings("prom", proxy.url)
    reader = PrometheusReader(settings, PrometheusClient(settings, clock=time.monotonic), clock=hand)
    loop = Loop(reader, ["sum(count_over_time(load_rps[1500m]))", "sum(load_rps)"])
    heavy, light = loop.tick(now_s)
    assert "too many samples" in holds(heavy, DataVerdict.TOO_HEAVY)
    assert light.granted == 12
    assert verdict_of(light) == DataVerdict.OK
    asked = len(proxy.requests)
    for minute in range(1, 6):
        heavy, _ = loop.tick(now_s + minute * MINUTE)
        holds(heavy, DataVerdict.TOO_HEAVY)
    assert not any("count_over_time" in path for _, path in proxy.requests[asked:])
    assert reader.health.failures[DataVerdict.TOO_HEAVY] == 3, "with others, alone, in a smaller piece, then left alone"
    hand.at_s += 31
    loop.tick(now_s + 6 * MINUTE)
    assert 4 <= reader.health.failures[DataVerdict.TOO_HEAVY] <= 5
    reader.close()


def test_M17_a_query_that_takes_too_long_is_ended_by_the_server(prometheus, reader_of, now_s):
    times = list(range(now_s - 6 * HOUR, now_s, 60))
    server = prometheus({series("load_rps", instance=f"i{k}"): (times, [1.0] * len(times)) for k in range(50)})
    nested = "max_over_time(sum(sum_over_time(load_rps[30m:1s]))[5h:1s])"
    reader = reader_of(server.url, timeout_s=2.0)  # the server ends it a little sooner than we would
    began = time.monotonic()
    [decision] = Loop(reader, [nested], keep_steps=2).tick(now_s)
    assert time.monotonic() - began < 20
    assert "timed out" in holds(decision, DataVerdict.TOO_HEAVY)


@pytest.mark.slow
@pytest.mark.parametrize(("code", "retry_after_s"), [(429, 20), (503, None)])
def test_M18_throttled_sources_are_left_alone_by_all_workloads(prometheus, fault_proxy, now_s, code, retry_after_s):
    server = prometheus(gauge(now_s, 120.0))
    proxy = fault_proxy(server.url)
    hand = Hand()
    settings = PrometheusSettings("prom", proxy.url)
    reader = PrometheusReader(settings, PrometheusClient(settings, clock=hand), clock=hand)
    loop = Loop(reader, [f"sum(load_rps) + 0 * {k}" for k in range(20)])
    loop.tick(now_s)
    proxy.set(status(code, retry_after_s=retry_after_s))
    before = len(proxy.requests)
    for decision in loop.tick(now_s + MINUTE):
        assert "HTTP" in holds(decision, DataVerdict.THROTTLED) or "left alone" in (decision.demands[0].note or "")
    assert len(proxy.requests) - before <= settings.concurrency + 1, "the rest of twenty was not asked"
    assert reader.health.throttled_until is not None
    for minute in (2, 3, 4):
        before = len(proxy.requests)
        loop.tick(now_s + minute * MINUTE)
        assert len(proxy.requests) == before, "nobody asks before the wait is over, however often the loop ticks"
    proxy.set(PASS)
    hand.at_s += 25 if retry_after_s else 1.1
    assert all(d.granted == 12 for d in loop.tick(now_s + 5 * MINUTE))
    calm = reader.health
    assert calm.throttled_until is None
    reader.close()


def test_M18_the_wait_grows_while_a_source_stays_busy(prometheus, fault_proxy, now_s):
    proxy = fault_proxy(prometheus().url)
    proxy.set(status(503))
    hand = Hand()
    settings = PrometheusSettings("prom", proxy.url)
    reader = PrometheusReader(settings, PrometheusClient(settings, clock=hand), clock=hand)
    step = now_s // MINUTE
    for _ in range(600):
        reader.load([demand("vector(1)")], step - 2, step, MINUTE)
        hand.at_s += 1.0
    assert 8 <= len(proxy.requests) <= 40, "ten minutes of one load a second"
    reader.close()


@pytest.mark.parametrize("off_s", [600.0, -600.0], ids=["ahead", "behind"])
def test_M21_time_is_the_servers_and_skew_is_told(prometheus, now_s, off_s):
    """The operator's clock is injected; its machine's stays as it is."""
    server = prometheus(gauge(now_s, 120.0, minutes=60))
    settings = PrometheusSettings("prom", server.url)
    reader = PrometheusReader(settings, PrometheusClient(settings, wall=lambda: time.time() + off_s))
    loop = Loop(reader, ["sum(load_rps)"])
    decision = loop.one(now_s + off_s)
    assert reader.health.skew_s == pytest.approx(-off_s, abs=1.5)
    end = loop.pipeline.history.panel().end_step * MINUTE
    if off_s > 0:
        assert end <= time.time(), "what the server has not lived through yet is not in"
        assert {Reason.STALE_DATA, Reason.BAD_DATA} & set(decision.reasons)
        assert decision.granted == 12
    corrected_s = time.time() + off_s + (reader.health.skew_s or 0.0)
    loop = Loop(reader, ["sum(load_rps) / 2"])
    assert loop.one(corrected_s).granted == 6
    reader.close()


def test_M21_a_step_back_of_the_clock_in_the_loop_harms_nothing(prometheus, now_s):
    server = prometheus(gauge(now_s, 120.0, minutes=60))
    wall = [time.time()]
    settings = PrometheusSettings("prom", server.url)
    reader = PrometheusReader(settings, PrometheusClient(settings, wall=lambda: wall[0]))
    loop = Loop(reader, ["sum(load_rps)"])
    assert loop.one(now_s).granted == 12
    wall[0] -= 600
    assert loop.one(now_s - 600).granted == 12
    wall[0] += 600
    decision = loop.one(now_s)
    assert (decision.granted, verdict_of(decision)) == (12, DataVerdict.OK)
    reader.close()


def test_M22_samples_from_the_future_are_not_read(prometheus, reader_of, now_s):
    times = [now_s + k * 15 for k in range(-160, 240)]
    values = [120.0 if at <= now_s else 10.0 for at in times]
    server = prometheus({series("load_rps", instance="a"): (times, values)})
    reader = reader_of(server.url)
    step = now_s // MINUTE
    batch = reader.load([demand("sum(load_rps)")], step - 20, step + 30, MINUTE)
    assert step <= batch.end_step <= step + 1
    assert (batch.values[0, :20] == 120.0).all()
    loop = Loop(reader, ["sum(load_rps)"])
    assert loop.one(now_s).granted == 12


def test_M22_a_server_whose_history_lies_ahead_answers_nothing_yet(prometheus, reader_of, now_s):
    server = prometheus(gauge(now_s + 6 * HOUR, 120.0))
    holds(Loop(reader_of(server.url), ["sum(load_rps)"]).one(now_s), DataVerdict.MISSING)


def test_M23_a_hole_of_hours_is_missing_and_never_zero(prometheus, reader_of, now_s):
    times = [at for at in range(now_s - 10 * HOUR, now_s + 1, 15) if not 6 * HOUR >= now_s - at > 3 * HOUR]
    server = prometheus({series("load_rps", instance="a"): (times, [120.0] * len(times))})
    reader = reader_of(server.url)
    step = now_s // MINUTE
    batch = reader.load([demand("sum(load_rps)")], step - 590, step, MINUTE)
    ends = np.arange(batch.first_step + 1, batch.end_step + 1) * MINUTE
    hole = (ends > now_s - 6 * HOUR + 300) & (ends < now_s - 3 * HOUR)
    assert (batch.verdicts[0, hole] == DataVerdict.MISSING).all()
    assert np.isnan(batch.values[0, hole]).all()
    around = (ends <= now_s - 6 * HOUR) | (ends > now_s - 3 * HOUR + 120)
    assert (batch.values[0, around] == 120.0).all()
    first_after = np.flatnonzero(ends >= now_s - 3 * HOUR)[0]
    assert batch.verdicts[0, first_after] in {DataVerdict.MISSING, DataVerdict.RECOVERING}
