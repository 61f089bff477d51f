"""A workload as its owners describe it, compiled to plain values. Every duration is in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from autoscaler.domain.errors import Refused
from autoscaler.domain.season import Exclusion, Season, comes_weekly
from autoscaler.domain.signals import WATCHED, Signal, Watching

if TYPE_CHECKING:
    from autoscaler.domain.policy import Guarded


class Mode(StrEnum):
    ADVISE = "Advise"
    ACT = "Act"


class Actuation(StrEnum):
    """What we write. A floor leaves the user's HPA in charge above it; Scale leaves us alone."""

    HPA_FLOOR = "HpaFloor"
    KEDA_FLOOR = "KedaFloor"
    SCALE = "Scale"

    @property
    def is_floor(self) -> bool:
        return self is not Actuation.SCALE


class PauseDirection(StrEnum):
    BOTH = "Both"
    DOWN = "Down"
    UP = "Up"


class PolicyType(StrEnum):
    PODS = "Pods"
    PERCENT = "Percent"


class LeadBasis(StrEnum):
    TYPED = "Typed"
    MEASURED = "Measured"
    DEFAULT = "Default"


class SelectPolicy(StrEnum):
    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True, order=True)
class WorkloadRef:
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Target:
    """Anything with a scale subresource."""

    api_version: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class LearnedFrom:
    """What the demand's source is asked to learn a capacity from. limit: of the resource, at which a replica is full.

    replicas: Ready ones. summed: the resource is that of all of them together. template: any number that changes with
    the pod template, None = never known to change.
    """

    resource: str
    limit: float
    replicas: str
    summed: bool = False
    template: str | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.limit) and self.limit > 0):
            raise ValueError(f"a limit is a positive number, not {self.limit!r}")


@dataclass(frozen=True, slots=True)
class Demand:
    """One stream of work, and how much of it one Ready replica serves within its SLO (same unit).

    learned: the number is what stands until a better one is learned from this; None = it is given.
    capacity_per_replica: None = not known until one is learned, and nothing can be sized for this demand.
    """

    name: str
    source: str
    query: str
    capacity_per_replica: float | None
    learned: LearnedFrom | None = None

    def __post_init__(self) -> None:
        if self.capacity_per_replica is None:
            if self.learned is None:
                raise ValueError(f"demand {self.name!r} has neither a capacity nor what it is learned from")
        elif not (math.isfinite(self.capacity_per_replica) and self.capacity_per_replica > 0):
            raise ValueError(f"capacity per replica must be a positive number, not {self.capacity_per_replica!r}")

    @property
    def known_capacity(self) -> float:
        """What one replica serves, for whoever cannot do without. Raises Refused where it is not learned yet."""
        if self.capacity_per_replica is None:
            raise Refused(
                f"demand {self.name!r}: what one replica serves is not learned yet; give perReplica, or --capacity"
            )
        return self.capacity_per_replica


@dataclass(frozen=True, slots=True)
class StepPolicy:
    """At most `value` pods (or percent of the count at the period's start) per `period_s`."""

    type: PolicyType
    value: int
    period_s: int

    def __post_init__(self) -> None:
        if self.value <= 0 or not 0 < self.period_s <= 1800:
            raise ValueError(f"a step policy needs value > 0 and 0 < period ≤ 1800 s, not {self}")


@dataclass(frozen=True, slots=True)
class ScalingRule:
    """One direction of `behavior`; the same meaning as in autoscaling/v2. No policies = no step limit.

    tolerance: changes of at most this share of the replicas are not made.
    """

    stabilization_s: int = 0
    policies: tuple[StepPolicy, ...] = ()
    select: SelectPolicy = SelectPolicy.MAX
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class Lead:
    """Seconds from a decision until the last replica it asked for is Ready and warm, by its parts.

    The age of the data and the tick are not typed here: they are measured by the service that runs.
    ready_s: from the request until the last pod of a batch is Ready, once it has a node. provisioning_s: until it
    has one, where recent batches had to wait for nodes. basis: where ready_s comes from; batches: how many starts.
    """

    ready_s: float
    warmup_s: float = 0.0
    actuation_s: float = 0.0
    provisioning_s: float = 0.0
    basis: LeadBasis = LeadBasis.TYPED
    batches: int = 0

    def __post_init__(self) -> None:
        for part in (self.ready_s, self.warmup_s, self.actuation_s, self.provisioning_s):
            if not (math.isfinite(part) and part >= 0):
                raise ValueError(f"a lead time is a non-negative number of seconds, not {part!r}")

    @property
    def total_s(self) -> float:
        return self.ready_s + self.warmup_s + self.actuation_s + self.provisioning_s


@dataclass(frozen=True, slots=True)
class Pause:
    """A human stop, time-boxed: who, why, and until when."""

    direction: PauseDirection
    owner: str
    reason: str
    until: datetime

    def active(self, now: datetime) -> bool:
        return now < self.until


@dataclass(frozen=True, slots=True)
class Workload:
    """One PredictiveAutoscaler, valid by construction. guarded: what guard policies add; None = none speaks of it.

    time_zone: IANA name of the zone whose wall clock the demand follows; None = UTC. excluded: what its owners take out
    of learning and risk control. signals: what is watched beside the demands; watching: how anomalies are looked for.
    """

    ref: WorkloadRef
    target: Target
    demands: tuple[Demand, ...]
    min_replicas: int
    max_replicas: int
    lead: Lead
    mode: Mode = Mode.ADVISE
    actuation: Actuation = Actuation.HPA_FLOOR
    risk: float = 0.005
    headroom: float = 1.0
    scale_up: ScalingRule = ScalingRule()
    scale_down: ScalingRule = ScalingRule(300, (StepPolicy(PolicyType.PERCENT, 10, 60),))
    max_data_age_s: float = 180.0
    pause: Pause | None = None
    guarded: Guarded | None = None
    time_zone: str | None = None
    excluded: tuple[Exclusion, ...] = ()
    signals: tuple[Signal, ...] = ()
    watching: Watching = WATCHED

    def __post_init__(self) -> None:
        if not 1 <= self.min_replicas <= self.max_replicas:
            raise ValueError(f"{self.ref}: need 1 ≤ min ≤ max, not min={self.min_replicas}, max={self.max_replicas}")
        if not 0 < self.risk <= 0.2:
            raise ValueError(f"{self.ref}: risk is a share of time in (0, 0.2], not {self.risk!r}")
        if not (math.isfinite(self.headroom) and self.headroom >= 1):
            raise ValueError(f"{self.ref}: headroom multiplies capacity need and is at least 1, not {self.headroom!r}")
        if not self.demands:
            raise ValueError(f"{self.ref}: at least one demand is needed")
        if len({d.name for d in self.demands}) != len(self.demands):
            raise ValueError(f"{self.ref}: demands need different names, not {[d.name for d in self.demands]}")
        if not (math.isfinite(self.max_data_age_s) and self.max_data_age_s > 0):
            raise ValueError(f"{self.ref}: maxDataAge is a positive number of seconds, not {self.max_data_age_s!r}")

    @property
    def season(self) -> Season | None:
        """What its demands' seasons follow; None where that is UTC alone. A weekly event is part of the week."""
        windows = () if self.guarded is None else self.guarded.windows
        found = Season(
            None if self.time_zone == "UTC" else self.time_zone,
            tuple(w.window for w in windows if w.bounded and not comes_weekly(w.window)),
            tuple(e.window for e in self.excluded),
        )
        return None if found == Season() else found
