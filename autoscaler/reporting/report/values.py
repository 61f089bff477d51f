"""What a report is made of. Whoever fills it decides what happened; here is only what may be said together.

Cost and shortage always stand side by side. None is "not to be told", never zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints, time_of

LEVELS = (0.001, 0.005, 0.01, 0.02)
"""Shares of short steps at which the costs of all methods are compared."""

Figures = Mapping[str, float | None]
"""Figures of one way to scale by the names of `foresail simulate -o json`."""


class Role(StrEnum):
    """Which row of the claims. OBSERVED: what ran while we only advised. TWIN: ours simulated where it acted."""

    AS_SET = "as set"
    RETUNED = "retuned"
    OURS = "foresail"
    OBSERVED = "observed"
    TWIN = "simulated twin"


class Basis(StrEnum):
    """Whether something happened, or would have."""

    OBSERVED = "observed"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; both ends are None where the record is too short for one."""

    value: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise ValueError(f"an interval has both ends or none: {self}")
        if not math.isfinite(self.value) or (self.low is not None and self.high is not None and self.low > self.high):
            raise ValueError(f"a finite value, and an interval from low to high: {self}")

    @property
    def sign(self) -> int:
        """1 or -1 where the figure is clearly above or below zero, else 0. Without an interval its own sign."""
        if self.low is None or self.high is None:
            return (self.value > 0) - (self.value < 0)
        return (self.low > 0) - (self.high < 0)


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """saving: share of the first row's replica-hours that is not needed; avoided_minutes: less time short than it.

    Both None in that row, and where there is nothing to compare with.
    """

    role: Role
    title: str
    basis: Basis
    replica_hours: Estimate
    short_minutes: Estimate
    short_share: float | None
    saving: Estimate | None = None
    avoided_minutes: Estimate | None = None


@dataclass(frozen=True, slots=True)
class RiskKept:
    """ratio: realised over asked, with its interval. steps: scored; too few of them show nothing at a small risk."""

    asked: float
    realised: float | None
    ratio: Estimate | None
    steps: int

    @property
    def expected_short(self) -> float:
        """Short steps that the asked risk allows over the scored ones."""
        return self.asked * self.steps


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Replicas of one way to scale, [step] as the view's demand. ready: NaN = not known. short: of these steps."""

    name: str
    basis: Basis
    ready: Floats
    short: Bools


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A stretch of time to look at. Arrays are [step] from first_step on; NaN = unknown, or no forecast.

    why: what makes it worth showing. needed: replicas that the demand needs.
    """

    title: str
    why: str
    step_s: int
    first_step: int
    demand: Floats
    p50: Floats
    p95: Floats
    needed: Floats
    ours: Track
    rival: Track
    censored: Bools | None = None

    def __post_init__(self) -> None:
        arrays = (self.p50, self.p95, self.needed, self.ours.ready, self.rival.ready, self.ours.short, self.rival.short)
        if not len(self.demand) or any(len(a) != len(self.demand) for a in arrays):
            raise ValueError(f"{self.title}: all arrays of a view have one length, and at least one step")

    @property
    def start(self) -> datetime:
        return time_of(self.first_step, self.step_s)

    @property
    def end(self) -> datetime:
        return time_of(self.first_step + len(self.demand), self.step_s)

    @property
    def unknown(self) -> Bools:
        return np.isnan(self.demand)


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of a method: share of short steps, and cost over the clairvoyant bound."""

    label: str
    share: float
    over: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The settings of one method that none of its others beats on both sides, by falling shortage."""

    name: str
    title: str
    role: Role | None
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Frontier:
    """marks: single settings to point out, as set and as asked."""

    asked: float
    curves: tuple[Curve, ...]
    marks: tuple[tuple[Role, Point], ...] = ()


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One setting of a method. tuning: who chose it. knob: in words."""

    tuning: str
    knob: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Method:
    """cost_at: over the clairvoyant bound at each of LEVELS, tuned in hindsight; None = not reached."""

    name: str
    title: str
    rows: tuple[MethodRow, ...]
    cost_at: tuple[float | None, ...]
    role: Role | None = None

    def __post_init__(self) -> None:
        if len(self.cost_at) != len(LEVELS):
            raise ValueError(f"{self.name}: one cost for each of {LEVELS}, not {len(self.cost_at)}")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive steps [start, end) about which something is to be said, and its cause."""

    start: datetime
    end: datetime
    steps: int
    cause: str


@dataclass(frozen=True, slots=True)
class TargetTried:
    """An HPA beside our floor at one target, percent. kept: the asked risk was kept."""

    target: int
    replica_hours: float
    short_share: float | None
    kept: bool


@dataclass(frozen=True, slots=True)
class Advice:
    """yaml: a PredictiveAutoscaler to copy. saving_target: HPA target, percent, that realises the saving; tried: all
    that were simulated, none where there is no HPA beside us. floor_alone: minutes short under the HPA as set, without
    and with our floor; None = not simulated.
    """

    yaml: str
    as_set_target: int
    saving_target: int | None = None
    tried: tuple[TargetTried, ...] = ()
    floor_alone: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What the report is about. facts: (name, value) of the world that was assumed."""

    name: str
    step_s: int
    start: datetime
    scored_from: datetime
    end: datetime
    scored_hours: float
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """claims: in the order to be read, the HPA as set first. caveats: what must be said before any of them.

    mix: which figures were observed and which simulated, where both are there. unfit: methods that could not run, why.
    """

    subject: Subject
    claims: tuple[ClaimRow, ...]
    caveats: tuple[str, ...]
    risk: RiskKept
    views: tuple[View, ...]
    frontier: Frontier
    methods: tuple[Method, ...]
    gaps: tuple[Stretch, ...]
    censored: tuple[Stretch, ...]
    advice: Advice
    limits: tuple[str, ...]
    notes: tuple[str, ...] = ()
    mix: tuple[str, ...] = ()
    unfit: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.claims or self.claims[0].role is not Role.AS_SET:
            raise ValueError("the first claim is the HPA as set: all others are measured against it")
        if self.claim(Role.OURS) is None:
            raise ValueError("a report says how Foresail did")

    @property
    def untested(self) -> bool:
        """Neither the HPA as set nor Foresail was ever short: safety was not put to the test."""
        ours = self.claim(Role.OURS)
        return ours is not None and not (self.claims[0].short_minutes.value or ours.short_minutes.value)

    @property
    def told_claims(self) -> tuple[ClaimRow, ...]:
        """What may be claimed: "retuned at our risk" says nothing where no risk was seen."""
        return tuple(row for row in self.claims if not (self.untested and row.role is Role.RETUNED))

    def claim(self, role: Role) -> ClaimRow | None:
        return next((row for row in self.claims if row.role is role), None)


def stretches(flags: Bools, first_step: int, step_s: int, cause: str) -> tuple[Stretch, ...]:
    """Runs of True as stretches of one cause."""
    edges = np.diff(np.concatenate(([0], flags.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist()
    return tuple(
        Stretch(time_of(first_step + a, step_s), time_of(first_step + b, step_s), b - a, cause)
        for a, b in zip(starts, ends, strict=True)
    )


def as_floats(counts: Ints) -> Floats:
    return counts.astype(np.float64)
