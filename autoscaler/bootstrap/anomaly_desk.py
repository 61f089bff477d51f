"""What a service does about anomalies beside its ticks: incidents are kept, counted, told, and feedback is taken in."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any, Final, Protocol

from autoscaler.adapters.anomaly_metrics import AnomalyMetrics
from autoscaler.adapters.store.incidents import StoredIncidents
from autoscaler.bootstrap.anomaly_gate import AnomalyGate
from autoscaler.bootstrap.anomaly_state import AnomalyStateKeeper
from autoscaler.domain.feedback import Calibration, calibrations
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.incident import Happening, Incident, News
from autoscaler.reporting.anomaly_words import act_of

log = logging.getLogger("foresail")
FEEDBACK_S: Final = 60.0
MOST_WAITING: Final = 1000


class Tells(Protocol):
    """Whoever hears of each change, as on-call does."""

    def tell(self, news: list[News], now_s: float) -> None: ...
    def restore(self, opened: list[Incident]) -> None: ...


class Closing(Protocol):
    def close(self) -> None: ...


@dataclass(slots=True)
class AnomalyDesk:
    """Nothing here raises into a tick or makes it wait for a disk. teller: tells on-call."""

    gate: AnomalyGate
    store: StoredIncidents
    metrics: AnomalyMetrics
    state: AnomalyStateKeeper | None = None
    signals: Closing | None = None
    teller: Tells | None = None
    calibration: dict[str, Calibration] = field(default_factory=dict)
    _waiting: deque[News] = field(default_factory=lambda: deque(maxlen=MOST_WAITING))
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _stop: bool = False
    _fleet: Fleet | None = None
    _now_s: float = 0.0
    _shown: int | None = None

    def begin(self, fleet: Fleet, now: datetime) -> None:
        """Before the first tick: feedback counts from the start, then go on with what was remembered."""
        self._fleet, self._now_s = fleet, now.timestamp()
        self._hear()
        if self.state is not None:
            self.state.restore(self.gate, fleet, now)
            log.info("detection_state %s", self.state.restored)
        if self.teller is not None:
            self.teller.restore(self.gate.open)

    def look(self, fleet: Fleet, now: datetime) -> None:
        """After a tick that succeeded."""
        try:
            self._fleet, self._now_s = fleet, now.timestamp()
            news = list(self.gate.news)
            self.gate.news.clear()
            for each in news:
                self._say(each)
            if news and self.teller is not None:
                self.teller.tell(news, self._now_s)
            self._measure(news)
            if self.state is not None:
                self.state.offer(self.gate, now)
            with self._wake:
                self._waiting.extend(news)
                if self._thread is None and not self._stop:
                    self._thread = threading.Thread(target=self._run, name="foresail-incidents", daemon=True)
                    self._thread.start()
                if news:
                    self._wake.notify()
        except Exception:
            log.exception("anomalies_not_looked_at")

    def health(self) -> dict[str, Any]:
        return {
            "open": [one.id for one in self.gate.open],
            "restored": None if self.state is None else self.state.restored,
            "trouble": self.gate.learner.trouble or (None if self.state is None else self.state.trouble),
            "recipe": None if self.gate.voices is None else self.gate.voices.health(),
        }

    def close(self, now: datetime) -> None:
        with self._wake:
            self._stop = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(10.0)
        self._write()
        self.gate.learner.close()
        if self.gate.voices is not None:
            self.gate.voices.close()
        if self.signals is not None:
            self.signals.close()
        if self.state is not None:
            self.state.save(self.gate, now)
        self.store.close()

    def _say(self, news: News) -> None:
        one = news.incident
        if news.happening is Happening.RESOLVED:
            log.info(
                "incident_resolved id=%s %s%s", one.id, one.title, f" into {one.merged_into}" if one.merged_into else ""
            )
        else:
            level = logging.WARNING if news.happening is Happening.OPENED else logging.INFO
            act = act_of(one)
            log.log(
                level,
                "incident_%s id=%s %s: %s; %s",
                news.happening.value.lower(),
                one.id,
                one.title,
                one.why,
                act.words,
            )

    def _measure(self, news: list[News]) -> None:
        found, watch = self.gate.found, self.gate.watch
        if found is not None and watch is not None and self.gate.next_step != self._shown:
            self._shown = self.gate.next_step
            if found.group.shape == (watch.rows,):
                self.metrics.observe(found, watch.names.groups, watch.names.metrics)
        self.metrics.incidents(self.gate.open, news)
        self.metrics.calibrated({name: one.factor for name, one in self.calibration.items()})

    def _run(self) -> None:
        heard_s = monotonic()
        while True:
            with self._wake:
                if self._stop:
                    return
                if not self._waiting:
                    self._wake.wait(FEEDBACK_S / 4)
            self._write()
            if monotonic() - heard_s >= FEEDBACK_S:
                heard_s = monotonic()
                self._hear()

    def _write(self) -> None:
        """What waits goes to disk; what the disk does not take now waits on."""
        with self._wake:
            waiting = list(self._waiting)
        if not waiting:
            return
        newest = {each.incident.id: each.incident for each in waiting}
        try:
            self.store.put(list(newest.values()))
        except Exception:
            log.exception("incidents_not_written: they wait")
            return
        with self._wake:
            for _ in waiting:
                if self._waiting:
                    self._waiting.popleft()

    def _hear(self) -> None:
        """Labels that people gave, from the store."""
        try:
            said = self.store.labelled()
        except Exception:
            log.exception("feedback_not_read: calibrations stay")
            return
        found = dict(calibrations(said, self._now_s))
        if found != self.calibration:
            for name, one in found.items():
                if self.calibration.get(name) != one:
                    log.info("feedback workload=%s %s", name, one.words)
        self.calibration = found
        fleet = self._fleet
        if fleet is not None:
            self.gate.accepted = {
                str(load.ref): load.watching.false_pages_per_week * found[str(load.ref)].factor
                for load in fleet.workloads
                if str(load.ref) in found
            }
