"""The cluster of a process that may lead or stand by: everybody looks, who leads writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from autoscaler.adapters.kubernetes.cluster import KubernetesCluster
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.replicas import ReplicaStatus, ScaleRequest


class Term(Protocol):
    """terms: how many terms of ours there were."""

    @property
    def leads(self) -> bool: ...

    @property
    def terms(self) -> int: ...


@dataclass(slots=True)
class LedCluster:
    """Implements ports.Cluster. doubt: why nothing may be written in a namespace now, None = it may.

    What we remember of our own writes is true only while nobody else writes: each term begins without it, from what
    the objects say. The connection's fence is what stops a write; this only spares the attempt.
    """

    make: Callable[[], KubernetesCluster]
    term: Term
    doubt: Callable[[str], str | None]
    inner: KubernetesCluster = field(init=False)
    _of_term: tuple[bool, int] = (False, 0)

    def __post_init__(self) -> None:
        self.inner = self.make()

    def observe(self, fleet: Fleet) -> ReplicaStatus:
        now = (self.term.leads, self.term.terms)
        if now == self._of_term:
            return self.inner.observe(fleet)
        made = self.make()
        status = made.observe(fleet)
        self.inner, self._of_term = made, now  # only now: a term whose first look failed has not begun
        return replace(status, inherited=True)

    def apply(self, fleet: Fleet, requests: Sequence[ScaleRequest], now_s: float) -> Mapping[int, tuple[Note, ...]]:
        """A standby writes nothing and says nothing: its numbers are those that it would write."""
        if (self.term.leads, self.term.terms) != self._of_term or not self.term.leads:
            return {}
        doubts = {n: self.doubt(n) for n in {fleet.workloads[r.lane].ref.namespace for r in requests}}
        told: dict[int, tuple[Note, ...]] = {}
        sure = []
        for request in requests:
            why = doubts[fleet.workloads[request.lane].ref.namespace]
            if why is None:
                sure.append(request)
            else:
                words = f"not written: it may have been changed or paused since ({why})"
                told[request.lane] = (Note(Condition.CLUSTER_UNREACHABLE, words),)
        return {**told, **self.inner.apply(fleet, sure, now_s)}
