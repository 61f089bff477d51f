"""What the cluster says about the replicas of each lane at one moment, and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.notes import Note
from autoscaler.domain.series import Bools, Floats, Ints, anywhere


def _no_lanes() -> np.ndarray:
    return np.empty(0)


_BLANKS: tuple[tuple[str, type, float], ...] = (
    ("yielded", np.bool_, False),
    ("stuck", np.bool_, False),
    ("least", np.int64, 0),
    ("own_floor", np.int64, 0),
    ("raised_s", np.float64, -np.inf),
    ("overridden_s", np.float64, -np.inf),
)
"""Fields that may be left out: what they are where they are."""


@dataclass(frozen=True, slots=True)
class PodStart:
    """One pod that became Ready for the first time, in seconds since the epoch. uid: of the pod.

    placed_s: when it had a node; later than created_s by more than a moment only where it had to wait for one.
    """

    lane: int
    uid: str
    created_s: float
    placed_s: float
    ready_s: float


@dataclass(frozen=True, slots=True, eq=False)
class ReplicaStatus:
    """One observation of the cluster, over lanes.

    known: the target was found and read; where False the other numbers mean nothing.
    desired: the target's spec.replicas (never the status count: surge pods of a rollout are not a base).
    ready: replicas that serve now, surge pods of a rollout not counted.
    floor: minReplicas of the autoscaler that we raise; for Scale the same as `desired`.
    ceiling: the highest floor that may be written (the live HPA's max less a margin); for Scale NO_LIMIT.
    yielded: somebody else decides about the lane, a note says who; nothing is written.
    stuck: new pods can neither be placed nor created for longer than is usual: more of them would not serve.
    least: fewest replicas that the disruption budgets over the lane's pods allow now; 0 = none binds.
    own_floor: the floor that the owner had set before ours, which ours never goes below; 0 for Scale.
    raised_s: when our floor rose last, seconds since the epoch; -inf = never.
    overridden_s: when somebody else set by hand what stands there now instead of ours, -inf = nobody did.
    notes: lane → what there is to say. starts: pods that became Ready since the last observation.
    inherited: from now on we write, and what stands there another process may have written.
    """

    known: Bools
    desired: Ints
    ready: Ints
    floor: Ints
    ceiling: Ints
    yielded: Bools = field(default_factory=_no_lanes)
    stuck: Bools = field(default_factory=_no_lanes)
    least: Ints = field(default_factory=_no_lanes)
    own_floor: Ints = field(default_factory=_no_lanes)
    raised_s: Floats = field(default_factory=_no_lanes)
    overridden_s: Floats = field(default_factory=_no_lanes)
    notes: Mapping[int, tuple[Note, ...]] = field(default_factory=dict)
    starts: tuple[PodStart, ...] = ()
    inherited: bool = False

    def __post_init__(self) -> None:
        lanes = len(self.known)
        if (
            not len(self.yielded)
            == len(self.stuck)
            == len(self.least)
            == len(self.own_floor)
            == len(self.raised_s)
            == len(self.overridden_s)
            == lanes
        ):
            for name, kind, blank in _BLANKS:
                if len(getattr(self, name)) != lanes:
                    if len(getattr(self, name)):
                        raise ValueError(f"{name} has {len(getattr(self, name))} lanes, known has {lanes}")
                    object.__setattr__(self, name, np.full(lanes, blank, dtype=kind))
        shape = self.known.shape
        if not self.desired.shape == self.ready.shape == self.floor.shape == self.ceiling.shape == shape:
            shapes = {a.shape for a in (self.known, self.desired, self.ready, self.floor, self.ceiling)}
            raise ValueError(f"replica arrays must agree on [lane], got {shapes}")
        if anywhere(np.minimum(np.minimum(self.desired, self.ready), self.floor) < 0):
            raise ValueError("replica counts are never negative")


@dataclass(frozen=True, slots=True)
class ScaleRequest:
    """One write that is wanted: `replicas` for the lane's target or floor, instead of `instead_of`.

    Valid until expires_s; a target that no longer stands at instead_of is not what was decided about.
    """

    lane: int
    replicas: int
    expires_s: float
    instead_of: int | None = None
