"""Composes the real cluster: the connection, what is held in it, and the caretaker of floors that nobody wants."""

from __future__ import annotations

import logging
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from autoscaler.adapters.kubernetes.cluster import KubernetesCluster
from autoscaler.adapters.kubernetes.connection import Access, Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.floors import Floors
from autoscaler.adapters.kubernetes.reading import Kinds
from autoscaler.adapters.kubernetes.release import Held, Released, held, release
from autoscaler.adapters.kubernetes.takeover import Takeover
from autoscaler.bootstrap.fleet_files import FleetFiles
from autoscaler.bootstrap.settings import ClusterSettings, ServiceSettings
from autoscaler.domain.errors import Refused
from autoscaler.domain.workload import Mode
from autoscaler.ports.clock import Clock

log = logging.getLogger("foresail")
VISIT_S = 600.0
RETRY_S = 60.0
CALL_S = 5.0


def connect(settings: ClusterSettings, timeout_s: float = CALL_S) -> Connection:
    """Raises Refused at once for credentials that cannot be used; later they may be in the middle of a rotation."""
    access = Access(settings.kubeconfig, settings.context, settings.in_cluster)
    connection = Connection(access, timeout_s)
    log.info("cluster url=%s installation=%s", connection.host, settings.installation)
    return connection


def open_cluster(
    settings: ServiceSettings, clock: Clock, namespaces: Iterable[str]
) -> tuple[KubernetesCluster, FloorCaretaker]:
    """namespaces: where we may hold something, as the record knows.

    Raises Refused when the credentials cannot be used; a server that is away is met at every tick anew.
    """
    if settings.cluster is None:
        raise Refused("no cluster is named")
    timeout_s = min(CALL_S, settings.deadline_s)
    connection = connect(settings.cluster, timeout_s)
    cluster = KubernetesCluster(connection, settings.cluster.installation, clock, settings.speed)
    return cluster, FloorCaretaker(cluster, idle=not settings.beside, namespaces=set(namespaces))


@dataclass(slots=True)
class FloorCaretaker:
    """At start, when the files change, and every ten minutes: floors that this installation holds for nobody any more.

    idle: gives nothing back; a single decision over some files is no statement about the others. namespaces: where to
    look with rights in some of them only.
    """

    cluster: KubernetesCluster
    idle: bool = False
    monotonic: Callable[[], float] = time.monotonic
    _next_s: float = float("-inf")
    namespaces: set[str] = field(default_factory=set)
    _generation: int = -1
    _warned: set[str] = field(default_factory=set)

    def visit(self, files: FleetFiles) -> None:
        """Never raises for the API: what cannot be given back now is tried at the next visit."""
        same = files.generation == self._generation
        if self.idle or (same and self.monotonic() < self._next_s):
            return
        self._next_s, self._generation = self.monotonic() + VISIT_S, files.generation
        try:
            mine = self._held(files)
            orphans = [one for one in self._orphans(mine, files) if self.confirmed(one, files)]
            for done in release(self.cluster.floors, orphans):
                log.log(logging.WARNING if done.failed else logging.INFO, "orphan_released %s", done.words)
                if done.failed:
                    self._next_s = self.monotonic() + RETRY_S
        except Exception:
            log.exception("orphans_unknown")  # looking after others' floors never costs a tick
            self._next_s = self.monotonic() + RETRY_S

    def confirmed(self, one: Held, files: FleetFiles) -> bool:  # noqa: ARG002
        """Whether nobody wants it for sure; files are what they are."""
        return True

    def _held(self, files: FleetFiles) -> list[Held]:
        """In the whole cluster; with fewer rights, in every namespace that we know of, each by itself."""
        connection, kinds, mine = self.cluster.connection, self.cluster.kinds, self.cluster.installation
        self.namespaces |= {w.ref.namespace for w in files.fleet.workloads}
        try:
            return held(connection, kinds, mine)
        except ApiFault as fault:
            self._warn("", fault)
            if not fault.forbidden:
                return []
        found = []
        for namespace in sorted(self.namespaces):
            try:
                found += held(connection, kinds, mine, [namespace])
            except ApiFault as fault:
                self._warn(namespace, fault)
        return found

    def _warn(self, where: str, fault: ApiFault) -> None:
        """Once per place for a right that is missing; an outage is told each time and asked again soon."""
        self._next_s = min(self._next_s, self.monotonic() + RETRY_S)
        if fault.forbidden and where in self._warned:
            return
        self._warned.add(where)
        scope = f"namespace {where}" if where else "the whole cluster; known namespaces are looked at"
        log.warning("orphans_unknown in %s: %s", scope, fault)

    def close(self) -> None:
        self.cluster.close()

    def _orphans(self, mine: Sequence[Held], files: FleetFiles) -> list[Held]:
        """A document that is broken is not a deleted one: while it may be the one, its floor stays.

        Nor is a floor an orphan where somebody else plans for its target now: the new one takes it over as it stands.
        """
        wanted = {str(w.ref): w for w in files.fleet.workloads if w.mode is Mode.ACT and w.actuation.is_floor}
        aimed = {(w.ref.namespace, w.target.kind, w.target.name) for w in wanted.values()}
        written = {str(w.ref) for w in files.fleet.workloads}
        refused = {str(ref) for ref in files.refused}
        found = []
        for one in mine:
            who, at = one.claim.workload, one.thing["spec"].get("scaleTargetRef", {})
            taken = (one.namespace, at.get("kind") or "Deployment", at.get("name")) in aimed
            in_doubt = who not in written and (files.unnamed or who in refused)
            if not taken and not in_doubt:
                found.append(one)
        return found


