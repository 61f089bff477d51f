"""What went wrong, when, where, and why we think so: grouped over metrics and workloads, under one stable name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from autoscaler.domain.anomaly import Cause
from autoscaler.domain.signals import SignalKind
from autoscaler.domain.verdict import DataFault

MOST_NAMED = 50
"""Workloads that an incident names; beyond, it counts them."""


class Rule(IntEnum):
    """By which rule a cause was found. Values are stable: they stand in records. `words` is what an engineer reads."""

    NONE = 0
    SENSOR_GONE = 1
    SENSOR_STUCK = 2
    OTHER_UNIT = 3
    COUNTER_FELL = 4
    TWICE_THE_SAME = 5
    ALONE = 6
    BEYOND_ALL = 7
    STEEP = 8
    RETRIES = 9
    FAILING = 10
    FAILING_WITH_LESS = 11
    SLOW = 12
    SATURATED = 13
    MORE_DEMAND = 14
    LESS_DEMAND = 15
    OTHER_SHAPE = 16
    UNEXPLAINED = 17
    SOURCE_AWAY = 18

    @property
    def words(self) -> str:
        return _WORDS[self]

    @property
    def cause(self) -> Cause | None:
        """The class of cause that it leads to."""
        return next((cause for cause, rules in _OF.items() if self in rules), None)


_OF: Mapping[Cause, tuple[Rule, ...]] = {
    Cause.SENSOR_LOSS: (Rule.SENSOR_GONE, Rule.SENSOR_STUCK, Rule.SOURCE_AWAY),
    Cause.DATA_FAULT: (Rule.OTHER_UNIT, Rule.COUNTER_FELL, Rule.TWICE_THE_SAME),
    Cause.SUSPECTED_ATTACK: (Rule.ALONE, Rule.BEYOND_ALL, Rule.STEEP),
    Cause.LATENCY_ERRORS: (Rule.RETRIES, Rule.FAILING, Rule.FAILING_WITH_LESS, Rule.SLOW),
    Cause.CAPACITY: (Rule.SATURATED,),
    Cause.DEMAND: (Rule.MORE_DEMAND, Rule.LESS_DEMAND, Rule.OTHER_SHAPE),
}
_WORDS: Mapping[Rule, str] = {
    Rule.NONE: "",
    Rule.SENSOR_GONE: "a metric has stopped: nothing is known of it for longer than usual",
    Rule.SENSOR_STUCK: "a metric has not moved for far longer than it ever did: its exporter may be frozen",
    Rule.OTHER_UNIT: "a metric jumped by the factor between two units, and no other moved with it",
    Rule.COUNTER_FELL: "a counter fell back to zero",
    Rule.TWICE_THE_SAME: "two series show the same numbers: something is counted twice",
    Rule.ALONE: "demand is far above the usual and above all it ever was, and what always rose with it did not",
    Rule.BEYOND_ALL: "demand is many times the usual and above all it ever was; no watched metric could confirm it",
    Rule.STEEP: "demand climbs far more steeply than it ever did, to where it never was",
    Rule.RETRIES: "errors grow far more than demand does: callers may be retrying what fails",
    Rule.FAILING: "errors are up at the usual demand",
    Rule.FAILING_WITH_LESS: "errors or latency are up while demand falls: the service fails, it is not less wanted",
    Rule.SLOW: "latency is up at the usual demand",
    Rule.SATURATED: "saturation is up at the usual demand: replicas serve less than they should",
    Rule.MORE_DEMAND: "more demand than expected, and nothing that fails",
    Rule.LESS_DEMAND: "less demand than expected, and nothing that fails: look upstream",
    Rule.OTHER_SHAPE: "the demand's course is unlike itself, within its usual limits",
    Rule.UNEXPLAINED: "no rule explains it",
    Rule.SOURCE_AWAY: "the source does not answer, or has nothing of any query: nothing is known meanwhile",
}


class Label(StrEnum):
    """What a person says of an incident."""

    REAL = "real"
    FALSE = "false"


class Happening(StrEnum):
    """What has become of an incident in one step."""

    OPENED = "Opened"
    UPDATED = "Updated"
    RESOLVED = "Resolved"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One metric that contributes, at its worst. Numbers in the metric's own unit; NaN = not known.

    lower, upper: the band that holds all but one step in a thousand. surprise: -log10 of the chance on ordinary days.
    """

    workload: str
    metric: str
    kind: SignalKind
    observed: float
    expected: float
    lower: float = math.nan
    upper: float = math.nan
    surprise: float = math.nan
    faults: DataFault = DataFault.NONE

    @property
    def strength(self) -> float:
        """How far outside its band, in bands; inf for faulty data."""
        width = self.upper - self.lower
        if self.faults.is_wrong_data:
            return math.inf
        off = max(self.observed - self.upper, self.lower - self.observed)
        return off / width if math.isfinite(off) and width > 0 else 0.0

    @property
    def words(self) -> str:
        """One clause: requests 1.2k, expected 340 (210 to 480)."""
        said = f"{self.metric} {'unknown' if math.isnan(self.observed) else short(self.observed)}"
        if math.isfinite(self.expected):
            band = math.isfinite(self.lower) and math.isfinite(self.upper)
            said += f", expected {short(self.expected)}"
            said += f" ({short(self.lower)} to {short(self.upper)})" if band else ""
        return f"{said}: {self.faults.words}" if self.faults else said


