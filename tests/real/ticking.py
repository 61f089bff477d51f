"""The whole tick on a real source: queries in, decisions of a twin cluster out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import numpy as np

from autoscaler.adapters.prometheus.client import PrometheusClient
from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.domain.decision import Decision, Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import Actuation, Demand, Lead, Mode, ScalingRule, Target, Workload, WorkloadRef
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.tick import Pipeline
from autoscaler.ports.metrics import MetricsReader
from autoscaler.simulator.cluster import MemoryCluster
from tests.real.exporter import Exporter
from tests.real.history import Series, series

MINUTE = 60
AT_ONCE = ScalingRule(0, ())
"""No window and no step limit: only the quality of the data keeps a count."""


def demand(query: str, source: str = "prom") -> Demand:
    return Demand("load", source, query, 10.0)


def workload(name: str, *demands: Demand, **changes: Any) -> Workload:
    settings: dict[str, Any] = {
        "min_replicas": 1,
        "max_replicas": 100,
        "lead": Lead(0.0),
        "mode": Mode.ACT,
        "actuation": Actuation.SCALE,
        "scale_up": AT_ONCE,
        "scale_down": AT_ONCE,
    }
    ref, target = WorkloadRef("shop", name), Target("apps/v1", "Deployment", name)
    return Workload(ref=ref, target=target, demands=demands, **(settings | changes))


@dataclass(slots=True)
class Kept:
    ticks: list[Decisions] = field(default_factory=list)

    def append(self, decisions: Decisions) -> None:
        self.ticks.append(decisions)


class Loop:
    """Workloads of 10 units per replica, one per query, which run 12 replicas before the first tick."""

    def __init__(
        self, reader: MetricsReader, queries: Sequence[str], *, step_s: int = 60, keep_steps: int = 30, **changes: Any
    ) -> None:
        self.step_s = step_s
        self.fleet = Fleet(tuple(workload(f"w{i}", demand(q), **changes) for i, q in enumerate(queries)))
        replicas = np.full(len(self.fleet), 12, dtype=np.int64)
        self.cluster = MemoryCluster(self.fleet, step_s, self.fleet.is_floor.copy(), replicas)
        self.kept = Kept()
        history, server = History(step_s, keep_steps), PeakServer((LastValue(),))
        self.pipeline = Pipeline(reader, self.cluster, self.kept, history, server, CHAIN)

    def tick(self, now_s: float | None = None) -> list[Decision]:
        """Decide at a moment, now by default. The first tick of all never shrinks, so one goes before it."""
        at_s = time.time() if now_s is None else now_s
        if self.pipeline.state is None:
            self.pipeline.tick(self.fleet, datetime.fromtimestamp(at_s - self.step_s, UTC))
            self.back_to_twelve()
        self.cluster.begin()
        decisions = self.pipeline.tick(self.fleet, datetime.fromtimestamp(at_s, UTC))
        return [decisions[lane] for lane in range(len(decisions))]

    def back_to_twelve(self) -> None:
        self.cluster.desired[:] = self.cluster.ready[:] = 12

    def one(self, now_s: float | None = None) -> Decision:
        return self.tick(now_s)[0]

    def next_step(self) -> list[Decision]:
        """Wait for the wall clock's next step and tick."""
        time.sleep(self.step_s - time.time() % self.step_s + 0.02)
        return self.tick()

    def until(self, well: Callable[[Decision], bool], what: str, within_s: float = 60.0) -> list[Decision]:
        """Tick at each step until the first workload's decision is as wanted; all of its decisions up to then."""
        deadline, seen = time.monotonic() + within_s, []
        while time.monotonic() < deadline:
            seen.append(self.next_step()[0])
            if well(seen[-1]):
                return seen
        said = [(d.granted, d.demands[0].verdict.name, d.demands[0].observed, d.demands[0].note) for d in seen]
        raise AssertionError(f"not within {within_s} s: {what}; {said}")


class Traffic:
    """Adds to a counter of exporters as time goes by; use as a context manager."""

    def __init__(self, metric: str, rps: float, *exporters: Exporter, **labels: str) -> None:
        self.rps = rps
        self._metric, self._exporters, self._labels = metric, exporters, labels
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        before = time.monotonic()
        while not self._done.wait(0.02):
            now = time.monotonic()
            for exporter in self._exporters:
                exporter.add(self._metric, self.rps * (now - before) / len(self._exporters), **self._labels)
            before = now

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join(5)


Gauges = dict[Series, tuple[list[int], list[float]]]


def gauge(now_s: int, value: float, minutes: int = 40, every_s: int = 15, **labels: str) -> Gauges:
    """A gauge at a steady value up to now."""
    times = [now_s - k * every_s for k in range(minutes * 60 // every_s, -1, -1)]
    return {series("load_rps", **({"job": "shop", "instance": "a:80"} | labels)): (times, [value] * len(times))}


def holds(decision: Decision, verdict: DataVerdict, reason: Reason = Reason.BAD_DATA, at: int = 12) -> str:
    """The decision keeps what runs, for this reason, and its demand says this."""
    [seen] = decision.demands
    assert (decision.granted, seen.verdict) == (at, verdict), seen
    assert reason in decision.reasons
    return seen.note or ""


def verdict_of(decision: Decision) -> DataVerdict:
    return decision.demands[0].verdict


@contextmanager
def readers() -> Iterator[Callable[..., PrometheusReader]]:
    """`make(url, **settings)`: readers of the source `prom`, closed at the end."""
    with ExitStack() as stack:

        def make(url: str, *, client: PrometheusClient | None = None, **settings: Any) -> PrometheusReader:
            one = PrometheusReader(PrometheusSettings("prom", url, **settings), client)
            stack.callback(one.close)
            return one

        yield make
