"""A cluster in memory: replicas that take time to start, fail at times, and the users' own HPAs.

Within a step: starts that are due become ready; then our writes; then the HPAs sync, on the demand that was
seen last; then the step's demand is served by what is ready. A replica requested in step t serves from step
t + lead on; a removed one is gone at once, those that are still starting first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.actuation.ceiling import floor_ceiling
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.notes import Note
from autoscaler.domain.replicas import ReplicaStatus, ScaleRequest
from autoscaler.domain.series import Bools, Floats, Ints
from autoscaler.simulator.hpa.lanes import HpaLanes, LaneMetric, LaneTarget


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """hpa_target: percent of capacity that the users' HPAs aim at. sync_s: their period.
    start_failure: share of started replicas that fail once and start over. seed: of those failures.
    """

    hpa_target: int = 70
    sync_s: int = 15
    start_failure: float = 0.0
    seed: int = 0


class MemoryCluster:
    """Implements ports.Cluster for the lanes of one fleet; `step` moves time.

    with_hpa: [lane], whether the lane has an HPA of its own (with the fleet's min and max); `replicas` is
    where every lane starts, ready.
    """

    def __init__(
        self, fleet: Fleet, step_s: int, with_hpa: Bools, replicas: Ints, settings: ClusterSettings | None = None
    ) -> None:
        self.settings = settings or ClusterSettings()
        self.step_s = step_s
        self._refs = {w.ref: lane for lane, w in enumerate(fleet.workloads)}
        self._asked: tuple[Fleet, Ints] | None = None
        self._lead = np.ceil(fleet.lead_s / step_s - 1e-9).astype(np.int64)
        self._starting = np.zeros((2 * int(self._lead.max(initial=0)) + 2, len(fleet)), dtype=np.int64)
        self._rng = np.random.default_rng(self.settings.seed)
        self.with_hpa = with_hpa
        self.hpa_max = fleet.max_replicas.copy()
        self.hpa_min = fleet.min_replicas.copy()
        self.own_min = fleet.min_replicas.copy()
        self.ready: Ints = replicas.copy()
        self.desired: Ints = replicas.copy()
        self.known = np.ones(len(fleet), dtype=np.bool_)
        self.writes = 0
        capacity = fleet.capacity[fleet.row_start]
        self._hpa = HpaLanes(LaneTarget(LaneMetric.UTILIZATION, capacity, self.settings.hpa_target))

    def observe(self, fleet: Fleet) -> ReplicaStatus:
        """Replicas as they stand; a workload that this cluster has never heard of is not known."""
        lanes = self._lanes_of(fleet)
        ceiling = np.where(self.with_hpa, floor_ceiling(self.hpa_max, self.own_min), NO_LIMIT)
        return ReplicaStatus(
            known=(lanes >= 0) & self.known[lanes],
            desired=self.desired[lanes],
            ready=self.ready[lanes],
            floor=np.where(self.with_hpa, self.hpa_min, self.desired)[lanes],
            ceiling=ceiling[lanes],
            own_floor=np.where(self.with_hpa, self.own_min, 0)[lanes],
        )

    def _lanes_of(self, fleet: Fleet) -> Ints:
        """[lane of the asking fleet], our lane or -1; looked up once per fleet."""
        if self._asked is None or self._asked[0] is not fleet:
            lanes = np.array([self._refs.get(w.ref, -1) for w in fleet.workloads], dtype=np.int64)
            self._asked = (fleet, lanes)
        return self._asked[1]

    def apply(self, fleet: Fleet, requests: Sequence[ScaleRequest], now_s: float) -> Mapping[int, tuple[Note, ...]]:
        """Floors go to the HPA's minReplicas, scales to the target; expired requests are dropped."""
        for request in requests:
            load = fleet.workloads[request.lane]
            lane = self._refs.get(load.ref)
            if lane is None or now_s > request.expires_s:
                continue
            self.writes += 1
            if load.actuation.is_floor:
                self.hpa_min[lane] = request.replicas
            else:
                self._scale(lane, request.replicas)
        return {}

    def begin(self) -> None:
        """Start of a step: what was due becomes ready."""
        self.ready = self.ready + self._starting[0]
        self._starting[:-1] = self._starting[1:]
        self._starting[-1] = 0

    def sync_hpas(self, now_s: float, seen: Floats) -> None:
        """The step's syncs of all HPAs on the demand seen last ([lane], NaN = their metric fails)."""
        if not self.with_hpa.any():
            return
        for k in range(max(1, self.step_s // self.settings.sync_s)):
            at_s = now_s + k * self.settings.sync_s
            wanted = self._hpa.sync(
                at_s, seen, self.ready, self.desired, min_replicas=self.hpa_min, max_replicas=self.hpa_max
            )
            for lane in np.flatnonzero(self.with_hpa & (wanted != self.desired)).tolist():
                self._scale(lane, int(wanted[lane]))

    def _scale(self, lane: int, replicas: int) -> None:
        change = replicas - int(self.desired[lane])
        self.desired[lane] = replicas
        if change > 0:
            self._start(lane, change)
        for due in range(self._starting.shape[0] - 1, -1, -1):
            if change >= 0:
                return
            dropped = min(-change, int(self._starting[due, lane]))
            self._starting[due, lane] -= dropped
            change += dropped
        self.ready[lane] += min(change, 0)

    def _start(self, lane: int, count: int) -> None:
        lead = int(self._lead[lane])
        failing = int(self._rng.binomial(count, self.settings.start_failure)) if self.settings.start_failure else 0
        if lead == 0:
            self.ready[lane] += count
            return
        self._starting[lead - 1, lane] += count - failing
        self._starting[2 * lead - 1, lane] += failing
