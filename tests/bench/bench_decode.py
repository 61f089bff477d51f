"""From the HTTP body of a range query to the arrays that the pipeline uses: our session against the stock library.

1,000 series × 1,440 points over loopback, each way in a process of its own, so that its peak memory is its own.
Fails when ours is less than five times as fast, or needs more memory: `python tests/bench/bench_decode.py`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

SERIES, POINTS, STEP_S = 1000, 1440, 60
FIRST_S = 1_700_000_040
LEAST_RATIO = 5.0
RUNS = 3
MIB = 2**20


def body() -> bytes:
    """An answer as Prometheus writes it: values with as many digits as a rate has."""
    rng = np.random.default_rng(0)
    times = [FIRST_S + k * STEP_S for k in range(POINTS)]
    rows = []
    for k in range(SERIES):
        load = 100 + 50 * np.sin(np.arange(POINTS) / 230) + rng.normal(0, 5, POINTS)
        labels = {"__name__": "requests:rate1m", "namespace": f"team-{k % 40}", "service": f"service-{k}"}
        values = [[at, repr(value)] for at, value in zip(times, load.tolist(), strict=True)]
        rows.append({"metric": labels, "values": values})
    answer = {"status": "success", "data": {"resultType": "matrix", "result": rows}}
    return json.dumps(answer, separators=(",", ":")).encode()


class Served(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    content = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Requests are not narrated."""


def ours(url: str) -> np.ndarray:
    """[series, step], through the client that the reader uses."""
    from autoscaler.adapters.prometheus.client import PrometheusClient
    from autoscaler.adapters.prometheus.settings import PrometheusSettings
    from autoscaler.domain.series import SeriesBatch

    client = PrometheusClient(PrometheusSettings("bench", url, timeout_s=60.0))
    answer = client.range("requests:rate1m", FIRST_S, FIRST_S + (POINTS - 1) * STEP_S, STEP_S)
    raw = np.full((len(answer.series), POINTS), np.nan)
    for row, series in enumerate(answer.series):
        raw[row, np.rint((series.times - FIRST_S) / STEP_S).astype(np.int64)] = series.values
    client.close()
    return SeriesBatch.judge(STEP_S, FIRST_S // STEP_S, raw).values


def stock(url: str) -> np.ndarray:
    """[series, step], through the library's own data frame and a pivot."""
    from prometheus_api_client import MetricRangeDataFrame, PrometheusConnect

    from autoscaler.domain.series import SeriesBatch

    api = PrometheusConnect(url)
    first, end = (datetime.fromtimestamp(FIRST_S + k * STEP_S, UTC) for k in (0, POINTS - 1))
    frame = MetricRangeDataFrame(api.custom_query_range("requests:rate1m", first, end, str(STEP_S)))
    wide = frame.reset_index().pivot(index="service", columns="timestamp", values="value")
    api.close()
    return SeriesBatch.judge(STEP_S, FIRST_S // STEP_S, wide.to_numpy(dtype=np.float64)).values


WAYS: dict[str, Callable[[str], np.ndarray]] = {"ours": ours, "stock": stock}


def measured(way: str, url: str) -> None:
    """The best of some runs: seconds, peak memory in MiB and a checksum, as JSON."""
    before = peak_mib()
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        values = WAYS[way](url)
        took.append(time.perf_counter() - began)
    print(json.dumps({"s": min(took), "mib": peak_mib(), "at_start_mib": before, "sum": float(values.sum())}))


def peak_mib() -> float:
    """ru_maxrss is in KiB on Linux and in bytes on macOS."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def alone(way: str, url: str) -> dict[str, float]:
    """The way in a fresh process."""
    command = [sys.executable, __file__, "--way", way, "--url", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def serve() -> None:
    """Say the address and the size of the answer, then answer until the other end of stdin is closed."""
    Served.content = body()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Served)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]} {len(Served.content)}", flush=True)
    sys.stdin.read()
    server.shutdown()
    server.server_close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=(*WAYS, "serve"), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way == "serve":
        serve()
        return 0
    if asked.way:
        measured(asked.way, asked.url)
        return 0
    # a process of its own: a child's peak memory starts at what its parent needs
    command = [sys.executable, __file__, "--way", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        url, size = server.stdout.readline().split()
        print(f"{SERIES} series × {POINTS} points, {int(size) / MIB:.0f} MiB of JSON, best of {RUNS}", flush=True)
        found = {way: alone(way, url) for way in WAYS}
        server.stdin.close()
    for way, result in found.items():
        print(f"{way:5}  {result['s']:.2f} s, peak {result['mib']:.0f} MiB ({result['at_start_mib']:.0f} at the start)")
    ratio = found["stock"]["s"] / found["ours"]["s"]
    lean = found["ours"]["mib"] / found["stock"]["mib"]
    same = abs(found["ours"]["sum"] - found["stock"]["sum"]) < 1e-6 * abs(found["ours"]["sum"])
    claims = (
        (ratio >= LEAST_RATIO, f"at least {LEAST_RATIO:.0f} × as fast: {ratio:.1f} ×"),
        (lean <= 1, f"no more memory: {lean:.2f} ×"),
        (same, "the same values"),
    )
    for holds, words in claims:
        print(f"{'ok  ' if holds else 'MISS'} {words}")
    return 0 if all(holds for holds, _ in claims) else 1


if __name__ == "__main__":
    sys.exit(main())
