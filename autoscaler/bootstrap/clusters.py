"""Composes the real cluster: the connection, what is held in it, and the caretaker of floors that nobody wants."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autoscaler.adapters.kubernetes.cluster import KubernetesCluster
from autoscaler.adapters.kubernetes.connection import Access, Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.floors import Floors
from autoscaler.adapters.kubernetes.reading import Kinds
from autoscaler.adapters.kubernetes.release import Held, Released, held, release
from autoscaler.bootstrap.fleet_files import FleetFiles
from autoscaler.bootstrap.settings import ClusterSettings, ServiceSettings
from autoscaler.domain.errors import Refused
from autoscaler.domain.workload import Mode
from autoscaler.ports.clock import Clock

log = logging.getLogger("foresail")
VISIT_S = 600.0
CALL_S = 5.0


def connect(settings: ClusterSettings, timeout_s: float = CALL_S) -> Connection:
    """Raises Refused at once for credentials that cannot be used; later they may be in the middle of a rotation."""
    access = Access(settings.kubeconfig, settings.context, settings.in_cluster)
    connection = Connection(access, timeout_s)
    log.info("cluster url=%s installation=%s", connection.host, settings.installation)
    return connection


def open_cluster(settings: ServiceSettings, clock: Clock) -> tuple[KubernetesCluster, FloorCaretaker]:
    """Raises Refused when the credentials cannot be used; a server that is away is met at every tick anew."""
    if settings.cluster is None:
        raise Refused("no cluster is named")
    timeout_s = min(CALL_S, settings.deadline_s)
    connection = connect(settings.cluster, timeout_s)
    cluster = KubernetesCluster(connection, settings.cluster.installation, clock, settings.speed)
    return cluster, FloorCaretaker(cluster, idle=not settings.beside)


@dataclass(slots=True)
class FloorCaretaker:
    """At start, when the files change, and every ten minutes: floors that this installation holds for nobody any more.

    idle: gives nothing back; a single decision over some files is no statement about the others.
    """

    cluster: KubernetesCluster
    idle: bool = False
    monotonic: Callable[[], float] = time.monotonic
    _next_s: float = float("-inf")
    _generation: int = -1

    def visit(self, files: FleetFiles) -> None:
        """Never raises for the API: what cannot be given back now is tried at the next visit."""
        same = files.generation == self._generation
        if self.idle or (same and self.monotonic() < self._next_s):
            return
        self._next_s, self._generation = self.monotonic() + VISIT_S, files.generation
        connection, kinds = self.cluster.connection, self.cluster.kinds
        try:
            mine = held(connection, kinds, self.cluster.installation)
        except ApiFault as fault:
            namespaces = sorted({w.ref.namespace for w in files.fleet.workloads})
            try:
                mine = held(connection, kinds, self.cluster.installation, namespaces) if fault.forbidden else []
            except ApiFault as again:
                fault, mine = again, []
            if not mine and not fault.forbidden:
                log.warning("orphans_unknown: %s", fault)
                self._next_s = float("-inf")
        for done in release(self.cluster.floors, self._orphans(mine, files)):
            log.log(logging.WARNING if done.failed else logging.INFO, "orphan_released %s", done.words)

    def close(self) -> None:
        self.cluster.close()

    def _orphans(self, mine: Sequence[Held], files: FleetFiles) -> list[Held]:
        """A document that is broken is not a deleted one: while it may be the one, its floor stays."""
        wanted = {str(w.ref): w for w in files.fleet.workloads if w.mode is Mode.ACT and w.actuation.is_floor}
        written = {str(w.ref) for w in files.fleet.workloads}
        refused = {str(ref) for ref in files.refused}
        found = []
        for one in mine:
            who = one.claim.workload
            if who in wanted:
                load = wanted[who]
                aims_at = one.thing["spec"].get("scaleTargetRef", {})
                same = aims_at.get("name") == load.target.name and one.namespace == load.ref.namespace
                if same and (aims_at.get("kind") or "Deployment") == load.target.kind:
                    continue
            elif who not in written and (files.unnamed or who in refused):
                continue
            found.append(one)
        return found


def release_now(
    settings: ClusterSettings, workloads: Sequence[str], told: Callable[[Released], None]
) -> tuple[list[Released], list[str]]:
    """Hand back what the installation holds, all of it or of the named workloads (NAMESPACE/NAME, or NAME).

    Returns what was done, and the names for which nothing is held. Retryable when the cluster cannot be asked.
    """
    connection = connect(settings)
    try:
        kinds = Kinds(connection)
        try:
            mine = held(connection, kinds, settings.installation)
        except ApiFault as fault:
            namespaces = sorted({w.partition("/")[0] for w in workloads if "/" in w})
            if not (fault.forbidden and namespaces and all("/" in w for w in workloads)):
                raise
            mine = held(connection, kinds, settings.installation, namespaces)  # rights in some namespaces are enough
        if workloads:
            chosen = [h for h in mine if any(_is(h.claim.workload, w) for w in workloads)]
            missing = [w for w in workloads if not any(_is(h.claim.workload, w) for h in mine)]
        else:
            chosen, missing = mine, []
        return release(Floors(connection, settings.installation), chosen, told), missing
    finally:
        connection.close()


def _is(full: str, named: str) -> bool:
    return full == named or ("/" not in named and full.rpartition("/")[2] == named)
