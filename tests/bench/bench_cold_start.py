"""How late ticks are while a service learns histories that come all at once, without any server beside it:

    nice -n 10 .venv/bin/python -m tests.bench.bench_cold_start [--count 1000] [--seconds 180] [--days 16]

A whole service starts with nothing kept, at a tick of 15 s and steps of 60 s, over a source that answers at once with
so many days of demand; its back-fill brings them as it does from a Prometheus. Printed: each tick, how many wait to be
learned, and the shares at the end with the load average, without which times by the clock say little.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from autoscaler.bootstrap.schedule import Schedule
from autoscaler.bootstrap.service import Service, service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.ladder import Rung
from autoscaler.domain.series import SeriesBatch
from autoscaler.domain.workload import Demand
from tests.bench.operator.measure import lateness, share

TICK_S: Final = 15.0
HEAD: Final = "apiVersion: foresail.dev/v1alpha1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec:\n"
WORKLOAD: Final = """  mode: Act
  actuation: Scale
  acknowledge: [NoReactiveBackup]
  target: {{apiVersion: apps/v1, kind: Deployment, name: web-{index}}}
  demands: [{{name: load, source: prod, query: "{index}", capacity: {{perReplica: "10"}}}}]
  replicas: {{min: 2, max: 60}}
  lead: {{ready: 2m}}
"""


def fleet(count: int) -> str:
    parts = [HEAD.format(kind="MetricsSource", metadata="name: prod") + "  prometheus: {url: http://127.0.0.1:1}\n"]
    for index in range(count):
        named = f"name: web-{index}, namespace: team-{index % 10}"
        parts.append(HEAD.format(kind="PredictiveAutoscaler", metadata=named) + WORKLOAD.format(index=index))
    return "---\n".join(parts)


@dataclass
class Waves:
    """A server that knows a wave of each query from a step on, and answers at once."""

    first_step: int
    health: Any = field(
        default_factory=lambda: SimpleNamespace(reachable=True, last_ok_s=None, skew_s=0.0, queries=1, failures={})
    )

    @property
    def wide(self) -> Waves:
        return self

    def greet(self) -> str | None:
        return None

    def close(self) -> None:
        pass

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        each = np.array([int(demand.query) for demand in demands])[:, None]
        step = np.arange(first_step, end_step)[None, :]
        day = np.sin(2 * np.pi * (step * step_s / 3600 - each % 24) / 24)
        noise = np.sin((step * 7919 + each * 104_729) % 9973)
        values = (200 + each % 30) * (1 + 0.5 * day) * (1 + 0.05 * noise)
        return SeriesBatch.judge(step_s, first_step, np.where(step < self.first_step, np.nan, values))


@dataclass
class Watched:
    """Ticks a service and keeps when each began and how long it took."""

    running: Service
    begins: list[float] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    learned_s: float | None = None

    def tick(self) -> None:
        began, used = time.monotonic(), time.thread_time()
        decisions = self.running.tick()
        self.begins.append(began)
        self.took_s.append(time.monotonic() - began)
        standing = None if decisions is None else decisions.seen.standing
        rungs = Counter() if standing is None else Counter(Rung(int(rung)).name for rung in standing["rung"])
        waiting = self.running.pipeline.server.turns.waiting
        if self.learned_s is None and rungs[Rung.WEEK.name] == rungs.total():
            self.learned_s = began - self.begins[0]
        used_s, at_s = time.thread_time() - used, began - self.begins[0]
        print(
            f"{at_s:6.1f} s: tick {self.took_s[-1]:.2f} s, processor {used_s:.2f} s, {waiting} wait, {dict(rungs)}",
            flush=True,
        )


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--count", type=int, default=1000)
    asked.add_argument("--seconds", type=float, default=180.0)
    asked.add_argument("--days", type=float, default=16.0)
    told = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-cold-start-") as folder:
        files = Path(folder) / "fleet.yaml"
        files.write_text(fleet(told.count))
        waves = Waves(int(time.time() - told.days * 86_400) // 60)
        running = service(ServiceSettings((files,), Path(folder) / "record.db"), None, lambda _: waves)
        watched = Watched(running)
        schedule = Schedule(watched.tick, TICK_S, running.skipped, running.between_ticks)
        schedule.start()
        threading.Event().wait(told.seconds)
        schedule.stop()
        running.close()
    late = lateness(watched.begins, TICK_S)
    for what, values in (("lateness", late), ("tick", watched.took_s)):
        print(f"{what} p50 {share(values, 50):.3f}, p95 {share(values, 95):.3f}, most {max(values):.3f} s")
    print(f"all on their last rung after {watched.learned_s} s; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
