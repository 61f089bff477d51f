"""A learned capacity in words, as a picture of one line, as JSON, and as YAML to copy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from autoscaler.domain.series import Floats
from autoscaler.domain.sparkline import sparkline
from autoscaler.planning.capacity import A_DAY, BEYOND_SEEN, Bound, LearnedCapacity, Seen
from autoscaler.planning.load_curve import Curves
from autoscaler.reporting.words import number

DIGITS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class CapacityAnswer:
    """found and the curve of one lane; seen: what they were learned from, between since and until."""

    found: LearnedCapacity
    curve: Curves
    seen: Seen
    since: datetime
    until: datetime

    @property
    def days(self) -> float:
        return self.seen.load.shape[1] / A_DAY

    @property
    def limit(self) -> float:
        return float(self.seen.limit[0])

    def points(self, count: int) -> tuple[Floats, Floats]:
        """[point], loads from 0 to the most that was seen, and the curve there; none where there is no curve."""
        known = self.seen.load[np.isfinite(self.seen.load)]
        top = float(known.max(initial=0.0))
        if top <= 0 or np.isnan(self.curve.idle[0]):
            return np.empty(0), np.empty(0)
        loads = np.linspace(0.0, top, count)
        return loads, self.curve.level_at(loads[None, :])[0]


def rounded_down(value: float) -> str:
    """Three digits, never more than the value: 44.97 is "44.9", 45.0 (but for rounding) "45", 12,345 "12300"."""
    unit = 10.0 ** (math.floor(math.log10(value)) - DIGITS + 1)
    whole = math.floor(value / unit * (1 + 1e-9))
    return np.format_float_positional(whole * unit, precision=DIGITS, fractional=False, trim="-")


def capacity_lines(answer: CapacityAnswer, width: int) -> Iterator[str]:
    found = answer.found
    if found.refused is not None or found.per_replica is None:
        yield f"no capacity: {found.refused.words if found.refused else 'unknown'}"
    else:
        yield f"one replica serves {rounded_down(found.per_replica)}, {why_this_capacity(answer)}"
        low, high = number(found.low), number(found.high)
        yield f"  90 % interval  {low} to {high}, over days drawn anew"
        if found.widened > 1:
            wider = f"{(found.widened - 1) * 100:.0f} %"
            yield f"  new image      too few samples of its own yet: capacity lower, interval wider, by {wider}"
    yield f"  seen           {found.samples} × 5 min of {answer.days:.1f} days, {_span(answer)} UTC"
    loads, levels = answer.points(width)
    if len(loads):
        span, most = f"{number(levels[0])} to {number(levels[-1])}", number(loads[-1])
        yield f"  curve          {sparkline(list(levels), width)}  resource {span}, at a load of 0 to {most}"
        yield f"  limit          {number(answer.limit)}"
        yield f"  quality        load explains {found.explained:.0%} of the resource"
    most_carried = number(found.highest) if found.highest > 0 else "nothing"
    yield f"  most carried   {most_carried} without a breach"
    if found.per_replica is not None:
        yield ""
        yield from _yaml(answer)


def capacity_yaml(answer: CapacityAnswer) -> str:
    """The part of a demand to copy; empty where refused."""
    return "".join(f"{line}\n" for line in _yaml(answer))


def capacity_dict(answer: CapacityAnswer, points: int) -> dict[str, Any]:
    found = answer.found
    loads, levels = answer.points(points)
    refused = None if found.refused is None else {"code": found.refused.value, "words": found.refused.words}
    return {
        "perReplica": found.per_replica,
        "interval": None if found.low is None else [found.low, found.high],
        "bound": None if found.refused else found.bound.value,
        "refused": refused,
        "explained": found.explained,
        "highestWithoutBreach": found.highest,
        "samples": found.samples,
        "widened": found.widened,
        "limit": answer.limit,
        "since": answer.since.isoformat(),
        "until": answer.until.isoformat(),
        "curve": [[float(x), float(y)] for x, y in zip(loads, levels, strict=True)],
    }


def _yaml(answer: CapacityAnswer) -> Iterator[str]:
    found = answer.found
    if found.per_replica is None:
        return
    yield f"# learned {_span(answer)}: {why_this_capacity(answer)}"
    yield f'capacity: {{perReplica: "{rounded_down(found.per_replica)}"}}'


def _span(answer: CapacityAnswer) -> str:
    return f"{answer.since:%Y-%m-%d} to {answer.until:%Y-%m-%d}"


def why_this_capacity(answer: CapacityAnswer) -> str:
    """What decided it, with its number."""
    highest = number(answer.found.highest)
    if answer.found.bound is Bound.CURVE:
        return f"where the curve reaches the limit of {number(answer.limit)}"
    if answer.found.bound is Bound.BREACHES:
        return f"where breaches begin; {highest} was carried without one"
    return f"{BEYOND_SEEN:g} × the most that was seen, {highest}; what it could carry beyond that is not known"
