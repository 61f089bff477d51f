"""A running service: one pipeline over the fleet files, ticked from outside, that nothing stops."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from autoscaler.adapters.store import DecisionStore
from autoscaler.adapters.telemetry import SourceFacts, Telemetry
from autoscaler.bootstrap.alerts import AlertDesk, Beside
from autoscaler.bootstrap.anomaly_desk import AnomalyDesk
from autoscaler.bootstrap.anomaly_making import asked
from autoscaler.bootstrap.between_ticks import BetweenTicks
from autoscaler.bootstrap.capacities import LearnedCapacityKeeper
from autoscaler.bootstrap.cold_start import ColdStart
from autoscaler.bootstrap.engine_state_keeper import EngineStateKeeper
from autoscaler.bootstrap.engine_state_relived import lived_again
from autoscaler.bootstrap.fleet_files import FleetFiles
from autoscaler.bootstrap.live_sources import LiveSources, in_words
from autoscaler.bootstrap.past import Past
from autoscaler.bootstrap.pause_reminders import PauseReminders
from autoscaler.bootstrap.policies_in_force import PoliciesInForce
from autoscaler.bootstrap.server_time import TOLERATED_S, ServerClock
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.bootstrap.source_news import SourceNews
from autoscaler.domain.decision import Decisions
from autoscaler.domain.series import step_at
from autoscaler.pipeline.tick import Pipeline
from autoscaler.ports.clock import Clock
from autoscaler.spec.compile import Source

log = logging.getLogger("foresail")
LATE_TICKS = 3
GRACE_S = 60.0


class Caretaker(Protocol):
    """Gives back what is held for nobody; asks itself whether it is time."""

    def visit(self, files: FleetFiles) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Service:
    """files, sources, pipeline and record of one service; `tick` may fail, and the next one starts afresh."""

    settings: ServiceSettings
    clock: Clock
    files: FleetFiles
    metrics: LiveSources
    past: Past
    pipeline: Pipeline
    store: DecisionStore
    caretaker: Caretaker | None = None
    memory: EngineStateKeeper | None = None
    cold_start: ColdStart | None = None
    between: BetweenTicks | None = None
    capacities: LearnedCapacityKeeper | None = None
    alerts: AlertDesk | None = None
    anomalies: AnomalyDesk | None = None
    telemetry: Telemetry = field(default_factory=Telemetry)
    last_tick: datetime | None = None
    last_error: str | None = None
    skew_s: float | None = None
    _reminders: PauseReminders | None = None
    _last_ok_s: float | None = None
    _news: SourceNews = field(default_factory=SourceNews)
    _served: dict[str, Source] = field(default_factory=dict)
    _policies: PoliciesInForce = field(default_factory=PoliciesInForce)
    _alarmed: bool = False

    def begin(self) -> None:
        """Before the first tick: take the sources in, ask the servers for their time, remember what was learned."""
        self._reminders = PauseReminders(self.settings.reminders, self.telemetry.reminders)
        self._announce()
        self._follow_models(self.clock.now())
        if self.alerts is not None:
            self.alerts.begin(self.clock.now().timestamp())
        if self.anomalies is not None:
            self.anomalies.begin(
                self.files.fleet, self.clock.now()
            )  # first: what was taken back is not lived through again
        if self.memory is not None:
            now, fleet = self.clock.now(), self.files.fleet
            self.pipeline.state = self.memory.restore(fleet, now).state
            if self.pipeline.state is None:
                self.pipeline.state, words = lived_again(
                    self.past, fleet, step_at(now, self.settings.step_s), self.pipeline.server.start
                )
                self.memory.restored += f"; {words}"
            log.info("engine_state %s", self.memory.restored)

    def tick(self) -> Decisions | None:
        """One tick at the clock's now; None when it failed, which is logged and counted and holds nothing up."""
        now = self.clock.now()
        try:
            if self.files.refresh():
                self._announce()
                now = self.clock.now()
            if self.caretaker is not None:
                self.caretaker.visit(self.files)
            self._follow_capacities(now)
            with self.telemetry.tick_seconds.time():
                decisions = self.pipeline.tick(self.files.fleet, now)
            if self.memory is not None:
                self.memory.offer(self.pipeline.state, now)
            self._hear()
            self.telemetry.observe(decisions)
            self._tell(decisions)
            if self._reminders is not None:
                self._reminders.look(decisions.fleet, decisions.now_s)
            if self.anomalies is not None:
                self.anomalies.look(decisions.fleet, now)
            if self.alerts is not None:
                self.alerts.look(decisions, self._beside())
        except Exception as error:
            self.last_error = f"{type(error).__name__}: {error}"
            self.telemetry.ticks.labels("failed").inc()
            log.exception("tick_failed at=%s", now.isoformat())
            if self.alerts is not None:
                self.alerts.failed(now.timestamp(), self.last_error)
            return None
        self.last_tick, self.last_error, self._last_ok_s = now, None, time.monotonic()
        self.telemetry.ticks.labels("ok").inc()
        self.telemetry.last_tick.set(now.timestamp())
        self.telemetry.dropped.set(self.store.dropped)
        self.telemetry.not_learned.set(self.pipeline.server.turns.waiting)
        self.telemetry.quarantined.set(len(self.pipeline.server.quarantined))
        self._follow_models(now)
        return decisions

    def between_ticks(self, left_s: Callable[[], float]) -> None:
        """After a tick, in its thread: learn what waits. left_s: seconds until the next one is due."""
        if self.between is not None:
            self.between.work(left_s)
        if self.anomalies is not None:
            self.anomalies.gate.between_ticks(left_s)

    def _follow_models(self, now: datetime) -> None:
        if self.cold_start is not None:
            self.cold_start.follow(self.pipeline.server, now)

    def _follow_capacities(self, now: datetime) -> None:
        """A single decision applies what was learned and learns nothing."""
        if self.capacities is not None and self.settings.beside and self.capacities.turn(self.files.fleet, now):
            self.files.adjust()

    def skipped(self) -> None:
        """A tick was due while the one before still ran: it is left out and counted."""
        self.telemetry.ticks.labels("skipped").inc()
        log.warning("tick_skipped: the one before is still running")

    def in_servers_time(self, ours: datetime) -> datetime:
        """A moment of this machine's clock as the servers count it."""
        off = self.skew_s is not None and abs(self.skew_s) > TOLERATED_S
        return ours + timedelta(seconds=self.skew_s or 0.0) if off else ours

    def health(self) -> dict[str, Any]:
        """Healthy while ticks succeed in time; lateness is of the machine, whatever the clock says.

        A wrong clock and a source that is down are told and leave `ok` alone: a restart would mend neither.
        """
        late_s = None if self._last_ok_s is None else time.monotonic() - self._last_ok_s
        ok = (
            self.last_error is None and late_s is not None and late_s < LATE_TICKS * self.settings.real_tick_s + GRACE_S
        )
        progress = self.past.progress
        return {
            "ok": ok,
            "now": self.clock.now().isoformat(),
            "lastTick": self.last_tick.isoformat() if self.last_tick else None,
            "lastError": self.last_error,
            "workloads": len(self.files.fleet),
            "specProblems": [str(p) for p in self.files.problems],
            "policies": self.files.policies.told(),
            "openPauses": [] if self._reminders is None else self._reminders.told(),
            "sources": {
                each.name: {"up": each.up, "clockSkewSeconds": each.skew_s, "failures": dict(each.failures)}
                for each in self._source_facts()
            },
            "sourceErrors": self.metrics.errors,
            "clock": {"skewSeconds": self.skew_s, "ok": not self._alarmed},
            "backfill": None if progress is None else progress.words,
            "waitingToLearn": self.pipeline.server.turns.waiting,
            "recordsDropped": self.store.dropped,
            "anomalies": None if self.anomalies is None else self.anomalies.health(),
            "engineState": None if self.memory is None else self.memory.health,
        }

    def close(self) -> None:
        if self.anomalies is not None:
            self.anomalies.close(self.clock.now())
        if self.alerts is not None:
            self.alerts.close()
        self.past.stop()
        if self.capacities is not None:
            self.capacities.close()
        if self.caretaker is not None:
            self.caretaker.close()
        self.metrics.close()
        if self.memory is not None:
            self.memory.close()
        self.store.close()

    def _announce(self) -> None:
        """Files have changed: new sources are taken in and greeted, gone ones let go."""
        sources, fleet = self.files.sources, self.files.fleet
        self.metrics.serve(sources, asked(fleet))
        self.telemetry.problems.set(len(self.files.problems))
        for problem in self.files.problems:
            log.error("spec_problem %s", problem)
        log.info("fleet generation=%d workloads=%d", self.files.generation, len(fleet))
        for words in self.files.policies.news(self._policies):
            log.info("policy generation=%d %s", self.files.generation, words)
        self._policies = self.files.policies
        changed = {name: source for name, source in sources.items() if self._served.get(name) != source}
        for name, source in sorted(changed.items()):
            log.info("source name=%s %s", name, in_words(source))
        for name in self._served.keys() - sources.keys():
            log.info("source_gone name=%s", name)
        self._served = dict(sources)
        if changed.keys() & self.metrics.servers.keys():
            for name, why in self.metrics.greet().items():
                if name in changed and why is not None:
                    log.warning("source_fault name=%s: %s", name, why)
                elif name in changed:
                    log.info("source_answers name=%s", name)
            self._hear()
        servers = self.settings.beside and bool(self.files.servers)
        self.past.follow(fleet, step_at(self.clock.now(), self.settings.step_s), servers=servers)

    def _hear(self) -> None:
        """Take in what the servers say the time is."""
        skew_s = self.metrics.fresh_skew_s()
        if isinstance(self.clock, ServerClock):
            self.clock.hear(skew_s)
            self.skew_s = self.clock.skew_s
        elif skew_s is not None:
            self.skew_s = skew_s
        if self.skew_s is None:
            return
        self.telemetry.clock_skew.set(self.skew_s)
        alarming = ServerClock.is_alarming(self.skew_s)
        if alarming != self._alarmed:
            self._alarmed = alarming
            if alarming:
                words = "decisions follow the sources' time; mend NTP on this machine or on theirs"
                log.error("clock_skew seconds=%.1f: %s", self.skew_s, words)
            else:
                log.info("clock_ok skew_seconds=%.1f", self.skew_s)

    def _tell(self, decisions: Decisions) -> None:
        errors = self.metrics.errors
        self._news.tell_errors(errors)
        self._news.tell_demands(decisions, self.metrics.servers.keys())
        self.telemetry.source_errors.set(len(errors))
        self.telemetry.observe_sources(self._source_facts())
        progress = self.past.progress
        self.telemetry.backfill_left.set(0 if progress is None else progress.chunks_left)
        self.telemetry.backfill_failing.set(0 if progress is None else progress.rows_failing)

    def _beside(self) -> Beside:
        pauses = {} if self._reminders is None else self._reminders.pauses
        return Beside(self._source_facts(), self.metrics.errors, pauses)

    def _source_facts(self) -> list[SourceFacts]:
        files = self.metrics.files
        facts = [SourceFacts(name, name not in files.errors) for name in files.paths]
        for name, server in list(self.metrics.servers.items()):
            health = server.health
            up = health.reachable if health.queries else None
            failures = {verdict.name: count for verdict, count in health.failures.items()}
            facts.append(SourceFacts(name, up, health.queries, failures, health.skew_s))
        refused = self.metrics.errors.keys() - files.errors.keys() - self.metrics.servers.keys()
        return [*facts, *(SourceFacts(name, up=False) for name in refused)]
