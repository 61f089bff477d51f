"""Which changes of policies deserve a second look: limits that move far, and protection that goes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from autoscaler.bootstrap.policies_limits import limit_words
from autoscaler.domain.calendar import Window
from autoscaler.domain.policy import NO_TRUST, UNGUARDED, Brake, Guarded, ReplicaWindow
from autoscaler.domain.workload import Workload

LARGE = 2.0
"""A limit that moves by this factor is worth a second look."""
YEAR_S = 366 * 86400.0


class Protection(NamedTuple):
    """One rule as numbers, by what each is. gone: what is said when it is there no more, "" = nothing. over: it was."""

    numbers: Mapping[str, float]
    gone: str
    over: bool = False


def risk(field: str, before: Workload, after: Workload, now_s: float | None = None) -> str:
    """Why the change of a field deserves a second look, "" where not. now_s: what is over by then is no loss."""
    was, now = protections(before, now_s).get(field), protections(after, now_s).get(field)
    if was is not None and now is None:
        return "" if was.over else was.gone
    if was is not None and now is not None:
        lost = [part for part in was.numbers if part not in now.numbers]
        if lost:
            return f"its {lost[0]} is removed"
        moved = [_times(old, now.numbers[part]) for part, old in was.numbers.items()]
        if max(moved, default=1.0) >= LARGE:
            return f"{max(moved):.3g} times" if math.isfinite(max(moved)) else "from or to zero"
    if field == "clash" and (after.guarded or UNGUARDED).clash is not None:
        return "the workload would not move"
    if field.endswith(".limit") and field not in dict(limit_words(after)):
        return "a step limit is removed"
    return ""


def _times(old: float, new: float) -> float:
    """How many times as large, or as small; inf to or from zero."""
    if old == new:
        return 1.0
    low, high = sorted((old, new))
    return high / low if low > 0 else math.inf


def protections(load: Workload, now_s: float | None) -> dict[str, Protection]:
    """By the field's name in a difference."""
    guarded = load.guarded or UNGUARDED
    found = {
        "min": Protection({"min": load.min_replicas}, ""),
        "max": Protection({"max": load.max_replicas}, ""),
    }
    for w in guarded.windows:
        numbers = {"min": w.least, "max": w.most, "uplift": w.uplift if w.uplift > 1 else None}
        told = {part: float(value) for part, value in numbers.items() if value is not None}
        gone = "a cap is removed" if w.most is not None and w.least is None else "a floor is removed"
        if w.uplift > 1 and w.least is None:
            gone = "an expected uplift is removed"
        found[window_name(w, guarded)] = Protection(told, gone, _over(w.window, now_s))
    for brake in guarded.brakes:
        found[brake_name(brake)] = Protection({"share": brake.share}, "a brake is removed")
    for b in guarded.budgets:
        amounts = {"replicas": b.replicas, "money": b.money}
        told = {part: float(value) for part, value in amounts.items() if value is not None}
        found[f"budget of {b.origin.owner}"] = Protection(told, "a budget is removed")
    for c in guarded.conditions:
        found[f"condition {c.name}"] = Protection(
            {"replicas": c.replicas} if c.replicas else {}, "a condition is removed"
        )
    trust = guarded.trust or NO_TRUST
    for name, value, none in (
        ("maxMargin", trust.margin, NO_TRUST.margin), ("maxQuantileRatio", trust.ratio, NO_TRUST.ratio),
        ("maxOverObserved", trust.over, NO_TRUST.over),
    ):  # fmt: skip
        if value != none:
            found[f"forecastTrust.{name}"] = Protection({"factor": value}, "a bound on forecasts is removed")
    if guarded.fallback is not None:
        found["fallback"] = Protection({"min": guarded.fallback.least}, "nothing is left for the dark")
    return found


def window_name(window: ReplicaWindow, guarded: Guarded) -> str:
    """Its own name, and its policy's where another window of the workload has the same."""
    alike = sum(w.name == window.name for w in guarded.windows) > 1
    return f"window {window.name}" + (f" of {window.origin.owner}" if alike else "")


def brake_name(brake: Brake) -> str:
    """By direction and policy."""
    return f"{'growth ' if brake.grow else ''}brake of {brake.origin.owner}"


def _over(window: Window, now_s: float | None) -> bool:
    return now_s is not None and not window.spans(now_s, now_s + YEAR_S)
