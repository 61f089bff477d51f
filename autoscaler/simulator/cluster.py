"""A cluster in memory: replicas that take time to start, fail at times, and the users' own HPAs.

Within a step: starts that are due become ready; then our writes; then the HPAs sync, on the demand that was
seen last; then the step's demand is served by what is ready. A replica requested in step t serves from step
t + lead on, rounded up to whole steps, or later where it waits for a node; a removed one is gone at once: those
without a node first, then those that are starting, of them the newest.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.actuation.ceiling import floor_ceiling
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.notes import Note
from autoscaler.domain.replicas import ReplicaStatus, ScaleRequest
from autoscaler.domain.series import Bools, Floats, Ints, anywhere, everywhere
from autoscaler.domain.workload import Workload
from autoscaler.simulator.hpa.lanes import HpaLanes, LaneMetric, LaneTarget
from autoscaler.simulator.nodes import NodePool, NodeSettings
from autoscaler.simulator.pending import Pending
from autoscaler.simulator.starts import ReadySpread, StartTimes


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """hpa_target: percent of capacity that the users' HPAs aim at, [lane] or one for all. sync_s: their period.
    start_failure: share of started replicas that fail once and start over. seed: of all draws.
    spread: of the time to Ready over replicas, None = the workload's lead for each. nodes: None = always room.
    early_s: how long before the start of its step a write takes effect, as delays count in whole steps.
    """

    hpa_target: Ints | int = 70
    sync_s: int = 15
    start_failure: float = 0.0
    seed: int = 0
    spread: ReadySpread | None = None
    nodes: NodeSettings | None = None
    early_s: float = 0.0


class MemoryCluster:
    """Implements ports.Cluster for the lanes of one fleet; `begin` moves time.

    with_hpa: [lane], whether the lane has an HPA of its own (with the fleet's min and max); `replicas` is
    where every lane starts, ready.
    """

    def __init__(
        self, fleet: Fleet, step_s: int, with_hpa: Bools, replicas: Ints, settings: ClusterSettings | None = None
    ) -> None:
        self.settings = settings or ClusterSettings()
        self.step_s = step_s
        self._refs = {w.ref: lane for lane, w in enumerate(fleet.workloads)}
        self._asked: tuple[Fleet, tuple[Ints, Bools, Ints, Ints, Floats]] | None = None
        self._step = -1
        self.with_hpa = with_hpa
        self.hpa_max = fleet.max_replicas.copy()
        self.hpa_min = fleet.min_replicas.copy()
        self.own_min = fleet.min_replicas.copy()
        self.ready: Ints = replicas.copy()
        self.desired: Ints = replicas.copy()
        self.known = np.ones(len(fleet), dtype=np.bool_)
        self.writes = 0
        self.pending = tuple(
            self._pending(load, count) for load, count in zip(fleet.workloads, replicas.tolist(), strict=True)
        )
        self._busy = {lane for lane, pending in enumerate(self.pending) if pending.busy}
        capacity = fleet.capacity[fleet.row_start]
        self._blind = np.isnan(capacity) if fleet.unsized is not None else None
        capacity = np.where(np.isnan(capacity), 1.0, capacity)  # of those, the HPA sees no metric
        self._hpa = HpaLanes(LaneTarget(LaneMetric.UTILIZATION, capacity, self.settings.hpa_target))

    def _pending(self, load: Workload, replicas: int) -> Pending:
        asked, lead = self.settings, load.lead
        # where nodes are simulated, the wait for them is theirs and not the lead's
        waits_s = 0.0 if asked.nodes is not None else lead.provisioning_s
        return Pending(
            times=StartTimes(asked.spread, asked.start_failure, asked.seed),
            ready_s=lead.ready_s,
            rest_s=lead.warmup_s + lead.actuation_s + waits_s,
            key=zlib.crc32(str(load.ref).encode()),
            step_s=self.step_s,
            early_s=asked.early_s,
            pool=None if asked.nodes is None else NodePool(asked.nodes, replicas),
        )

    @property
    def starting(self) -> Ints:
        """[lane], replicas that were asked for and do not serve yet."""
        return np.array([pending.starting + pending.waiting for pending in self.pending], dtype=np.int64)

    @property
    def nodes(self) -> Ints:
        """[lane], nodes that are there; 0 where none are simulated."""
        pools = (pending.pool for pending in self.pending)
        return np.array([0 if pool is None else pool.ready for pool in pools], dtype=np.int64)

    def observe(self, fleet: Fleet) -> ReplicaStatus:
        """Replicas as they stand; a workload that this cluster has never heard of is not known."""
        lanes, nobody, nothing, unlimited, never = self._lanes_of(fleet)
        desired, ready = self.desired[lanes], self.ready[lanes]
        known = (lanes >= 0) & self.known[lanes]
        if not anywhere(self.with_hpa):
            return ReplicaStatus(known, desired, ready, desired, unlimited, nobody, nobody, nothing, nothing, never)
        floor, ceiling, own_floor = self.hpa_min, floor_ceiling(self.hpa_max, self.own_min), self.own_min
        if not everywhere(self.with_hpa):
            floor = np.where(self.with_hpa, floor, self.desired)
            ceiling, own_floor = np.where(self.with_hpa, ceiling, NO_LIMIT), np.where(self.with_hpa, own_floor, 0)
        return ReplicaStatus(
            known, desired, ready, floor[lanes], ceiling[lanes],
            nobody, nobody, nothing, own_floor[lanes], never,
        )  # fmt: skip

    def _lanes_of(self, fleet: Fleet) -> tuple[Ints, Bools, Ints, Ints, Floats]:
        """[lane of the asking fleet], our lane or -1; and what is said of all of them alike: nobody, nothing, no limit,
        never. Made once per fleet.
        """
        if self._asked is None or self._asked[0] is not fleet:
            lanes = np.array([self._refs.get(w.ref, -1) for w in fleet.workloads], dtype=np.int64)
            nobody, nothing = np.zeros(len(lanes), dtype=np.bool_), np.zeros(len(lanes), dtype=np.int64)
            found = lanes, nobody, nothing, nothing + NO_LIMIT, np.full(len(lanes), -np.inf)
            for each in found:
                each.setflags(write=False)
            self._asked = (fleet, found)
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

    def begin(self, step: int | None = None) -> None:
        """Start of an absolute step (None: the next one): what was due becomes ready."""
        self._step = self._step + 1 if step is None else step
        for lane in tuple(self._busy):
            pending = self.pending[lane]
            self.ready[lane] += pending.begin(self._step, int(self.ready[lane]))
            if not pending.busy:
                self._busy.discard(lane)

    def sync_hpas(self, now_s: float, seen: Floats) -> None:
        """The step's syncs of all HPAs on the demand seen last ([lane], NaN = their metric fails)."""
        if not anywhere(self.with_hpa):
            return
        if self._blind is not None:
            seen = np.where(self._blind, np.nan, seen)
        times_s = [now_s + k * self.settings.sync_s for k in range(max(1, self.step_s // self.settings.sync_s))]
        if self._hpa.rests(times_s, seen, self.ready, self.desired, (self.hpa_min, self.hpa_max)):
            return
        for k, at_s in enumerate(times_s):
            wanted = self._hpa.sync(
                at_s, seen, self.ready, self.desired, min_replicas=self.hpa_min, max_replicas=self.hpa_max
            )
            moved = self.with_hpa & (wanted != self.desired)
            still = not anywhere(moved)
            for lane in () if still else np.flatnonzero(moved).tolist():
                self._scale(lane, int(wanted[lane]))
            if still and self._hpa.rests_until(times_s[-1], self.with_hpa):
                self._hpa.rest(times_s[k + 1 :])
                return

    def _scale(self, lane: int, replicas: int) -> None:
        change = replicas - int(self.desired[lane])
        self.desired[lane] = replicas
        pending = self.pending[lane]
        if change > 0:
            self.ready[lane] += pending.start(change, self._step, int(self.ready[lane]))
            self._busy.add(lane)
        elif change < 0:
            self.ready[lane] -= -change - pending.drop(-change)
