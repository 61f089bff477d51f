"""Reading and writing replicas."""

from collections.abc import Sequence
from typing import Protocol

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.replicas import ReplicaStatus, ScaleRequest


class Cluster(Protocol):
    """The replicas of every lane. A lane that cannot be read is `known=False`; it never stops the others."""

    def observe(self, fleet: Fleet) -> ReplicaStatus: ...

    def apply(self, fleet: Fleet, requests: Sequence[ScaleRequest], now_s: float) -> None:
        """Write what is asked and not yet expired; equal values are not written again."""
        ...
