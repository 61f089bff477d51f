"""The cluster twin for a running service: it follows the clock and whatever the fleet is at each tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Note
from autoscaler.domain.replicas import ReplicaStatus, ScaleRequest
from autoscaler.domain.workload import WorkloadRef
from autoscaler.ports.clock import Clock
from autoscaler.ports.metrics import MetricsReader
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster

MOST_STEPS = 120


@dataclass(slots=True)
class LiveTwin:
    """Implements ports.Cluster. Lanes with a floor actuation have an HPA of their own; all start at min."""

    clock: Clock
    metrics: MetricsReader
    step_s: int
    settings: ClusterSettings = field(default_factory=ClusterSettings)
    _fleet: Fleet | None = None
    _cluster: MemoryCluster | None = None
    _step: int = 0

    def observe(self, fleet: Fleet) -> ReplicaStatus:
        return self._advanced(fleet).observe(fleet)

    def apply(self, fleet: Fleet, requests: Sequence[ScaleRequest], now_s: float) -> Mapping[int, tuple[Note, ...]]:
        return self._advanced(fleet).apply(fleet, requests, now_s)

    def _advanced(self, fleet: Fleet) -> MemoryCluster:
        step = int(self.clock.now().timestamp() // self.step_s)
        if self._cluster is None or self._fleet is not fleet:
            self._step = self._step or step
            self._cluster, self._fleet = self._rebuilt(fleet), fleet
        first = max(self._step, step - MOST_STEPS)
        if step > first:
            rows = [fleet.demands[row] for row in fleet.row_start.tolist()]
            seen = self.metrics.load(rows, first - 1, step - 1, self.step_s)
            for at in range(first, step):
                self._cluster.begin(at)
                column = at - first
                known = column < seen.values.shape[1]
                demand = seen.values[:, column] if known else np.full(len(fleet), np.nan)
                self._cluster.sync_hpas(float(at * self.step_s), demand)
            self._step = step
        return self._cluster

    def _rebuilt(self, fleet: Fleet) -> MemoryCluster:
        """A twin for the new fleet; workloads that stay keep their replicas and floors."""
        floors = np.array([w.actuation.is_floor for w in fleet.workloads], dtype=np.bool_)
        before: dict[WorkloadRef, tuple[int, int]] = {}
        if self._cluster is not None and self._fleet is not None:
            desired, floor = self._cluster.desired, self._cluster.hpa_min
            before = {w.ref: (int(desired[i]), int(floor[i])) for i, w in enumerate(self._fleet.workloads)}
        start = np.array([before.get(w.ref, (w.min_replicas, 0))[0] for w in fleet.workloads], dtype=np.int64)
        twin = MemoryCluster(fleet, self.step_s, floors, start, self.settings)
        kept = np.array([before.get(w.ref, (0, w.min_replicas))[1] for w in fleet.workloads], dtype=np.int64)
        twin.begin(self._step - 1)  # tells the time of what is written before the next step begins
        twin.hpa_min = np.maximum(np.minimum(kept, fleet.max_replicas), fleet.min_replicas)
        return twin
