"""One writer at a time: a Lease of coordination.k8s.io, held on the monotonic clock.

The holder renews every `retry_s` and counts its term from the moment at which the last successful renewal was *sent*.
Writes start within `deadline_s` of it and are on their way no later than `duration_s`. A candidate takes over after the
record has not moved for `duration_s` by its own clock, which begins when it saw the record, so later. No wall clock
decides anything; renewTime is for people. The record moves by resourceVersion alone, so of two candidates one loses.

Source of the protocol: client-go, tools/leaderelection. There, 15 s, 10 s and 2 s are the defaults too.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.domain.errors import Refused

log = logging.getLogger("foresail")

LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"


def steady_s() -> float:
    """Seconds that only run forward, over a suspended machine too where the system counts that."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """identity: of this process, never used again. duration_s: whole seconds, as the record has no others."""

    namespace: str
    name: str
    identity: str
    duration_s: int = 15
    deadline_s: float = 10.0
    retry_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry_s < self.deadline_s < self.duration_s:
            told = f"{self.retry_s:g} s, {self.deadline_s:g} s, {self.duration_s} s"
            raise Refused(f"a lease is tried again before its deadline, and that before its end; got {told}")

    @staticmethod
    def lasting(namespace: str, name: str, identity: str, duration_s: int) -> LeaseSettings:
        """With the other two in client-go's proportions."""
        if duration_s < 3:
            raise Refused(f"a lease of {duration_s} s is too short for a slow answer; write 3s or more, 15s is usual")
        return LeaseSettings(namespace, name, identity, duration_s, duration_s * 2 / 3, duration_s * 2 / 15)


@dataclass(frozen=True, slots=True)
class _Record:
    holder: str
    renewed: str
    transitions: int
    duration_s: float


@dataclass(slots=True)
class Elector:
    """Implements connection.Fence. `step` belongs to one thread; the rest may be read from any.

    connection: of its own and without a fence. term: leaseTransitions of the newest term of ours, -1 = there was none.
    """

    connection: Connection
    settings: LeaseSettings
    clock_s: Callable[[], float] = steady_s
    dice: random.Random = field(default_factory=random.Random)
    holder: str = ""
    term: int = -1
    terms: int = 0
    fault: ApiFault | None = None
    _sent_s: float = float("-inf")
    _lease: dict[str, Any] | None = None
    _seen: tuple[_Record, float] | None = None
    _led: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def leads(self) -> bool:
        return self.left_s() > 0

    def left_s(self) -> float:
        """Seconds for which a write that is sent now may be on its way; 0 past the renewal deadline."""
        age_s = self.clock_s() - self._sent_s
        return self.settings.duration_s - age_s if age_s < self.settings.deadline_s else 0.0

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        self._thread = threading.Thread(target=self.run, name="foresail-lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """After the last write: let another take over at once."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(self.connection.timeout_s * 3)
        self.release()

    def run(self) -> None:
        while not self._stop.is_set():
            try:
                self.step()
            except Exception:
                log.exception("lease_failed")
            self._tell()
            self._stop.wait(self.settings.retry_s * self.dice.uniform(0.9, 1.1))

    def step(self) -> None:
        """One try: renew, take what is free, or look who holds it. Never raises for the API."""
        try:
            self._try()
            self.fault = None
        except ApiFault as fault:
            if not fault.conflict and (self.fault is None or self.fault.status != fault.status):
                log.warning("lease_fault %s/%s: %s", self.settings.namespace, self.settings.name, fault)
            self.fault = None if fault.conflict else fault
            self._lease = None  # whatever we knew of it is looked at anew

    def release(self) -> None:
        """Give the rest of our term away; nothing is written by us from here on."""
        lease, mine = self._lease, self.leads
        self._sent_s = float("-inf")
        if lease is None or not mine:
            return
        spec = lease["spec"] | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
        try:
            self._put(lease | {"spec": spec})
            log.info("lease_released %s/%s", self.settings.namespace, self.settings.name)
        except ApiFault as fault:
            log.warning("lease_not_released: %s; it ends by itself in %d s", fault, self.settings.duration_s)

    def _try(self) -> None:
        settings = self.settings
        if self._lease is None or not self.leads:
            try:
                self._lease = self.connection.get(f"{LEASES.format(settings.namespace)}/{settings.name}")
            except ApiFault as fault:
                if fault.status != 404:
                    raise
                self._create()
                return
        lease = self._lease
        record = _record(lease)
        self.holder = record.holder
        if record.holder and record.holder != settings.identity and not self._ran_out(record):
            self._sent_s = float("-inf")
            return
        self._take(lease, record)

    def _ran_out(self, record: _Record) -> bool:
        """Whether the record has stood still for as long as its holder promised, since we saw it first."""
        now_s = self.clock_s()
        if self._seen is None or self._seen[0] != record:
            self._seen = (record, now_s)
        return now_s - self._seen[1] >= max(record.duration_s, self.settings.duration_s)

    def _create(self) -> None:
        spec = self._spec(0) | {"acquireTime": _now()}
        body = {
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": self.settings.name, "namespace": self.settings.namespace}, "spec": spec,
        }  # fmt: skip
        sent_s = self.clock_s()
        self._won(self.connection.call("POST", LEASES.format(self.settings.namespace), body), sent_s)

    def _take(self, lease: dict[str, Any], record: _Record) -> None:
        ours = record.holder == self.settings.identity
        spec = lease["spec"] | self._spec(record.transitions if ours else record.transitions + 1)
        if not ours:
            spec["acquireTime"] = _now()
        sent_s = self.clock_s()
        self._won(self._put(lease | {"spec": spec}), sent_s)

    def _spec(self, transitions: int) -> dict[str, Any]:
        return {
            "holderIdentity": self.settings.identity, "leaseDurationSeconds": self.settings.duration_s,
            "renewTime": _now(), "leaseTransitions": transitions,
        }  # fmt: skip

    def _put(self, lease: dict[str, Any]) -> dict[str, Any]:
        path = f"{LEASES.format(self.settings.namespace)}/{self.settings.name}"
        answer: dict[str, Any] = self.connection.call("PUT", path, lease)
        return answer

    def _won(self, lease: dict[str, Any], sent_s: float) -> None:
        """sent_s: before the call. An answer that came after the deadline is worth nothing by then."""
        again = self.leads
        self._lease, self.holder, self._sent_s = lease, self.settings.identity, sent_s
        self.term = _record(lease).transitions
        if not again:
            self.terms += 1

    def _tell(self) -> None:
        leads = self.leads
        if leads != self._led:
            self._led = leads
            if leads:
                log.info("leader term=%d identity=%s", self.term, self.settings.identity)
            else:
                other = self.holder if self.holder != self.settings.identity else ""
                log.warning("standby: %s", f"{other} leads" if other else "the term could not be renewed in time")


def _record(lease: dict[str, Any]) -> _Record:
    spec = lease.get("spec") or {}
    return _Record(
        str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or ""),
        int(spec.get("leaseTransitions") or 0), float(spec.get("leaseDurationSeconds") or 0),
    )  # fmt: skip


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
