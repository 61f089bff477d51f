"""Taking the writer's Lease from a running operator, so that what is handed back now is not raised again.

The operator stops by the protocol of `lease`: its next renewal meets our record, and none of its writes begins later
than its own lease duration after the last renewal, so after that time we are alone. Nobody has to be told or stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.lease import LEASES
from autoscaler.domain.errors import Retryable

log = logging.getLogger("foresail")

HELD_S = 600
"""While it is used: a process of ours that dies keeps an operator waiting for no longer."""
KEPT_S = 60
"""Afterwards: time to remove the operator."""
TRIES = 10
TRY_S = 0.3


@dataclass(frozen=True, slots=True)
class Takeover:
    """Of one Lease. identity: ours in it, never used again. Retryable from `take` when the Lease cannot be had."""

    connection: Connection
    namespace: str
    name: str
    identity: str
    sleep: Callable[[float], None] = time.sleep

    def take(self) -> None:
        """Returns when no operator writes any more: after the lease duration of the one that led."""
        former = self._put(self.identity, HELD_S)
        holder = str(former.get("holderIdentity") or "")
        if holder:
            wait_s = float(former.get("leaseDurationSeconds") or 0)
            log.info("lease_taken %s/%s from=%s waiting_s=%g", self.namespace, self.name, holder, wait_s)
            self.sleep(wait_s)

    def end(self, *, keep: bool) -> None:
        """keep: nobody writes for another KEPT_S; otherwise an operator that is there goes on at once."""
        try:
            self._put(self.identity if keep else "", KEPT_S if keep else 1)
        except Retryable as why:
            log.warning("%s; it ends by itself in %d s", why, HELD_S)

    def _put(self, holder: str, duration_s: int) -> dict[str, Any]:
        """The spec that stood there before; empty where there was none."""
        last: ApiFault | None = None
        for _ in range(TRIES):
            try:
                return self._try(holder, duration_s)
            except ApiFault as fault:
                last = fault
                if not fault.conflict:
                    break
                self.sleep(TRY_S)  # its holder renewed in between
        raise Retryable(f"the Lease {self.namespace}/{self.name} cannot be written: {last}") from last

    def _try(self, holder: str, duration_s: int) -> dict[str, Any]:
        leases, now = LEASES.format(self.namespace), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
        wanted: dict[str, Any] = {"holderIdentity": holder, "leaseDurationSeconds": duration_s, "renewTime": now}
        try:
            lease = self.connection.get(f"{leases}/{self.name}")
        except ApiFault as fault:
            if fault.status != 404:
                raise
            body = {
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"namespace": self.namespace, "name": self.name},
                "spec": wanted | {"acquireTime": now, "leaseTransitions": 0},
            }  # fmt: skip
            self.connection.call("POST", leases, body)
            return {}
        former: dict[str, Any] = lease.get("spec") or {}
        if former.get("holderIdentity") != holder:
            wanted |= {"acquireTime": now, "leaseTransitions": int(former.get("leaseTransitions") or 0) + 1}
        self.connection.call("PUT", f"{leases}/{self.name}", lease | {"spec": former | wanted})
        return former
