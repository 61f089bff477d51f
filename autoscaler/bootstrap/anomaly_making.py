"""Makes what a service needs to look for anomalies: the gate, its learner, its signals, and the desk that tells."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autoscaler.adapters.anomaly_metrics import AnomalyMetrics
from autoscaler.adapters.store.incidents import StoredIncidents
from autoscaler.adapters.telemetry import Telemetry
from autoscaler.bootstrap.alerts import AlertDesk
from autoscaler.bootstrap.anomaly_alerts import IncidentAlerts
from autoscaler.bootstrap.anomaly_desk import AnomalyDesk
from autoscaler.bootstrap.anomaly_gate import AnomalyGate
from autoscaler.bootstrap.anomaly_learning import Learner
from autoscaler.bootstrap.anomaly_recipe import further
from autoscaler.bootstrap.anomaly_signals import SignalHistory
from autoscaler.bootstrap.anomaly_state import AnomalyStateKeeper
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.detection.engine import DAY_S
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.incident import Incident, News
from autoscaler.domain.series import Floats, Ints
from autoscaler.domain.workload import Demand
from autoscaler.intake.history import History
from autoscaler.pipeline.detecting import as_demand
from autoscaler.ports.metrics import MetricsReader

log = logging.getLogger("foresail")


def anomaly_desk(
    settings: ServiceSettings, history: History, readers: tuple[MetricsReader, MetricsReader], telemetry: Telemetry,
    servers: Callable[[], bool],
) -> AnomalyDesk | None:  # fmt: skip
    """None where a step does not divide a day. readers: for a thread of its own, and for the tick's own (files).

    servers: whether any source is one, which may be slow.
    """
    step_s = settings.step_s
    if DAY_S % step_s:
        log.warning("anomalies_off: steps of %d s do not make up a day; use --step 60s", step_s)
        return None
    folder = detection_folder(settings.store)
    keep = settings.history_days * DAY_S // step_s
    signals = Signals(
        SignalHistory(readers[0], step_s, keep), SignalHistory(readers[1], step_s, keep, beside=False), servers
    )

    gate = AnomalyGate(step_s, Learner(folder.with_name(f"{folder.name}-learning")), signals, history)
    if settings.detectors is not None:
        gate.voices = further(settings.detectors, step_s, folder.with_name(f"{folder.name}-recipe"))
    state = AnomalyStateKeeper(folder, step_s) if settings.state_every_s is not None else None
    return AnomalyDesk(gate, StoredIncidents(settings.store), telemetry.kin(AnomalyMetrics), state, signals)


def detection_folder(store: Path) -> Path:
    """The folder of what detection remembers: beside the record."""
    return store.with_name(f"{store.stem}-detection")


class Signals:
    """Of servers beside the tick, of files in it; whichever the fleet has now."""

    def __init__(self, beside: SignalHistory, within: SignalHistory, servers: Callable[[], bool]) -> None:
        self._beside, self._within, self._servers = beside, within, servers

    def columns(self, signals: tuple[Demand, ...], first_step: int, end_step: int, rows: Ints | None = None) -> Floats:
        return self._chosen.columns(signals, first_step, end_step, rows)

    def begins(self, first_step: int, end_step: int) -> Ints:
        return self._chosen.begins(first_step, end_step)

    def missing(self) -> dict[Demand, str]:
        return self._chosen.missing()

    @property
    def _chosen(self) -> SignalHistory:
        return self._beside if self._servers() else self._within

    def close(self) -> None:
        self._beside.close()
        self._within.close()


@dataclass(slots=True)
class Teller:
    """On-call hears of incidents as of every other alert."""

    alerts: AlertDesk
    made: IncidentAlerts

    def tell(self, news: list[News], now_s: float) -> None:
        self.alerts.tell(self.made.of(news, now_s), self.made.standing)

    def restore(self, opened: list[Incident]) -> None:
        """What was open before a restart stands on."""
        self.made.restore(opened)
        self.alerts.tell([], self.made.standing)


def told_by(alerts: AlertDesk, common: dict[str, str]) -> Teller:
    return Teller(alerts, IncidentAlerts(common))


def asked(fleet: Fleet) -> tuple[Demand, ...]:
    """Demands and signals, for sources that must know what they will be asked."""
    return (*fleet.demands, *(as_demand(signal) for load in fleet.workloads for signal in load.signals))
