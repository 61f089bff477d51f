"""Conditions that policies put on a workload's moves: what they can read, and what follows from their answers.

What is not known is not there: a condition that reads it cannot be answered, and the workload holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import numpy as np

from autoscaler.domain.forecast import LEVELS, ForesightAt
from autoscaler.domain.policy import Origin
from autoscaler.domain.policy_lanes import lanes_of
from autoscaler.domain.series import Bools, Ints, anywhere

NO_CAP = int(np.iinfo(np.int32).max)


class Variable(NamedTuple):
    """kind: its CEL type."""

    kind: str
    words: str


CONTEXT: Mapping[str, Variable] = {
    "observed": Variable("map(string, double)", "newest usable demand, by the name of the demand; unknown: absent"),
    "p50": Variable("map(string, double)", "median of the forecast peak over the lead window, by demand"),
    "p90": Variable("map(string, double)", "its 90 % quantile"),
    "p95": Variable("map(string, double)", "its 95 % quantile, which sizes"),
    "margin": Variable("double", "factor by which risk control multiplies that quantile now"),
    "need": Variable("int", "replicas that the observed demand needs; absent while it is unknown"),
    "wanted": Variable("int", "replicas that the plan wants, before any guard"),
    "replicas": Variable("int", "replicas (under a floor the floor) that are written now"),
    "running": Variable("int", "replicas that run"),
    "recentHigh": Variable("int", "history: the highest plan within the stabilisation window downward"),
    "recentLow": Variable("int", "history: the lowest plan within the stabilisation window upward"),
    "minReplicas": Variable("int", "min in force"),
    "maxReplicas": Variable("int", "max in force"),
    "dataAgeSeconds": Variable("double", "age of the newest usable sample; absent if there is none"),
    "now": Variable("timestamp", 'the moment of the decision; now.getHours("Europe/Berlin")'),
    "ns": Variable("string", "namespace of the workload (CEL keeps the long word for itself)"),
    "name": Variable("string", "of the workload"),
    "labels": Variable("map(string, string)", "of the PredictiveAutoscaler"),
    "site": Variable("string", "the site that Foresail was started with, or empty"),
}


class Program(Protocol):
    """A compiled condition; equal where its text is."""

    @property
    def text(self) -> str: ...
    @property
    def names(self) -> frozenset[str]: ...
    def answer(self, values: Mapping[str, Any]) -> bool | None: ...


class Then(StrEnum):
    """What follows while a condition is true (Allow: while it is not)."""

    ALLOW = "Allow"
    HOLD = "Hold"
    CAP = "Cap"
    FLOOR = "Floor"


@dataclass(frozen=True, slots=True)
class PolicyCondition:
    """then: Hold: no shrink while true. Allow: no shrink unless true. Cap, Floor: so many replicas while true.

    short: a cap binds below observed need too.
    """

    name: str
    program: Program
    then: Then
    message: str
    origin: Origin
    replicas: int = 0
    short: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """What a condition may ask of the workload itself."""

    namespace: str
    name: str
    labels: tuple[tuple[str, str], ...] = ()
    site: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """All [lane]. hold: some condition holds it. unknown: some cannot be answered. floor, cap: 0, NO_CAP = none.

    short: the cap may bind below observed need. fired: lane → the conditions that say something now; unanswered: those
    of them that cannot be answered.
    """

    hold: Bools
    unknown: Bools
    floor: Ints
    cap: Ints
    short: Bools
    fired: Mapping[int, tuple[PolicyCondition, ...]]
    unanswered: Mapping[int, tuple[PolicyCondition, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class FleetConditions:
    """Each distinct condition once, with its lanes. about: by lane, for those that have any."""

    conditions: tuple[tuple[PolicyCondition, Ints], ...]
    about: Mapping[int, About]
    names: frozenset[str]
    lanes: int

    @staticmethod
    def of(each: Sequence[tuple[tuple[PolicyCondition, ...], About | None]]) -> FleetConditions:
        found = lanes_of(each, lambda pair: pair[0])
        names = frozenset(n for condition, _ in found for n in condition.program.names)
        about = {lane: a for lane, (conditions, a) in enumerate(each) if conditions and a is not None}
        return FleetConditions(found, about, names, len(each))

    @property
    def any(self) -> bool:
        """Whether any lane has a condition."""
        return bool(self.conditions)

    def answers(self, values: Mapping[int, Mapping[str, Any]]) -> Answers:
        """values: lane → what is known of CONTEXT, for every lane of `about`."""
        hold, unknown, short = (np.zeros(self.lanes, dtype=np.bool_) for _ in range(3))
        floor, cap = np.zeros(self.lanes, dtype=np.int64), np.full(self.lanes, NO_CAP, dtype=np.int64)
        fired: dict[int, tuple[PolicyCondition, ...]] = {}
        unanswered: dict[int, tuple[PolicyCondition, ...]] = {}
        for condition, lanes in self.conditions:
            answer, then = condition.program.answer, condition.then
            for lane in lanes.tolist():
                try:
                    said = answer(values[lane])
                except Exception:  # noqa: BLE001 - a condition that raises holds its lane, and no other
                    said = None
                if said is None:
                    unknown[lane] = True
                    unanswered[lane] = (*unanswered.get(lane, ()), condition)
                elif said is (then is Then.ALLOW):
                    continue
                elif then is Then.FLOOR:
                    floor[lane] = max(floor[lane], condition.replicas)
                elif then is Then.CAP:
                    if condition.replicas < cap[lane]:
                        cap[lane], short[lane] = condition.replicas, condition.short
                else:
                    hold[lane] = True
                fired[lane] = (*fired.get(lane, ()), condition)
        return Answers(hold, unknown, floor, cap, short, fired, unanswered)


def context(
    asked: FleetConditions, seen: ForesightAt, rows: Mapping[int, Sequence[tuple[int, str]]],
    numbers: Mapping[str, np.ndarray], now_s: float,
) -> dict[int, dict[str, Any]]:  # fmt: skip
    """By lane, what is known. rows: lane → (row, name of its demand). numbers: by name, [lane]; NaN = unknown."""
    names, per_row = asked.names, dict[str, list[float]]()
    if "observed" in names:
        per_row["observed"] = seen.observed.tolist()
    for k, level in enumerate(LEVELS):
        if f"p{level * 100:g}" in names:
            per_row[f"p{level * 100:g}"] = np.where(seen.present, seen.quantiles[:, k], np.nan).tolist()
    plain = {name: values.tolist() for name, values in numbers.items() if name in names}
    fixed = {"now": datetime.fromtimestamp(now_s, UTC)} if "now" in names else {}
    partial = {name for name, values in numbers.items() if name in plain and anywhere(~np.isfinite(values))}
    found = {}
    for lane, who in asked.about.items():
        values: dict[str, Any] = dict(fixed)
        for name, column in plain.items():
            if name not in partial or np.isfinite(column[lane]):
                values[name] = int(column[lane]) if CONTEXT[name].kind == "int" else column[lane]
        for name, listed in per_row.items():
            values[name] = {demand: listed[row] for row, demand in rows[lane] if listed[row] == listed[row]}
        if "labels" in names:
            values["labels"] = dict(who.labels)
        own = {"ns": who.namespace, "name": who.name, "site": who.site}
        values |= {name: text for name, text in own.items() if name in names}
        found[lane] = values
    return found
