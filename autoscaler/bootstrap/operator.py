"""The operator: custom resources in, one leader that writes, standbys that are ready to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from autoscaler.adapters.kubernetes.cluster import KubernetesCluster
from autoscaler.adapters.kubernetes.connection import Access, Connection
from autoscaler.adapters.kubernetes.kept import KeptCluster
from autoscaler.adapters.kubernetes.lease import Elector, LeaseSettings
from autoscaler.adapters.kubernetes.led import LedCluster
from autoscaler.adapters.kubernetes.objects import ObjectCache
from autoscaler.adapters.kubernetes.telling import Reporter
from autoscaler.adapters.kubernetes.watching import QUIET_S, KindCache
from autoscaler.adapters.operator_metrics import OperatorMetrics, WatchFacts
from autoscaler.adapters.store.place import Place
from autoscaler.adapters.telemetry import Telemetry
from autoscaler.bootstrap.alert_making import must_be_usable
from autoscaler.bootstrap.clusters import CALL_S, connect
from autoscaler.bootstrap.fleet_objects import FleetObjects
from autoscaler.bootstrap.live_sources import ServerReader
from autoscaler.bootstrap.operator_caretaker import LedCaretaker
from autoscaler.bootstrap.operator_teller import StatusTeller
from autoscaler.bootstrap.servers import open_server
from autoscaler.bootstrap.service import OpenServer, Outside, Service, composed
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.bootstrap.source_secrets import SourceSecrets
from autoscaler.domain.decision import Decisions
from autoscaler.domain.errors import Refused
from autoscaler.ports.clock import Clock
from autoscaler.reporting.status_conditions import DOCS
from autoscaler.spec.compile import PrometheusSource

log = logging.getLogger("foresail")

LEASE_CALL_SHARE = 0.4
"""Of the renewal deadline: a call that hangs must leave time for another try."""


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """service: with its cluster named, without fleet files. namespaces: of the autoscalers; none = all.

    quiet_s: longest silence of a watch.
    """

    service: ServiceSettings
    lease: LeaseSettings
    namespaces: Sequence[str] = ()
    quiet_s: float = QUIET_S


class Teller(Protocol):
    """Tells the cluster what was decided, in statuses and events."""

    def tell(self, decisions: Decisions, files: FleetObjects) -> None: ...


@dataclass(slots=True)
class Operator:
    """A service over custom resources. `tick` belongs to one thread; nothing is decided before all was read once."""

    settings: OperatorSettings
    connection: Connection
    files: FleetObjects
    elector: Elector
    make: Callable[[], Service]
    telemetry: Telemetry
    metrics: OperatorMetrics
    teller: Teller | None = None
    service: Service | None = None
    _waiting: bool = False
    _failed: bool = False
    _campaigning: bool = False
    secrets: SourceSecrets | None = None
    kept: KeptCluster | None = None
    _lifelines: list[Connection] = field(default_factory=list)

    def start(self) -> None:
        """Begin to read. It stands for the Lease with its first successful tick."""
        self.files.cache.start()
        if self.secrets is not None:
            self.secrets.start()

    def tick(self) -> Decisions | None:
        """One tick; None before the first full reading, and when the tick failed."""
        try:
            self._observe()
            if self.service is None:
                if not self._ready_to_begin():
                    return None
                self.service = self.make()
            decisions = self.service.tick()
            if decisions is not None and not self._campaigning:
                self._campaigning = True
                self.elector.start()  # who leads can decide: a process that is still learning keeps nobody waiting
        except Exception:
            self._failed = True
            log.exception("operator_tick_failed")
            return None
        self._failed = False
        if decisions is not None:
            self._tell(decisions)
        return decisions

    def between_ticks(self, left_s: Callable[[], float]) -> None:
        """After a tick, in its thread. left_s: seconds until the next one is due."""
        if self.service is not None:
            self.service.between_ticks(left_s)

    def _tell(self, decisions: Decisions) -> None:
        """What was decided stands whether or not it can be told: no reason for a restart."""
        if self.teller is None or not self.elector.leads:
            return
        try:
            self.teller.tell(decisions, self.files)
        except Exception:
            log.exception("operator_telling_failed")

    def _ready_to_begin(self) -> bool:
        if self.files.cache.synced:
            return True
        if not self._waiting:
            self._waiting = True
            log.info("waiting until all objects were read; nothing is decided before")
        return False

    def _observe(self) -> None:
        facts = [WatchFacts(k.path, k.fault is None, k.silent_s, k.count) for k in self._watches()]
        self.metrics.observe(facts, self.elector.terms, leads=self.elector.leads)

    def skipped(self) -> None:
        if self.service is not None:
            self.service.skipped()

    @property
    def ready(self) -> bool:
        """Whether it could take over: all was read, and a tick has succeeded."""
        return self.service is not None and self.service.last_tick is not None

    def health(self) -> dict[str, Any]:
        """Not ok is what a restart may mend: ticks that fail or hang, a thread that died; no outage of the API."""
        told: dict[str, Any] = {"ok": True, "workloads": 0} if self.service is None else self.service.health()
        threads = all(kind.alive for kind in self._watches()) and (self.elector.alive or not self._campaigning)
        return told | {
            "ok": told["ok"] and threads and not self._failed,
            "leader": self.elector.leads,
            "holder": self.elector.holder,
            "term": self.elector.term,
            "leaseFault": None if self.elector.fault is None else str(self.elector.fault),
            "synced": self.files.cache.synced,
            "watches": {
                kind.path: {"fault": None if kind.fault is None else str(kind.fault), "objects": kind.count}
                for kind in self._watches()
            },
        }

    def _watches(self) -> tuple[KindCache, ...]:
        """Of our own objects, and of the cluster's that are looked at."""
        return (*self.files.cache.kinds, *(self.kept.watches if self.kept is not None else ()))

    def close(self) -> None:
        """After the last tick: the term is given away, then all is closed."""
        self.elector.stop()
        self.files.cache.stop()
        if self.kept is not None:
            self.kept.close()
        if self.service is not None:
            self.service.close()
        if self.secrets is not None:
            self.secrets.stop()
        for lifeline in (*self._lifelines, self.connection):
            lifeline.close()