@dataclass(frozen=True, slots=True)
class Trail:
    """How the first metrics of an incident went, for a picture. All lists have one number a step; NaN = not known."""

    workload: str
    metric: str
    step_s: int
    first_step: int
    observed: tuple[float, ...]
    expected: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident as it stands. Moments are seconds since the epoch.

    cause: None where no rule gives one. workloads: up to MOST_NAMED names, first those that went first; affected: how
    many there are. severity: 0 … 1, the worst so far. rate_per_week: how often a workload is this odd on ordinary days,
    at the worst; NaN = not known. merged_into: the incident that took it over. gates: whether its causes bind scaling.
    """

    id: str
    opened_s: float
    updated_s: float
    cause: Cause | None
    rule: Rule
    severity: float
    workloads: tuple[str, ...]
    affected: int
    evidence: tuple[Evidence, ...] = ()
    rate_per_week: float = math.nan
    resolved_s: float | None = None
    merged_into: str = ""
    gates: bool = True
    trails: tuple[Trail, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.workloads or self.affected < len(self.workloads):
            raise ValueError(f"{self.id}: an incident affects the workloads that it names: {self.workloads}")
        if not 0 <= self.severity <= 1:
            raise ValueError(f"{self.id}: a severity lies between 0 and 1, not {self.severity!r}")
        if self.resolved_s is not None and self.resolved_s < self.opened_s:
            raise ValueError(f"{self.id}: it cannot end before it began")

    @property
    def open(self) -> bool:
        return self.resolved_s is None

    @property
    def fleet_wide(self) -> bool:
        return self.affected > 1

    @property
    def where(self) -> str:
        """shop/web, or shop/web and 29 more."""
        return self.workloads[0] if self.affected == 1 else f"{self.workloads[0]} and {self.affected - 1} more"

    @property
    def title(self) -> str:
        """One line: what, where."""
        return f"{'something unusual' if self.cause is None else self.cause.words}: {self.where}"

    @property
    def why(self) -> str:
        """The rule, and the numbers it went by."""
        return "; ".join((self.rule.words, *(each.words for each in self.evidence)))


@dataclass(frozen=True, slots=True)
class News:
    """One change of one incident; what a notifier is told."""

    happening: Happening
    incident: Incident


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person said of an incident, and when."""

    incident: str
    label: Label
    note: str
    at_s: float


def short(value: float) -> str:
    """Three digits with a letter for thousands: 1.23k, 45.6M."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.3g}{letter}"
    return f"{value:.3g}"
