"""Nodes under one workload's replicas: how many there are, which are on their way, and which have become idle.

Replicas are packed: a place that becomes free anywhere is as good as any other, so a node is needed as long as the
replicas would not fit on one fewer. Knows replicas by number only.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

UNNEEDED_S: Final = 600.0
"""The cluster-autoscaler's default of --scale-down-unneeded-time."""
_SLACK_S: Final = 1e-6


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """replicas: of the workload that one node holds. spares: empty nodes kept ready beside those that are needed.
    ready_s: from the moment a node is asked for until replicas can start on it.
    """

    replicas: int
    spares: int = 0
    ready_s: float = 120.0

    def __post_init__(self) -> None:
        if self.replicas < 1 or self.spares < 0:
            raise ValueError(f"a node holds at least one replica, and spares are not negative: {self}")
        if not (math.isfinite(self.ready_s) and self.ready_s >= 0):
            raise ValueError(f"a node is ready after a non-negative number of seconds, not {self.ready_s!r}")

    def needed(self, replicas: int) -> int:
        """Nodes for so many replicas, spares included."""
        return -(-replicas // self.replicas) + self.spares


class NodePool:
    """Nodes of one workload. `placed` is how many replicas have a place (ready or starting), `waiting` how many
    have none; the caller counts them. Times are seconds on one axis and never run back.
    """

    def __init__(self, settings: NodeSettings, replicas: int) -> None:
        self.settings = settings
        self.ready = settings.needed(replicas)
        self._coming: deque[tuple[float, int]] = deque()
        # needs of the past, falling from left to right: (last seconds at which so many were needed, nodes)
        self._needs: deque[tuple[float, int]] = deque()

    def room(self, placed: int) -> int:
        """Replicas that can start at once."""
        return max(0, self.ready * self.settings.replicas - placed)

    def order(self, replicas: int, now_s: float) -> None:
        """Ask for what is missing for so many replicas and the spares."""
        missing = self.settings.needed(replicas) - self.ready - sum(count for _, count in self._coming)
        if missing > 0:
            self._coming.append((now_s + self.settings.ready_s, missing))

    def arrive(self, now_s: float) -> float | None:
        """Take in the next nodes that are there at `now_s`; the seconds at which they came, None = none did."""
        if not self._coming or self._coming[0][0] > now_s + _SLACK_S:
            return None
        at_s, count = self._coming.popleft()
        self.ready += count
        self._note(at_s, self.ready)  # a node that has just come is not removed before it was idle for a while
        return at_s

    def sweep(self, replicas: int, now_s: float) -> None:
        """Remove nodes that nobody needed for UNNEEDED_S. replicas: placed and waiting, as they stood until now."""
        while self._needs and self._needs[0][0] <= now_s - UNNEEDED_S + _SLACK_S:
            self._needs.popleft()
        self._note(now_s, self.settings.needed(replicas))
        self.ready = min(self.ready, self._needs[0][1])

    def _note(self, at_s: float, needed: int) -> None:
        while self._needs and self._needs[-1][1] <= needed:
            self._needs.pop()
        self._needs.append((at_s, needed))
