"""The scene's demand as Prometheus and the HPA see it: a counter of requests, told with the demand's own times.

Within a minute demand is even, so `rate(…[1m])` at a minute's end is exactly that minute's demand. KEDA asks for what
is now by the machine's clock and knows no other: for it the newest complete minute is told as a gauge without times.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from hack.real_world.constants import STEP_S
from hack.real_world.scene import Scene
from tests.real.history import Series, series
from tests.real.prometheus import Prometheus, Settings

METRIC = "http_requests_total"
QUERY = f"sum(rate({METRIC}[1m]))"
NEWEST = "requests_of_the_newest_minute"
NEWEST_QUERY = f"sum({NEWEST})"
SCRAPE = "250ms"
ENDLESS = "100y"
"""Live samples stand years before those that Prometheus makes of its own scrapes: to it they are out of order."""
ONE_HEAD = "60y"
"""Cut into blocks of two hours, the time between the demand's and ours would be a hundred thousand blocks."""


@dataclass(slots=True)
class SceneClock:
    """The demand's time, Unix seconds; it stands at `start_s` until told to run."""

    start_s: float
    speed: float
    _zero_s: float | None = None
    began_s: float = 0.0
    """When it began to run, by the machine's clock."""

    @property
    def runs(self) -> bool:
        return self._zero_s is not None

    def start(self) -> None:
        self._zero_s, self.began_s = time.monotonic(), time.time()

    def now_s(self) -> float:
        return self.start_s if self._zero_s is None else self.start_s + (time.monotonic() - self._zero_s) * self.speed

    def sleep_until(self, at_s: float) -> None:
        time.sleep(max(0.0, (at_s - self.now_s()) / self.speed))


class DemandServer:
    """/metrics at the clock's now. Use as a context manager."""

    def __init__(self, scene: Scene, clock: SceneClock) -> None:
        self.scene, self.clock = scene, clock
        self.scrapes = 0
        self._total = np.concatenate(([0.0], np.cumsum(scene.demand * STEP_S)))
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.text = self._text
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def key(self) -> Series:
        """The labels of the history are those that Prometheus gives to what it scrapes: one series."""
        return series(METRIC, job="live", instance=self.target)

    def last_minute(self) -> float:
        """Demand of the newest complete minute: what an adapter for the HPA would answer."""
        return self.scene.at(int(self.clock.now_s() // STEP_S) - 1)

    def total(self, at_s: float) -> float:
        """Requests since the scene's first step."""
        step = min(int(at_s // STEP_S), self.scene.end_step)
        return float(self._total[step - self.scene.first_step]) + self.scene.at(step) * (at_s - step * STEP_S)

    def history(self) -> dict[Series, tuple[list[float], list[float]]]:
        """Up to the start; two samples a minute are enough for the rate of one."""
        steps = range(self.scene.first_step, self.scene.start_step)
        times = [float(k * STEP_S + offset) for k in steps for offset in (STEP_S / 4, STEP_S * 3 / 4)]
        return {self.key: (times, [self.total(at) for at in times])}

    def _text(self) -> str:
        self.scrapes += 1
        at_s = round(self.clock.now_s(), 3)
        counter = f"{METRIC} {self.total(at_s)!r} {round(at_s * 1000)}\n"
        return f"{counter}{NEWEST} {self.last_minute()!r}\n"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def prometheus(folder: Path, demand: DemandServer) -> Prometheus:
    """With fourteen days of history in blocks, and scraping what comes; not started."""
    flags = [f"--storage.tsdb.{end}-block-duration={ONE_HEAD}" for end in ("min", "max")]
    made = Prometheus(folder, Settings(scrape=[demand.target], scrape_interval=SCRAPE, flags=flags))
    file = folder / "prometheus.json"
    written = json.loads(file.read_text()) | {"storage": {"tsdb": {"out_of_order_time_window": ENDLESS}}}
    file.write_text(json.dumps(written))
    made.load(demand.history())
    return made


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    text: Callable[[], str]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        body = self.server.text().encode()
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            return  # Prometheus ended in the middle

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Scrapes are not narrated."""
