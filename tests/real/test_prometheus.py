"""The Prometheus fixture: months of history, live scrapes, death and return, and the ways of getting in."""

from __future__ import annotations

import time

import pytest

from tests.real.certificates import self_signed
from tests.real.exporter import Mode
from tests.real.history import History, series
from tests.real.servers import wait_until

MINUTE, DAY = 60, 86_400
END = 1_700_000_040  # a whole minute
OPEN_SESAME = "$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW"  # bcrypt


def thirty_days() -> tuple[list[int], History]:
    times = [END - 30 * DAY + k * MINUTE for k in range(30 * DAY // MINUTE)]
    wave = [100.25 + (k % 1440) / 8 for k in range(len(times))]
    return times, {
        series("http_requests_total", job="shop", path='/a"b\\c'): (times, [7.5 * k for k in range(len(times))]),
        series("queue_length", job="shop"): (times, wave),
        series("queue_length", job="mail"): (times, [-v for v in wave]),
    }


def test_a_month_of_history_comes_back_exactly(prometheus):
    times, history = thirty_days()
    started = time.monotonic()
    server = prometheus(history)
    assert time.monotonic() - started < 100, "loading a month is a matter of seconds"
    wanted = dict(zip(*history[series("queue_length", job="mail")], strict=True))
    for first in (0, 20_000, len(times) - 5_000):
        [row] = server.query_range('queue_length{job="mail"}', times[first], times[first + 4_999], MINUTE)
        assert [(at, float(v)) for at, v in row["values"]] == [(t, wanted[t]) for t in times[first : first + 5_000]]
    [row] = server.query('http_requests_total{path="/a\\"b\\\\c"}', at=times[-1])
    assert float(row["value"][1]) == 7.5 * (len(times) - 1)
    assert len(server.query("queue_length", at=times[0])) == 2


def test_range_selectors_are_open_on_the_left(prometheus):
    times = [END + k * MINUTE for k in range(6)]
    server = prometheus({series("m"): (times, [1.0] * 6)})
    [row] = server.query("count_over_time(m[5m])", at=times[-1])
    assert row["value"][1] == "5"


def test_debians_2_x_closes_them(prometheus):
    times = [END + k * MINUTE for k in range(6)]
    server = prometheus({series("m"): (times, [1.0] * 6)}, debian=True)
    [row] = server.query("count_over_time(m[5m])", at=times[-1])
    assert row["value"][1] == "6"


@pytest.mark.slow
def test_live_scrapes_follow_the_exporter_through_its_faults(prometheus, exporter):
    exporter.set("load_rps", 40.0, pod="a")
    server = prometheus(scrape=[exporter.target], scrape_interval="200ms")

    def live() -> dict[str, float]:
        return {row["metric"]["pod"]: float(row["value"][1]) for row in server.query("load_rps")}

    def up() -> list[str]:
        return [row["value"][1] for row in server.query("up")]

    wait_until(lambda: live() == {"a": 40.0}, "the first value")
    exporter.set("load_rps", 41.5, pod="a")
    exporter.set("load_rps", 2.0, pod="b")
    wait_until(lambda: live() == {"a": 41.5, "b": 2.0}, "the changed and the new value")

    exporter.mode = Mode.FREEZE
    exporter.set("load_rps", 99.0, pod="a")
    exporter.wait_scraped(2)
    assert live() == {"a": 41.5, "b": 2.0}
    assert up() == ["1"]

    for fault in (Mode.FAIL, Mode.HANG, Mode.GARBAGE):
        exporter.mode = fault
        wait_until(lambda: up() == ["0"] and live() == {}, f"down and stale: {fault}")
        exporter.mode = Mode.OK
        wait_until(lambda: up() == ["1"] and live() == {"a": 99.0, "b": 2.0}, "back again")

    exporter.remove("load_rps", pod="b")
    wait_until(lambda: live() == {"a": 99.0}, "a removed series is stale")


@pytest.mark.slow
def test_killed_and_back_on_the_same_data(prometheus, exporter):
    times, history = thirty_days()
    exporter.set("load_rps", 5.0)
    server = prometheus(history, scrape=[exporter.target], scrape_interval="200ms")
    wait_until(lambda: server.query("load_rps"), "a scraped value")
    before, url = time.time(), server.url
    first = server.server.pid
    server.kill()
    with pytest.raises(OSError):
        server.get("/-/ready", timeout_s=1.0)
    server.start()
    assert server.url == url
    assert server.server.pid != first
    assert server.query("load_rps", at=before), "what was scraped before the kill was in the write-ahead log"
    [row] = server.query('queue_length{job="shop"}', at=times[-1])
    assert float(row["value"][1]) == history[series("queue_length", job="shop")][1][-1]


def test_flags_limit_queries(prometheus):
    _, history = thirty_days()
    server = prometheus(history, flags=["--query.max-samples=1000"])
    answer = server.get("/api/v1/query", query="count_over_time(queue_length[7d])", time=END - MINUTE)
    assert answer.status == 422
    assert b"too many samples" in answer.body


def test_password_and_tls(prometheus, tmp_path):
    made = self_signed(tmp_path)
    server = prometheus(
        web_config={
            "basic_auth_users": {"reader": OPEN_SESAME},
            "tls_server_config": {"cert_file": str(made.certificate), "key_file": str(made.key)},
        },
        auth=("reader", "open sesame"),
        ca=made.certificate,
    )
    assert server.url.startswith("https://")
    assert server.query("vector(1)")[0]["value"][1] == "1"
