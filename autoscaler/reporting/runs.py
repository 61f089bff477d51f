"""What the pictures need of a run, by shape alone, and which spans of it are worth showing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints

DAY_S = 86_400
_OUTAGE_LEAST_S = 300  # shorter gaps are lost scrapes: too many to shade, and too short to matter


class BothFigures(Protocol):
    """Cost and shortage, which always stand together."""

    @property
    def replica_hours(self) -> float: ...
    @property
    def short_minutes(self) -> float: ...


class Run(Protocol):
    """One lane over consecutive steps; arrays are [step]. NaN in demand, seen, p50 and p95 means unknown."""

    @property
    def name(self) -> str: ...
    @property
    def step_s(self) -> int: ...
    @property
    def first_step(self) -> int: ...
    @property
    def capacity(self) -> float: ...
    @property
    def demand(self) -> Floats: ...
    @property
    def seen(self) -> Floats: ...
    @property
    def granted(self) -> Ints: ...
    @property
    def ready(self) -> Ints: ...
    @property
    def p50(self) -> Floats: ...
    @property
    def p95(self) -> Floats: ...
    @property
    def short(self) -> Bools: ...
    def figures(self) -> BothFigures: ...


Event = tuple[str, int, int, str]
"""Name, first step, end step (absolute), description."""


@dataclass(frozen=True, slots=True)
class Span:
    """Absolute steps [first, end)."""

    first: int
    end: int

    def cut(self, other: Span) -> Span | None:
        first, end = max(self.first, other.first), min(self.end, other.end)
        return Span(first, end) if first < end else None


def best_part(runs: Sequence[Run], shown: Span, events: Sequence[Event] = ()) -> Span:
    """The UTC day (within about a day: the four hours) with the most short steps over all runs.

    Of equals, a part with an event goes first, then the busiest.
    """
    part_s = DAY_S if (shown.end - shown.first) * runs[0].step_s > 1.1 * DAY_S else DAY_S // 6
    length = max(1, part_s // runs[0].step_s)
    starts = range(shown.first // length, (shown.end - 1) // length + 1)
    parts = [p for p in (Span(k * length, (k + 1) * length).cut(shown) for k in starts) if p is not None]

    def interest(part: Span) -> tuple[float, bool, float]:
        short = float(sum(cut(r, r.short, part).sum() for r in runs))
        eventful = any(part.cut(Span(first, end)) for _, first, end, _ in events)
        return short, eventful, float(np.nan_to_num(cut(runs[0], runs[0].demand, part)).max(initial=0.0))

    return max(parts, key=interest)


def outages(run: Run, events: Sequence[Event]) -> list[Event]:
    """Gaps in what was seen of at least five minutes that no event already names."""
    gap = np.isnan(run.seen)
    edges = np.diff(np.concatenate(([0], gap.astype(np.int8), [0])))
    found: list[Event] = []
    for start, stop in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        span = Span(run.first_step + int(start), run.first_step + int(stop))
        named = any("outage" in name and span.cut(Span(first, end)) for name, first, end, _ in events)
        if (span.end - span.first) * run.step_s >= _OUTAGE_LEAST_S and not named:
            found.append(("metrics outage", span.first, span.end, "no metrics"))
    return found


def cut(run: Run, values: np.ndarray[Any, Any], span: Span) -> np.ndarray[Any, Any]:
    """The part of a run's array in a span."""
    return values[max(0, span.first - run.first_step) : max(0, span.end - run.first_step)]


def span_of(run: Run) -> Span:
    return Span(run.first_step, run.first_step + int(run.demand.shape[0]))


def check_runs(runs: Sequence[Run]) -> None:
    if not runs:
        raise ValueError("nothing to draw: no runs")
    first = runs[0]
    for run in runs[1:]:
        if (run.step_s, span_of(run)) != (first.step_s, span_of(first)):
            raise ValueError(f"{run.name} and {first.name} are not on one grid")
    if not first.demand.size:
        raise ValueError(f"nothing to draw: {first.name} has no steps")
