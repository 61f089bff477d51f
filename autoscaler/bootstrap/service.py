"""Composes a service: the sources in force, the cluster twin, the record, and the clock it decides by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from autoscaler.adapters.clock import ReplayClock, SystemClock
from autoscaler.adapters.sources import Sources
from autoscaler.adapters.store import DecisionStore
from autoscaler.adapters.telemetry import Telemetry
from autoscaler.bootstrap.alert_making import Telling, common_labels, desk_of, must_be_usable
from autoscaler.bootstrap.anomaly_making import anomaly_desk, told_by
from autoscaler.bootstrap.between_ticks import MOST_IN_TICK, BetweenTicks
from autoscaler.bootstrap.capacities import LearnedCapacityKeeper, WithNotes
from autoscaler.bootstrap.cold_start import ColdStart
from autoscaler.bootstrap.engine_state_keeper import EngineStateKeeper
from autoscaler.bootstrap.fleet_files import FleetFiles
from autoscaler.bootstrap.live_sources import LiveSources, ServerReader
from autoscaler.bootstrap.past import Past
from autoscaler.bootstrap.running import Caretaker, Service
from autoscaler.bootstrap.server_time import ServerClock
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.errors import InvalidSpec, Refused
from autoscaler.domain.series import SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.intake.suspicion import Suspicions
from autoscaler.pipeline.tick import Pipeline
from autoscaler.ports.clock import Clock
from autoscaler.ports.cluster import Cluster
from autoscaler.ports.metrics import MetricsReader
from autoscaler.simulator.live import LiveTwin
from autoscaler.spec.compile import PrometheusSource

__all__ = ["Outside", "Service", "composed", "service"]

DAY_S = 86400
OpenServer = Callable[[PrometheusSource], ServerReader]
OpenCluster = Callable[[ServiceSettings, Clock, Iterable[str]], tuple[Cluster, Caretaker] | None]


def service(settings: ServiceSettings, clock: Clock | None = None, opener: OpenServer | None = None) -> Service:
    """A service ready for its first tick. opener: how a server is reached, for tests.

    Raises InvalidSpec or Refused if not one valid workload is in the files: there would be nothing to run.
    """
    for path in settings.policies:
        if not path.exists():  # later it may be a mount that failed; at the start it is a slip
            raise Refused(f"--policies {path}: no such file or folder; check the path")
    files = FleetFiles(settings.fleet, policies_in=settings.policies, site=settings.site)
    files.refresh()
    if not len(files.fleet):
        if files.problems:
            raise InvalidSpec(files.problems)
        raise Refused(f"no PredictiveAutoscaler in {', '.join(map(str, settings.fleet))}; write one, or name its file")
    return composed(settings, files, Outside(_open_named, clock, opener))


@dataclass(frozen=True, slots=True)
class Outside:
    """What a service is composed over. cluster: None from it = a simulated one; the others: None = the usual.

    leads: whether this process is the one that tells on-call.
    """

    cluster: OpenCluster
    clock: Clock | None = None
    opener: OpenServer | None = None
    telemetry: Telemetry | None = None
    leads: Callable[[], bool] = lambda: True


def composed(settings: ServiceSettings, files: FleetFiles, outside: Outside) -> Service:
    """A service over a fleet that was read, ready for its first tick. One that fails to begin leaves nothing open."""
    must_be_usable(settings)
    with ExitStack() as undone:
        made = _made(settings, files, outside, undone)
        made.begin()
        undone.pop_all()
    return made


def _made(settings: ServiceSettings, files: FleetFiles, outside: Outside, undone: ExitStack) -> Service:
    chosen = outside.clock or _clock(settings)
    sources = LiveSources(outside.opener or _opener(settings), Sources, settings.deadline_s)
    judged = Judged(sources, Suspicions(sources))
    history = History(settings.step_s, settings.history_days * DAY_S // settings.step_s)
    store = DecisionStore.open(settings.store, tick_s=settings.tick_s)
    undone.callback(store.close)
    cluster: Cluster = LiveTwin(chosen, Collected(history, files), settings.step_s)
    caretaker = None
    real = outside.cluster(settings, chosen, {ref.namespace for ref in store.workloads()})
    if real is not None:
        cluster, caretaker = real
    capacities = LearnedCapacityKeeper.restored(sources.beside(sources), settings.capacities, settings.step_s)
    files.adjusted = capacities.applied
    files.adjust()
    cluster = WithNotes(cluster, capacities.notes)
    pipeline = Pipeline(judged, cluster, store, history, PeakServer(serving_models()), CHAIN)
    past = Past(history, sources.beside(judged), settings.demand_store, settings.backfill)
    past.suspicions = judged.suspicions
    pipeline.cluster = WithNotes(pipeline.cluster, past.notes)
    made = Service(settings, chosen, files, sources, past, pipeline, store, caretaker=caretaker)
    undone.pop_all()  # the service closes what it was given
    undone.callback(made.close)
    if outside.telemetry is not None:
        made.telemetry = outside.telemetry
    made.capacities = capacities
    made.cold_start = ColdStart.beside(settings.store)
    if settings.beside:  # a single decision learns all at once, and is looked at by who asked for it
        made.between = BetweenTicks(pipeline.server.turns)
        pipeline.server.turns.most = MOST_IN_TICK
        made.alerts = desk_of(settings, Telling(made.telemetry, chosen, outside.leads))
    if settings.anomalies and settings.beside:
        readers = (sources.beside(sources), sources)
        made.anomalies = anomaly_desk(settings, history, readers, made.telemetry, lambda: bool(files.servers))
    if made.anomalies is not None:
        pipeline.detector = made.anomalies.gate
        if made.alerts is not None:
            made.anomalies.teller = told_by(made.alerts, common_labels(settings))
    if settings.state_every_s is not None:
        made.memory = EngineStateKeeper(settings.state_folder, settings.step_s, interval_s=settings.state_every_s)
    return made


def _open_named(settings: ServiceSettings, clock: Clock, namespaces: Iterable[str]) -> tuple[Cluster, Caretaker] | None:
    """The cluster that the settings name; its client is loaded only then."""
    if settings.cluster is None:
        return None
    from autoscaler.bootstrap.clusters import open_cluster

    return open_cluster(settings, clock, namespaces)


def _opener(settings: ServiceSettings) -> OpenServer:
    """The Prometheus client is loaded with the first server: a fleet of files needs none."""

    def opened(source: PrometheusSource) -> ServerReader:
        from autoscaler.bootstrap.servers import open_server

        return open_server(source, settings.deadline_s)

    return opened


def _clock(settings: ServiceSettings) -> Clock:
    if settings.replay_from is not None:
        if settings.replay_since is not None:
            return ReplayClock.shared(settings.replay_from, settings.speed, settings.replay_since)
        return ReplayClock(settings.replay_from, settings.speed)
    return ServerClock(SystemClock())


@dataclass(frozen=True, slots=True)
class Judged:
    """Implements ports.MetricsReader. A recording is what it is; of a server the suspicious answers are taken back."""

    sources: LiveSources
    suspicions: Suspicions

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        reader: MetricsReader = self.suspicions if self.sources.servers else self.sources
        return reader.load(demands, first_step, end_step, step_s)


@dataclass(frozen=True, slots=True)
class Collected:
    """Implements ports.MetricsReader over what a tick has collected: the twin's HPAs ask no server a second time."""

    history: History
    files: FleetFiles

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        panel = self.history.panel()
        rows = {demand: row for row, demand in enumerate(self.files.fleet.demands) if row < panel.rows}
        here = [k for k, demand in enumerate(demands) if demand in rows]
        raw = np.full((len(demands), end_step - first_step), np.nan)
        raw[here] = panel.columns(first_step, end_step, np.array([rows[demands[k]] for k in here], dtype=np.int64))
        return SeriesBatch.judge(step_s, first_step, raw)
