"""What the cluster says about the replicas of each lane at one moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.series import Bools, Ints


@dataclass(frozen=True, slots=True, eq=False)
class ReplicaStatus:
    """One observation of the cluster, over lanes.

    known: the target was found and read; where False the other numbers mean nothing.
    desired: the target's spec.replicas (never the status count: surge pods of a rollout are not a base).
    ready: replicas that serve now.
    floor: minReplicas of the autoscaler that we raise; for Scale the same as `desired`.
    ceiling: the highest floor that may be written (the live HPA's max less a margin); for Scale NO_LIMIT.
    """

    known: Bools
    desired: Ints
    ready: Ints
    floor: Ints
    ceiling: Ints

    def __post_init__(self) -> None:
        shapes = {a.shape for a in (self.known, self.desired, self.ready, self.floor, self.ceiling)}
        if len(shapes) != 1:
            raise ValueError(f"replica arrays must agree on [lane], got {shapes}")
        if min((int(a.min(initial=0)) for a in (self.desired, self.ready, self.floor)), default=0) < 0:
            raise ValueError("replica counts are never negative")


@dataclass(frozen=True, slots=True)
class ScaleRequest:
    """One write that is wanted: `replicas` for the lane's target or floor, valid until `expires_s`."""

    lane: int
    replicas: int
    expires_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Replica counts over lanes with a mask of where they are known."""

    count: Ints
    known: Bools

    @staticmethod
    def unknown(lanes: int) -> Sizes:
        return Sizes(np.zeros(lanes, dtype=np.int64), np.zeros(lanes, dtype=np.bool_))