def operator(settings: OperatorSettings, opener: OpenServer | None = None) -> Operator:
    """An operator that has not started yet. opener: how a metrics server is reached, for tests.

    Raises Refused when no cluster is named or its credentials cannot be used.
    """
    named = settings.service.cluster
    if named is None:
        raise Refused("an operator needs a cluster: --in-cluster, or --kubeconfig FILE")
    must_be_usable(settings.service)
    Place.of(settings.service.store).must_be_usable()  # later it may be a disk that failed; at the start it is a slip
    connection = connect(named, min(CALL_S, settings.service.deadline_s))
    access = Access(named.kubeconfig, named.context, named.in_cluster)
    lease_line = Connection(access, min(CALL_S, settings.lease.deadline_s * LEASE_CALL_SHARE))
    watch_line = Connection(access, CALL_S)
    elector = Elector(lease_line, settings.lease)
    connection.fence = elector
    cache = ObjectCache.of(watch_line, settings.namespaces, settings.quiet_s)
    kept = KeptCluster(watch_line, settings.namespaces, settings.quiet_s, max(2 * settings.quiet_s, 1.0))
    telemetry = Telemetry()

    def open_led(_: ServiceSettings, clock: Clock, namespaces: Iterable[str]) -> tuple[LedCluster, LedCaretaker]:
        def made() -> KubernetesCluster:
            return KubernetesCluster(connection, named.installation, clock, settings.service.speed, kept=kept)

        led = LedCluster(made, elector, cache.doubt)
        return led, LedCaretaker(made(), namespaces=set(namespaces), cache=cache, term=elector)

    for path in settings.service.policies:
        if not path.exists():  # later it may be a mount that failed; at the start it is a slip
            raise Refused(f"--policies {path}: no such file or folder; check the path")
    files = FleetObjects((), cache=cache, site=settings.service.site, policies_in=settings.service.policies)

    secrets = SourceSecrets(watch_line, settings.lease.namespace, files)

    def open_with_secrets(source: PrometheusSource) -> ServerReader:
        return open_server(source, settings.service.deadline_s, secrets)

    def make() -> Service:
        files.refresh()
        outside = Outside(open_led, None, opener or open_with_secrets, telemetry, lambda: elector.leads)
        return composed(settings.service, files, outside)

    metrics = OperatorMetrics(telemetry.registry)
    docs = settings.service.alerts.docs_url or DOCS
    teller = StatusTeller(Reporter(connection, settings.lease.identity), elector, metrics, docs=docs)
    return Operator(
        settings,
        connection,
        files,
        elector,
        make,
        telemetry,
        metrics,
        teller,
        secrets=secrets,
        kept=kept,
        _lifelines=[lease_line, watch_line],
    )