@dataclass(frozen=True, slots=True)
class Release:
    """done: each that was tried. missing: names for which nothing is held. unreadable: of floors whose mark does not
    say whose they are, what is to be done.
    """

    done: Sequence[Released]
    missing: Sequence[str]
    unreadable: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """What is handed back: `workloads` (NAMESPACE/NAME, or NAME), or all that the installation holds.

    namespaces: look only there; none = in the whole cluster, or in those of the workloads where that is not allowed.
    lease: namespace and name of the Lease to take from a running operator first, so that it raises nothing again.
    """

    workloads: Sequence[str] = ()
    namespaces: Sequence[str] = ()
    lease: tuple[str, str] | None = None


def release_now(settings: ClusterSettings, request: ReleaseRequest, told: Callable[[Released], None]) -> Release:
    """Retryable when the cluster cannot be asked."""
    connection = connect(settings)
    try:
        if request.lease is None:
            return _released(connection, settings, request, told)
        takeover = Takeover(connection, *request.lease, f"release_{socket.gethostname()}_{uuid.uuid4().hex[:12]}")
        takeover.take()
        whole = False
        try:
            ended = _released(connection, settings, request, told)
            whole = not any(each.failed for each in ended.done)
        finally:
            takeover.end(keep=whole)  # a floor that still stands still needs its operator
        return ended
    finally:
        connection.close()


def _released(
    connection: Connection, settings: ClusterSettings, request: ReleaseRequest, told: Callable[[Released], None]
) -> Release:
    kinds, workloads = Kinds(connection), request.workloads
    unreadable: list[str] = []
    try:
        mine = held(connection, kinds, settings.installation, request.namespaces, unreadable.append)
    except ApiFault as fault:
        namespaces = sorted({w.partition("/")[0] for w in workloads if "/" in w})
        if not fault.forbidden or request.namespaces:
            raise
        if not namespaces or not all("/" in w for w in workloads):
            way_out = (
                "name the workloads as NAMESPACE/NAME, say --namespace, "
                "or grant list on horizontalpodautoscalers in the cluster"
            )
            raise Refused(f"floors cannot be looked for in the whole cluster: {way_out} ({fault})") from fault
        # rights in some namespaces are enough
        mine = held(connection, kinds, settings.installation, namespaces, unreadable.append)
    chosen = [h for h in mine if not workloads or any(_is(h.claim.workload, w) for w in workloads)]
    missing = [w for w in workloads if not any(_is(h.claim.workload, w) for h in mine)]
    return Release(release(Floors(connection, settings.installation), chosen, told), missing, unreadable)


def _is(full: str, named: str) -> bool:
    return full == named or ("/" not in named and full.rpartition("/")[2] == named)
