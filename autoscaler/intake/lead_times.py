"""How long a batch of new pods takes until its last one serves, learned from the starts that the cluster shows.

Measured leads replace the stated default once enough starts were seen; what a person typed is never replaced, only
contradicted by a note. Restarts and crash loops never get here: the cluster's adapter leaves them out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.replicas import PodStart
from autoscaler.domain.workload import Lead, LeadBasis, Target, Workload, WorkloadRef

CHAIN_S = 10.0
"""Pods created within this long of one another were asked for together; less than an HPA sync, so two asks stay two."""
SPAN_S = 30.0
"""One ask is created within this: 500 pods take a controller about 25 s. A rollout that goes on longer is many asks."""
HALF_LIFE_S = 7 * 86_400.0
"""A start counts half as much a week later: images, nodes and code change."""
MOST_BATCHES = 64
ENOUGH = 5
QUANTILE = 0.95
WAITED_S = 5.0
"""A pod that had no node for longer waited for one to be provisioned; less is the scheduler's own time."""
SHARE_THAT_COUNTS = 0.05
LONGEST_S = 3600.0
"""A first Ready later than this after a node was found is rather a readiness that came back: it is not counted."""
TOLD_S = 2 * 86_400.0
"""The cluster tells pods of the last day again when they come back to Ready: that long we know them by their uid."""
CALM_S = 1800.0
"""A lead comes down after this long below what is in force: a refit per start would learn nothing new."""
STALE_S = 6 * 3600.0
"""Numbers that make no step of difference are published anew after this long."""
CLOCK_S = 1.0
"""Stamps of pods are whole seconds, cut off."""
LEAST_READY_S = 3.0
"""Whole seconds say nothing about less."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Pods asked for together, in seconds since the epoch. first_s, last_s: their creations.

    done_s: the last Ready, as if no pod had waited for a node. waited_s: the longest such wait.
    """

    first_s: float
    last_s: float
    done_s: float
    waited_s: float

    @classmethod
    def of(cls, start: PodStart) -> Self:
        waited_s = start.placed_s - start.created_s
        own_s = waited_s if waited_s > WAITED_S else 0.0
        return cls(start.created_s, start.created_s, start.ready_s - own_s, own_s)

    @property
    def ready_s(self) -> float:
        return self.done_s - self.first_s + CLOCK_S

    def reaches(self, other: Self) -> bool:
        """Whether the two may be one ask."""
        low, high = (self, other) if self.first_s <= other.first_s else (other, self)
        return high.first_s - low.last_s <= CHAIN_S and max(low.last_s, high.last_s) - low.first_s <= SPAN_S

    def joined(self, other: Self) -> Self:
        return replace(
            self,
            first_s=min(self.first_s, other.first_s),
            last_s=max(self.last_s, other.last_s),
            done_s=max(self.done_s, other.done_s),
            waited_s=max(self.waited_s, other.waited_s),
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """ready_s: p95 over batches. provisioning_s: p95 of the wait for nodes, 0 while few batches had to wait."""

    ready_s: float
    provisioning_s: float
    batches: int

    @classmethod
    def of(cls, batches: list[Batch]) -> Self:
        newest_s = max(b.last_s for b in batches)
        weights = [0.5 ** ((newest_s - b.last_s) / HALF_LIFE_S) for b in batches]
        waited = sum(w for w, b in zip(weights, batches, strict=True) if b.waited_s) / sum(weights)
        node_s = _quantile([b.waited_s for b in batches], weights) if waited > SHARE_THAT_COUNTS else 0.0
        ready_s = max(LEAST_READY_S, math.ceil(_quantile([b.ready_s for b in batches], weights)))
        return cls(ready_s, math.ceil(node_s), len(batches))

    @property
    def total_s(self) -> float:
        return self.ready_s + self.provisioning_s

    def in_place_of(self, lead: Lead) -> Lead:
        return replace(
            lead,
            basis=LeadBasis.MEASURED,
            ready_s=self.ready_s,
            provisioning_s=self.provisioning_s,
            batches=self.batches,
        )


@dataclass(slots=True)
class Starts:
    """What is remembered of one workload's target.

    batches: by time. told: uid → creation, of pods that are counted. in_force: what decisions use.
    differs: whether the newest measure is lower than that by whole steps, and since when it has been so.
    """

    target: Target
    batches: list[Batch] = field(default_factory=list)
    told: dict[str, float] = field(default_factory=dict)
    measured: Measured | None = None
    in_force: Measured | None = None
    differs: tuple[bool, float] | None = None

    def take(self, starts: Iterable[PodStart]) -> None:
        """A batch that still grows is revised, not counted again; a pod counts with its first Ready alone."""
        news = [s for s in starts if s.uid not in self.told and s.ready_s - s.placed_s <= LONGEST_S]
        if not news:
            return
        for start in sorted(news, key=lambda s: s.created_s):
            self.told[start.uid] = start.created_s
            one = Batch.of(start)
            for other in [b for b in self.batches if b.reaches(one)]:
                if one.reaches(other):
                    self.batches.remove(other)
                    one = one.joined(other)
            self.batches.append(one)
        self.batches = sorted(self.batches, key=lambda b: b.first_s)[-MOST_BATCHES:]
        newest_s = self.batches[-1].last_s
        self.told = {uid: at_s for uid, at_s in self.told.items() if at_s > newest_s - TOLD_S}
        if len(self.batches) >= ENOUGH:
            self.measured = Measured.of(self.batches)

    def settle(self, lead: Lead, now_s: float, step_s: int) -> bool:
        """Put the newest measure in force, upward at once, downward once it has been lower for a while; True if so."""
        new, old = self.measured, self.in_force
        if new is None or new == old:
            self.differs = None
            return False
        if old is not None:
            more, now = (_steps(each.in_place_of(lead), step_s) for each in (new, old))
            lower = more < now
            if self.differs is None or self.differs[0] is not lower:
                self.differs = (lower, now_s)
            if more <= now and now_s - self.differs[1] < (CALM_S if lower else STALE_S):
                return False
        self.in_force, self.differs = new, None
        return True


@dataclass(slots=True)
class LeadTimes:
    """Per workload, whatever else changes in the fleet around it; another target starts afresh."""

    _starts: dict[WorkloadRef, Starts] = field(default_factory=dict)
    _last: tuple[Fleet, Fleet] | None = None

    def learn(self, fleet: Fleet, starts: Iterable[PodStart]) -> None:
        """Take in pods that became Ready; their lanes are those of `fleet`."""
        by_lane: dict[int, list[PodStart]] = {}
        for start in starts:
            by_lane.setdefault(start.lane, []).append(start)
        for lane, found in by_lane.items():
            load = fleet.workloads[lane]
            self._starts.setdefault(load.ref, Starts(load.target)).take(found)

    def applied(self, fleet: Fleet, now_s: float, step_s: int) -> Fleet:
        """The fleet with measured leads in place of defaults; the same object as long as none changed.

        now_s: seconds since the epoch. step_s: leads count in whole steps of this, rounded up.
        """
        known = self._last is not None and self._last[0] is fleet
        if not known:
            targets = {load.ref: load.target for load in fleet.workloads}
            self._starts = {ref: one for ref, one in self._starts.items() if targets.get(ref) == one.target}
        lanes = [
            load for load in fleet.workloads if load.ref in self._starts and load.lead.basis is not LeadBasis.TYPED
        ]
        moved = [self._starts[load.ref].settle(load.lead, now_s, step_s) for load in lanes]
        if self._last is not None and known and not any(moved):
            return self._last[1]
        loads = tuple(self._with_lead(load) for load in fleet.workloads)
        made = fleet if loads == fleet.workloads else Fleet(loads)
        self._last = (fleet, made)
        return made

    def notes(self, fleet: Fleet) -> Mapping[int, tuple[Note, ...]]:
        """Where what was typed is shorter than what was measured (F14)."""
        found = {}
        for lane, load in enumerate(fleet.workloads) if self._starts else ():
            one, lead = self._starts.get(load.ref), load.lead
            measured = one.measured if one else None
            if measured is not None and lead.basis is LeadBasis.TYPED and measured.total_s > lead.ready_s + CLOCK_S:
                words = (
                    f"lead.ready is {lead.ready_s:.0f} s, but the last pod of a batch was Ready after "
                    f"{measured.total_s:.0f} s (p95 of {measured.batches} batches): write at least that, or leave "
                    "lead.ready out to have it measured"
                )
                found[lane] = (Note(Condition.LEAD_TOO_SHORT, words),)
        return found

    def _with_lead(self, load: Workload) -> Workload:
        one = self._starts.get(load.ref)
        if one is None or one.in_force is None or load.lead.basis is LeadBasis.TYPED:
            return load
        return replace(load, lead=one.in_force.in_place_of(load.lead))


def _steps(lead: Lead, step_s: int) -> int:
    return math.ceil(lead.total_s / step_s - 1e-9)


def _quantile(values: list[float], weights: list[float]) -> float:
    """The smallest value below or at which a share of QUANTILE of the weight lies."""
    reached, total = 0.0, sum(weights)
    for value, weight in sorted(zip(values, weights, strict=True)):
        reached += weight
        if reached >= QUANTILE * total - 1e-12:
            return value
    return max(values)
