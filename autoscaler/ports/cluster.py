"""Reading and writing replicas."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Note
from autoscaler.domain.replicas import ReplicaStatus, ScaleRequest


class Cluster(Protocol):
    """The replicas of every lane. A lane that cannot be read is `known=False`; it never stops the others."""

    def observe(self, fleet: Fleet) -> ReplicaStatus: ...

    def apply(self, fleet: Fleet, requests: Sequence[ScaleRequest], now_s: float) -> Mapping[int, tuple[Note, ...]]:
        """Write what is asked and not yet expired; equal values are not written again.

        Returns, by lane, what became of the writes. One that fails never stops the others.
        """
        ...
