"""A running service: one pipeline over the fleet files, ticked from outside, that nothing stops."""

from __future__ import annotations

import logging
import time
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
from autoscaler.domain.errors import InvalidSpec, Refused
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.tick import Pipeline
from autoscaler.ports.clock import Clock
from autoscaler.simulator.live import LiveTwin

log = logging.getLogger("foresail")
LATE_TICKS = 3
GRACE_S = 60.0
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
    _last_ok_s: float | None = None
    _told: dict[str, str] = field(default_factory=dict)

    def tick(self) -> Decisions | None:
        """One tick at the clock's now; None when it failed, which is logged and counted and holds nothing up."""
        now = self.clock.now()
        try:
            if self.files.refresh():
                self._announce()
            with self.telemetry.tick_seconds.time():
                decisions = self.pipeline.tick(self.files.fleet, now)
            self.telemetry.observe(decisions)
            self._tell_sources()
        except Exception as error:
            self.last_error = f"{type(error).__name__}: {error}"
            self.telemetry.ticks.labels("failed").inc()
            log.exception("tick_failed at=%s", now.isoformat())
            return None
        self.last_tick, self.last_error, self._last_ok_s = now, None, time.monotonic()
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
        """Healthy while ticks succeed in time; lateness is of the machine, whatever the clock says."""
        late_s = None if self._last_ok_s is None else time.monotonic() - self._last_ok_s
        ok = (
            self.last_error is None and late_s is not None and late_s < LATE_TICKS * self.settings.real_tick_s + GRACE_S
        )
        return {
            "ok": ok,
            "now": self.clock.now().isoformat(),
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
        paths = {name: r.path for name, r in self.files.recordings.items()}
        self.metrics.serve(paths, self.files.fleet.demands)
        self.telemetry.problems.set(len(self.files.problems))
        for problem in self.files.problems:
            log.error("spec_problem %s", problem)
        log.info("fleet generation=%d workloads=%d", self.files.generation, len(self.files.fleet))

    def _tell_sources(self) -> None:
        """Log a source or series when it fails, fails in another way, or is back."""
        errors = self.metrics.errors
        for place, why in errors.items():
            if self._told.get(place) != why:
                log.warning("source_error %s: %s", place, why)
        for place in self._told.keys() - errors.keys():
            log.info("source_ok %s", place)
        self._told = dict(errors)
        self.telemetry.source_errors.set(len(errors))


def service(settings: ServiceSettings, clock: Clock | None = None) -> Service:
    """Compose a service on file metrics, the cluster twin and the SQLite record.

    Raises InvalidSpec or Refused if not one valid workload is in the files: there would be nothing to run.
    """
    files = FleetFiles(settings.fleet)
    files.refresh()
    if not len(files.fleet):
        if files.problems:
            raise InvalidSpec(files.problems)
        raise Refused(f"no PredictiveAutoscaler in {', '.join(map(str, settings.fleet))}; write one, or name its file")
    metrics = FileMetrics({})
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
