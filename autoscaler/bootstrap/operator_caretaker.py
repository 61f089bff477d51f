"""Floors whose autoscaler is gone are handed back by the leader, and only after the API server has said so itself."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.led import Term
from autoscaler.adapters.kubernetes.objects import ObjectCache
from autoscaler.adapters.kubernetes.release import Held
from autoscaler.bootstrap.clusters import RETRY_S, FloorCaretaker
from autoscaler.bootstrap.fleet_files import FleetFiles
from autoscaler.domain.workload import WorkloadRef

log = logging.getLogger("foresail")


@dataclass(slots=True)
class LedCaretaker(FloorCaretaker):
    """Visits while it leads, at once with a new term. A cache that is behind, or silent, hands nothing back."""

    cache: ObjectCache = field(kw_only=True)
    term: Term = field(kw_only=True)
    _term: int = 0

    def visit(self, files: FleetFiles) -> None:
        if not self.term.leads:
            return
        if self.term.terms != self._term:
            self._term, self._next_s = self.term.terms, float("-inf")
        FloorCaretaker.visit(self, files)

    def confirmed(self, one: Held, files: FleetFiles) -> bool:
        """What is in force says itself that it holds no floor there; of all else the server must say it is gone."""
        namespace, _, name = one.claim.workload.partition("/")
        who = WorkloadRef(namespace, name)
        doubt = self.cache.doubt(namespace)
        if doubt is None and any(w.ref == who for w in files.fleet.workloads):
            return True
        try:
            why = doubt or ("it exists" if self.cache.exists(namespace, name) else None)
        except ApiFault as fault:
            why = str(fault)
        if why is None:
            return True
        log.warning("orphan_kept %s: for %s: %s", one.name, who, why)
        self._next_s = min(self._next_s, self.monotonic() + RETRY_S)
        return False
