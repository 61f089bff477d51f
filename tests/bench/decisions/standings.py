"""From figures by case to standings: geometric means in which every source weighs the same. No files, no words.

Excess = replica-hours over the clairvoyant's, minus 1; floored, or near-perfect cases would rule the mean.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from autoscaler.simulator.rivals.score import LadderScores
from autoscaler.simulator.rivals.tuned import paid_at

FLOOR: Final = 0.03
BEST: Final = "best rival of each case"


@dataclass(frozen=True, slots=True)
class Point:
    """short: share of scored steps. paid: replica-hours."""

    short: float
    paid: float


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One rival on one case. tuned: re-tuned each midnight; None where there is nothing to tune."""

    name: str
    scores: LadderScores
    tuned: Point | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One trace at one lead and size. as_is: ours at the asked risk. ours: over asked risks, our own knob.

    asked, error: those risks, and the relative standard error of what was realised at each, by days.
    """

    name: str
    trace: str
    source: str
    lead_min: int
    peak: int
    bound_hours: float
    as_is: Point
    ours: LadderScores
    rivals: tuple[Method, ...]
    asked: tuple[float, ...] = ()
    error: tuple[float, ...] = ()

    def excess(self, paid: float) -> float:
        return max(paid / self.bound_hours - 1, FLOOR)

    def cheapest(self, short: float) -> tuple[str, float] | None:
        """The rival that costs least at this share of short steps, each tuned for it; None where none gets there."""
        found = [(paid, m.name) for m in self.rivals if (paid := paid_at(m.scores, short)) is not None]
        return None if not found else (min(found)[1], min(found)[0])


@dataclass(frozen=True, slots=True)
class Standing:
    """One method over all cases. reached: cases in which its ladder gets down to the asked risk, of `cases`.

    excess: there, tuned in hindsight; beside: over ours, our knob chosen in hindsight too, same cases.
    tuned_excess, tuned_ratio: re-tuned each midnight; realised over asked risk. tuned_reached: cases with such figures.
    at_ours: its cost over ours at the shortage that we realised as we are; at_ours_reached: cases in which it gets
    there; dearer: of those, cases in which it costs more than we do.
    """

    name: str
    cases: int
    reached: int
    excess: float | None
    beside: float | None
    tuned_excess: float | None
    tuned_ratio: float | None
    tuned_reached: int
    at_ours: float | None
    at_ours_reached: int
    dearer: int


def case_of(ours: dict[str, Any], theirs: dict[str, Any], name: str, risk: float) -> Case:
    """From the figures of the two jobs, which must be about the same steps."""
    bound, steps, ladder = float(ours["bound_hours"]), int(ours["steps"]), ours["ladder"]
    if not math.isclose(bound, theirs["bound_hours"], rel_tol=1e-9):
        raise ValueError(f"{name}: the clairvoyant pays {bound} beside us and {theirs['bound_hours']} beside rivals")
    at = ladder["knobs"].index(risk)

    def scores(of: dict[str, Any]) -> LadderScores:
        return LadderScores(np.array(of["short"]), np.array(of["paid"]), bound, steps)

    rivals = tuple(
        Method(m["name"], scores(m), Point(*m["causal"]) if m["causal"] else None) for m in theirs["ladders"]
    )
    return Case(
        name, ours["trace"], ours["source"], ours["lead_min"], ours["peak"], bound,
        Point(ladder["short"][at], ladder["paid"][at]), scores(ladder), rivals,
        tuple(ladder["knobs"]), tuple(ladder["error"]),
    )  # fmt: skip


def even(values: Iterable[tuple[str, float]]) -> float | None:
    """Mean of the sources' means: (source, value)."""
    by: defaultdict[str, list[float]] = defaultdict(list)
    for source, value in values:
        by[source].append(value)
    return sum(sum(some) / len(some) for some in by.values()) / len(by) if by else None


def geometric(values: Iterable[tuple[str, float]]) -> float | None:
    mean = even((source, math.log(value)) for source, value in values)
    return None if mean is None else math.exp(mean)


def standings(cases: Sequence[Case], risk: float) -> list[Standing]:
    """The best rival of each case, then every rival, the cheapest first; those that never reach the risk last."""
    names = list(dict.fromkeys(m.name for c in cases for m in c.rivals))
    found = [_standing(name, cases, risk, _by_name(name)) for name in names]
    found.sort(key=lambda s: (s.beside is None, s.beside or 0.0))
    return [_best(cases, risk), *found]


def as_we_are(cases: Sequence[Case], risk: float) -> tuple[float | None, float | None]:
    """(excess, realised over asked risk) at the asked risk, nothing chosen afterwards."""
    return (
        geometric((c.source, c.excess(c.as_is.paid)) for c in cases),
        even((c.source, c.as_is.short / risk) for c in cases),
    )


def in_hindsight(cases: Sequence[Case], risk: float) -> tuple[float | None, int]:
    """Our excess where our asked risk is chosen afterwards, as rivals' knobs are; and the cases that get there."""
    paid = [(c, paid_at(c.ours, risk)) for c in cases]
    there = [(c.source, c.excess(p)) for c, p in paid if p is not None]
    return geometric(there), len(there)


def _by_name(name: str) -> Callable[[Case], Method | None]:
    return lambda case: next((m for m in case.rivals if m.name == name), None)


def _standing(name: str, cases: Sequence[Case], risk: float, pick: Callable[[Case], Method | None]) -> Standing:
    paid: list[tuple[Case, float]] = []
    at_ours: list[tuple[Case, float]] = []
    tuned: list[tuple[Case, Point]] = []
    for case in cases:
        method = pick(case)
        if method is None:
            continue
        if (there := paid_at(method.scores, risk)) is not None:
            paid.append((case, there))
        if (there := paid_at(method.scores, case.as_is.short)) is not None:
            at_ours.append((case, there))
        if method.tuned is not None:
            tuned.append((case, method.tuned))
    return _summed(name, len(cases), risk, paid, at_ours, tuned)


def _best(cases: Sequence[Case], risk: float) -> Standing:
    """Tuned each midnight: of those that kept the risk, which nobody knows before either."""
    paid = [(c, best[1]) for c in cases if (best := c.cheapest(risk)) is not None]
    at_ours = [(c, best[1]) for c in cases if (best := c.cheapest(c.as_is.short)) is not None]
    tuned = []
    for case in cases:
        kept = [m.tuned for m in case.rivals if m.tuned is not None and m.tuned.short <= risk]
        if kept:
            tuned.append((case, min(kept, key=lambda p: p.paid)))
    return _summed(BEST, len(cases), risk, paid, at_ours, tuned)


def _summed(
    name: str, cases: int, risk: float,
    paid: list[tuple[Case, float]], at_ours: list[tuple[Case, float]], tuned: list[tuple[Case, Point]],
) -> Standing:  # fmt: skip
    both = [(c, p, mine) for c, p in paid if (mine := paid_at(c.ours, risk)) is not None]
    return Standing(
        name,
        cases=cases,
        reached=len(paid),
        excess=geometric((c.source, c.excess(p)) for c, p in paid),
        beside=geometric((c.source, c.excess(p) / c.excess(mine)) for c, p, mine in both),
        tuned_excess=geometric((c.source, c.excess(p.paid)) for c, p in tuned),
        tuned_ratio=even((c.source, p.short / risk) for c, p in tuned),
        tuned_reached=len(tuned),
        at_ours=geometric((c.source, p / c.as_is.paid) for c, p in at_ours),
        at_ours_reached=len(at_ours),
        dearer=sum(p > c.as_is.paid for c, p in at_ours),
    )
