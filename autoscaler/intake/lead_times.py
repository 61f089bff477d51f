"""How long a batch of new pods takes until its last one serves, learned from the starts that the cluster shows.

Measured leads replace the stated default once enough starts were seen; what a person typed is never replaced, only
contradicted by a note. Restarts and crash loops never get here: the cluster's adapter leaves them out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.replicas import PodStart
from autoscaler.domain.workload import Lead, LeadBasis, Workload, WorkloadRef

CHAIN_S = 10.0
"""Pods created within this long of one another were asked for together."""
HALF_LIFE_S = 7 * 86_400.0
"""A start counts half as much a week later: images, nodes and code change."""
MOST_BATCHES = 64
ENOUGH = 5
QUANTILE = 0.95
WAITED_S = 5.0
"""A pod that had no node for longer waited for one to be provisioned; less is the scheduler's own time."""
SHARE_THAT_COUNTS = 0.05
CALM_S = 1800.0
"""A lead comes down after this long below what is in force: a refit per start would learn nothing new."""
LEAST_RISE = 1.05
CLOCK_S = 1.0
"""Stamps of pods are whole seconds, cut off."""


@dataclass(slots=True)
class Batch:
    """Pods asked for together. ready_s: until the last was Ready, without waits for nodes; waited_s: the longest."""

    first_s: float
    last_s: float
    ready_s: float = 0.0
    waited_s: float = 0.0

    def add(self, start: PodStart) -> None:
        waited_s = start.placed_s - start.created_s
        own_s = waited_s if waited_s > WAITED_S else 0.0
        self.ready_s = max(self.ready_s, start.ready_s - self.first_s - own_s + CLOCK_S)
        self.waited_s = max(self.waited_s, own_s)
        self.last_s = max(self.last_s, start.created_s)


@dataclass(frozen=True, slots=True)
class Measured:
    """ready_s: p95 over batches. provisioning_s: p95 of the wait for nodes, 0 while few batches had to wait."""

    ready_s: float
    provisioning_s: float
    batches: int

    @staticmethod
    def of(batches: list[Batch]) -> Measured:
        newest_s = max(b.last_s for b in batches)
        weights = [0.5 ** ((newest_s - b.last_s) / HALF_LIFE_S) for b in batches]
        waited = sum(w for w, b in zip(weights, batches, strict=True) if b.waited_s) / sum(weights)
        node_s = _quantile([b.waited_s for b in batches], weights) if waited > SHARE_THAT_COUNTS else 0.0
        return Measured(math.ceil(_quantile([b.ready_s for b in batches], weights)), math.ceil(node_s), len(batches))

    @property
    def total_s(self) -> float:
        return self.ready_s + self.provisioning_s


@dataclass(slots=True)
class LeadTimes:
    """Per workload, whatever else changes in the fleet around it."""

    _batches: dict[WorkloadRef, list[Batch]] = field(default_factory=dict)
    _measured: dict[WorkloadRef, Measured] = field(default_factory=dict)
    _in_force: dict[WorkloadRef, Measured] = field(default_factory=dict)
    _lower_since_s: dict[WorkloadRef, float] = field(default_factory=dict)
    _last: tuple[Fleet, Fleet] | None = None

    def learn(self, fleet: Fleet, starts: Iterable[PodStart]) -> None:
        """Take in pods that became Ready; a batch that still grows is revised, not counted again."""
        changed = set()
        for start in sorted(starts, key=lambda s: s.created_s):
            ref = fleet.workloads[start.lane].ref
            batches = self._batches.setdefault(ref, [])
            one = next((b for b in batches if b.first_s - CHAIN_S <= start.created_s <= b.last_s + CHAIN_S), None)
            if one is None:
                one = Batch(start.created_s, start.created_s)
                batches.append(one)
                batches.sort(key=lambda b: b.first_s)
                del batches[:-MOST_BATCHES]
            one.add(start)
            changed.add(ref)
        for ref in changed:
            if len(self._batches[ref]) >= ENOUGH:
                self._measured[ref] = Measured.of(self._batches[ref])

    def applied(self, fleet: Fleet, now_s: float) -> Fleet:
        """The fleet with measured leads in place of defaults; the same object as long as none changed."""
        moved = self._moved(now_s)
        if not self._in_force:
            return fleet
        if self._last is not None and self._last[0] is fleet and not moved:
            return self._last[1]
        loads = tuple(self._with_lead(load) for load in fleet.workloads)
        made = Fleet(loads) if loads != fleet.workloads else fleet
        self._last = (fleet, made)
        return made

    def notes(self, fleet: Fleet) -> Mapping[int, tuple[Note, ...]]:
        """Where what was typed is shorter than what was measured (F14)."""
        found = {}
        for lane, load in enumerate(fleet.workloads) if self._measured else ():
            measured, lead = self._measured.get(load.ref), load.lead
            if measured is not None and lead.basis is LeadBasis.TYPED and measured.total_s > lead.ready_s:
                words = (
                    f"lead.ready is {lead.ready_s:.0f} s, but the last pod of a batch was Ready after "
                    f"{measured.total_s:.0f} s (p95 of {measured.batches} batches): write at least that, or leave "
                    "lead.ready out to have it measured"
                )
                found[lane] = (Note(Condition.LEAD_TOO_SHORT, words),)
        return found

    def _moved(self, now_s: float) -> bool:
        """Upward at once, downward once it has been lower for a while."""
        moved = False
        for ref, new in self._measured.items():
            old = self._in_force.get(ref)
            lower = old is not None and new.total_s < old.total_s / LEAST_RISE
            since_s = self._lower_since_s.setdefault(ref, now_s) if lower else self._lower_since_s.pop(ref, now_s)
            if old is None or new.total_s > old.total_s * LEAST_RISE or (lower and now_s - since_s >= CALM_S):
                self._in_force[ref] = new
                moved = True
        return moved

    def _with_lead(self, load: Workload) -> Workload:
        measured = self._in_force.get(load.ref)
        if measured is None or load.lead.basis is LeadBasis.TYPED:
            return load
        lead: Lead = replace(
            load.lead,
            basis=LeadBasis.MEASURED,
            ready_s=measured.ready_s,
            provisioning_s=measured.provisioning_s,
            batches=measured.batches,
        )
        return replace(load, lead=lead)


def _quantile(values: list[float], weights: list[float]) -> float:
    """The smallest value below or at which a share of QUANTILE of the weight lies."""
    reached, total = 0.0, sum(weights)
    for value, weight in sorted(zip(values, weights, strict=True)):
        reached += weight
        if reached >= QUANTILE * total - 1e-12:
            return value
    return max(values)
