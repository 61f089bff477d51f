"""Replicas of one workload between being asked for and serving: those that start, and those that wait for a node.

Every replica has its own time; it is rounded up to whole steps once, at its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.series import Floats
from autoscaler.simulator.nodes import NodePool
from autoscaler.simulator.starts import StartTimes

_SLACK_S = 1e-6
"""Float noise of absolute seconds, which must not cost a step."""


@dataclass(slots=True)
class _Batch:
    """Starting replicas that serve from the same step on."""

    due_step: int
    count: int


@dataclass(slots=True)
class Pending:
    """ready_s: from a start until Ready, which `times` may spread; rest_s: until it serves after that.

    key: of the workload, whose draws are its own. early_s: how long before the start of its step a request takes
    effect. pool: None = there is always room. Both lists stand in the order in which replicas were asked for.
    """

    times: StartTimes
    ready_s: float
    rest_s: float
    key: int
    step_s: int
    early_s: float = 0.0
    pool: NodePool | None = None
    _starting: list[_Batch] = field(default_factory=list)
    _waiting: list[Floats] = field(default_factory=list)
    _newest: tuple[int, int] = (0, -1)

    @property
    def busy(self) -> bool:
        """Whether time alone changes anything here."""
        return self.pool is not None or bool(self._starting)

    @property
    def starting(self) -> int:
        return sum(batch.count for batch in self._starting)

    @property
    def waiting(self) -> int:
        return sum(len(seconds) for seconds in self._waiting)

    def begin(self, step: int, ready: int) -> int:
        """Start of a step: how many become ready beside the `ready` ones."""
        if self.pool is not None:
            self._nodes_come(self.pool, step, ready)
            self.pool.sweep(ready + self.starting + self.waiting, step * self.step_s)
        return self._become_ready(step)

    def start(self, count: int, step: int, ready: int) -> int:
        """Start `count` more within a step: how many of them are ready at once."""
        nth = self._newest[1] + 1 if self._newest[0] == step else 0
        self._newest = (step, nth)
        seconds = self.times.seconds(self.ready_s, self.rest_s, count, (self.key, step, nth))
        if self.pool is None:
            self._launch(seconds, -self.early_s, step)
            return self._become_ready(step)
        room = 0 if self._waiting else self.pool.room(ready + self.starting)
        self._launch(seconds[:room], -self.early_s, step)
        if count > room:
            self._waiting.append(seconds[room:])
        self.pool.order(ready + self.starting + self.waiting, step * self.step_s - self.early_s)
        self._nodes_come(self.pool, step, ready)
        return self._become_ready(step)

    def drop(self, count: int) -> int:
        """Remove up to `count` that do not serve yet: without a node first, the newest first; how many were."""
        left = count
        while left and self._waiting:
            newest = self._waiting.pop()
            if len(newest) > left:
                self._waiting.append(newest[: len(newest) - left])
            left -= min(left, len(newest))
        while left and self._starting:
            batch = self._starting[-1]
            taken = min(left, batch.count)
            batch.count -= taken
            left -= taken
            if not batch.count:
                self._starting.pop()
        return count - left

    def _nodes_come(self, pool: NodePool, step: int, ready: int) -> None:
        """Nodes that are there by now take in who waited longest, from the moment at which they came."""
        now_s = step * self.step_s
        while (came_s := pool.arrive(now_s)) is not None:
            room = pool.room(ready + self.starting)
            while room and self._waiting:
                oldest = self._waiting.pop(0)
                self._launch(oldest[:room], came_s - now_s, step)
                if len(oldest) > room:
                    self._waiting.insert(0, oldest[room:])
                room -= min(room, len(oldest))

    def _launch(self, seconds: Floats, from_s: float, step: int) -> None:
        """Start replicas `from_s` after the start of the step (before it, where negative); [replica] `seconds`."""
        after = np.ceil((from_s + seconds - _SLACK_S) / self.step_s).astype(np.int64)
        # due in rising order: of replicas asked for at once, the last to serve are dropped first
        for due, count in zip(*(part.tolist() for part in np.unique(after, return_counts=True)), strict=True):
            self._starting.append(_Batch(step + due, count))

    def _become_ready(self, step: int) -> int:
        done = sum(batch.count for batch in self._starting if batch.due_step <= step)
        if done:
            self._starting = [batch for batch in self._starting if batch.due_step > step]
        return done
