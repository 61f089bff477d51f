"""What the cluster and our writes say about each workload, as metrics to alert on."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from autoscaler.adapters.sheet import Labels, Sheet
from autoscaler.domain.decision import Decisions
from autoscaler.domain.notes import Condition
from autoscaler.domain.workload import WorkloadRef

OUTCOMES = frozenset(
    {
        Condition.WRITTEN,
        Condition.WRITE_CONFLICT,
        Condition.WRITE_EXPIRED,
        Condition.WRITE_THROTTLED,
        Condition.WRITE_FAILED,
    }
)
"""What becomes of one write, and is over with it; every other condition lasts while it is told."""


class NoteMetrics:
    """One series per workload and condition that holds now; at most the few that one tick tells of it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("namespace", "name")
        self._writes = Counter(
            "foresail_writes", "Writes to the cluster by outcome.", (*labels, "outcome"), registry=registry
        )
        self._conditions = Sheet(
            "foresail_condition", "1 while the condition holds; absent otherwise.", (*labels, "condition"), registry
        )
        self._counted: set[tuple[WorkloadRef, Condition]] = set()

    def observe(self, decisions: Decisions) -> None:
        refs = [w.ref for w in decisions.fleet.workloads]
        holding: dict[Labels, float] = {}
        for lane, notes in decisions.notes.items():
            ref = refs[lane]
            for condition in {note.condition for note in notes}:
                if condition in OUTCOMES:
                    self._writes.labels(ref.namespace, ref.name, condition.value).inc()
                    self._counted.add((ref, condition))
                else:
                    holding[ref.namespace, ref.name, condition.value] = 1.0
        self._conditions.show(holding.items())
        here = set(refs)
        for ref, condition in [pair for pair in self._counted if pair[0] not in here]:
            self._writes.remove(ref.namespace, ref.name, condition.value)
            self._counted.discard((ref, condition))
