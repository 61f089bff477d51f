"""A running service: one pipeline over the fleet files, ticked from outside, that nothing stops."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from autoscaler.adapters.clock import ReplayClock, SystemClock
from autoscaler.adapters.files import FileMetrics
from autoscaler.adapters.store import DecisionStore
from autoscaler.adapters.telemetry import Telemetry
from autoscaler.bootstrap.fleet_files import FleetFiles
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.decision import Decisions
from autoscaler.domain.errors import InvalidSpec
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.tick import Pipeline
from autoscaler.ports.clock import Clock
from autoscaler.simulator.live import LiveTwin

log = logging.getLogger("foresail")
LATE_TICKS = 3
DAY_S = 86400


@dataclass(slots=True)
class Service:
    """files, pipeline and record of one service; `tick` may fail, and the next one starts afresh."""

    settings: ServiceSettings
    clock: Clock
    files: FleetFiles
    metrics: FileMetrics
    pipeline: Pipeline
    store: DecisionStore
    telemetry: Telemetry = field(default_factory=Telemetry)
    last_tick: datetime | None = None
    last_error: str | None = None

    def tick(self) -> Decisions | None:
        """One tick at the clock's now; None when it failed, which is logged and counted and holds nothing up."""
        now = self.clock.now()
        try:
            if self.files.refresh():
                self._announce()
            with self.telemetry.tick_seconds.time():
                decisions = self.pipeline.tick(self.files.fleet, now)
            self.telemetry.observe(decisions)
        except Exception as error:
            self.last_error = f"{type(error).__name__}: {error}"
            self.telemetry.ticks.labels("failed").inc()
            log.exception("tick_failed at=%s", now.isoformat())
            return None
        self.last_tick, self.last_error = now, None
        self.telemetry.ticks.labels("ok").inc()
        self.telemetry.last_tick.set(now.timestamp())
        self.telemetry.dropped.set(self.store.dropped)
        self.telemetry.quarantined.set(len(self.pipeline.server.quarantined))
        return decisions

    def skipped(self) -> None:
        """A tick was due while the one before still ran: it is left out and counted."""
        self.telemetry.ticks.labels("skipped").inc()
        log.warning("tick_skipped: the one before is still running")

    def health(self) -> dict[str, Any]:
        """Healthy while ticks succeed in time."""
        now = self.clock.now()
        late_s = None if self.last_tick is None else (now - self.last_tick).total_seconds()
        ok = self.last_error is None and late_s is not None and late_s < LATE_TICKS * self.settings.tick_s + 60
        return {
            "ok": ok,
            "now": now.isoformat(),
            "lastTick": self.last_tick.isoformat() if self.last_tick else None,
            "lastError": self.last_error,
            "workloads": len(self.files.fleet),
            "specProblems": [str(p) for p in self.files.problems],
            "sourceErrors": dict(self.metrics.errors),
            "recordsDropped": self.store.dropped,
        }

    def close(self) -> None:
        self.store.close()

    def _announce(self) -> None:
        self.metrics.paths = {name: r.path for name, r in self.files.recordings.items()}
        self.telemetry.problems.set(len(self.files.problems))
        for problem in self.files.problems:
            log.error("spec_problem %s", problem)
        log.info("fleet generation=%d workloads=%d", self.files.generation, len(self.files.fleet))
        for sentence in self.metrics.unknown_series(self.files.fleet.demands, self.settings.step_s):
            log.warning("unknown_series %s", sentence)


def service(settings: ServiceSettings, clock: Clock | None = None) -> Service:
    """Compose a service on file metrics, the cluster twin and the SQLite record.

    Raises InvalidSpec if not one valid workload is in the files: there would be nothing to run.
    """
    files = FleetFiles(settings.fleet)
    files.refresh()
    if not len(files.fleet):
        raise InvalidSpec(files.problems)
    metrics = FileMetrics({name: r.path for name, r in files.recordings.items()})
    chosen = clock or _clock(settings)
    history = History(settings.step_s, settings.history_days * DAY_S // settings.step_s)
    store = DecisionStore.open(settings.store, tick_s=settings.tick_s)
    twin = LiveTwin(chosen, metrics, settings.step_s)
    pipeline = Pipeline(metrics, twin, store, history, PeakServer(serving_models()), CHAIN)
    made = Service(settings, chosen, files, metrics, pipeline, store)
    made._announce()  # noqa: SLF001 - its own composition root
    return made


def _clock(settings: ServiceSettings) -> Clock:
    if settings.replay_from is not None:
        return ReplayClock(settings.replay_from, settings.speed)
    return SystemClock()
