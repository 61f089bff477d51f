"""A cluster in which what was written takes effect some whole steps later."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Note
from autoscaler.domain.replicas import ReplicaStatus, ScaleRequest
from autoscaler.simulator.cluster import MemoryCluster

_Writes = tuple[Fleet, tuple[ScaleRequest, ...], float]


@dataclass(slots=True)
class PostponedCluster:
    """Implements ports.Cluster over `inner`, whose `begin` is called through here, once per step.

    What was written is seen at once, as a live service reads its own write back from the object's spec; only
    replicas follow `steps` later. A removal is postponed like a start.
    """

    inner: MemoryCluster
    steps: int
    _queue: deque[_Writes] = field(default_factory=deque)

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"a delay is zero or more steps, not {self.steps}")

    def begin(self, step: int | None = None) -> None:
        """Start of an absolute step: what was due becomes ready, then what was written `steps` ago takes effect."""
        self.inner.begin(step)
        if self.steps and len(self._queue) == self.steps:
            fleet, requests, written_s = self._queue.popleft()
            self.inner.apply(fleet, requests, written_s)  # it was in time when it was written

    def observe(self, fleet: Fleet) -> ReplicaStatus:
        status = self.inner.observe(fleet)
        if not any(requests for _, requests, _ in self._queue):
            return status
        desired, floor = status.desired.copy(), status.floor.copy()
        for written, requests, _ in self._queue:
            for request in requests:
                floor[request.lane] = request.replicas
                if not written.workloads[request.lane].actuation.is_floor:
                    desired[request.lane] = request.replicas
        return replace(status, desired=desired, floor=floor)

    def apply(self, fleet: Fleet, requests: Sequence[ScaleRequest], now_s: float) -> Mapping[int, tuple[Note, ...]]:
        """Called once per step, with no requests too: the queue counts the steps."""
        if self.steps == 0:
            return self.inner.apply(fleet, requests, now_s)
        self._queue.append((fleet, tuple(requests), now_s))
        return {}
