"""Cases through the live pipeline: what was, what the HPA could have been, and what Foresail would have done.

One pass of the live pipeline per group of workloads, a lane each, gives the floors. They do not depend on the HPA that
stands above them (a test proves it), so every target is tried beside those floors in one more pass; what is advised is
then run through the live pipeline itself, and only that is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Final

import numpy as np

from autoscaler.bootstrap.advise.judging import DAY_S, Case, Question, blocks_to_steps
from autoscaler.bootstrap.advise.ladders import Ran, Rungs, Span, run
from autoscaler.bootstrap.lanes import Lane, side_by_side
from autoscaler.bootstrap.worlds import World, steps_of
from autoscaler.domain.series import Floats, Ints
from autoscaler.simulator.claims import Claims, claims
from autoscaler.simulator.comparison import Entry, Tuning, asking
from autoscaler.simulator.figures import Asked, Served, score

WARMUP_DAYS: Final = 7
RETUNED: Final = tuple(range(20, 105, 4))
"""Percent of capacity: the targets that an HPA alone is tried at in hindsight; its own joins them."""
FLOORS, LADDERS, ADVISED = 0.45, 0.1, 0.45
"""Rough shares of the time that the passes take."""

Progress = Callable[[float], None]
Rows = tuple[tuple[int, float, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Cases that are simulated together. first_step: absolute step of every case's first value."""

    cases: tuple[Case, ...]
    question: Question
    first_step: int

    @property
    def demand(self) -> Floats:
        """[case, step]."""
        return np.stack([case.demand for case in self.cases])

    @property
    def warm_steps(self) -> int:
        """A week; a third of a record that is shorter than ten days."""
        steps = len(self.cases[0].demand)
        days = steps * self.question.step_s / DAY_S
        return int(WARMUP_DAYS * DAY_S // self.question.step_s) if days >= WARMUP_DAYS + 3 else steps // 3


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """now: the HPA as set, or the replicas on record. beside: Foresail beside it as it is. advised: Foresail beside
    the HPA at `target` (as its owner writes it), None where no hotter one keeps the risk. retuned: the HPA alone in
    hindsight. claims: of now, retuned and what is advised. p50, p95: [step], of the coming peak, in what is advised.
    alone: (percent of capacity, share of short steps, replica-hours) of the HPA alone at each target tried; hotter:
    (target as written, share, replica-hours) of the HPA above our floor.
    """

    now: Entry
    beside: Entry
    advised: Entry | None
    target: int | None
    retuned: Entry | None
    claims: Claims
    p50: Floats
    p95: Floats
    alone: tuple[tuple[int, float, float], ...] = ()
    hotter: tuple[tuple[int, float, float], ...] = ()

    @property
    def best(self) -> Entry:
        return self.beside if self.advised is None else self.advised


def simulate(group: Group, progress: Progress | None = None) -> tuple[Simulated, ...]:
    """One result per case, in order."""
    said = progress or (lambda _share: None)
    cases, question = group.cases, group.question
    demand = group.demand
    set_now = [100 if case.as_set is None else case.as_set for case in cases]
    lanes = _live(group, set_now, lambda share: said(FLOORS * share))
    span = Span(question.step_s, steps_of(question.lead_s, question.step_s), group.warm_steps)
    floors = np.stack([lane.granted for lane in lanes])
    ladder = _Ladder(cases)
    ran = run(demand, ladder.rungs, span, floors, progress=lambda share: said(FLOORS + LADDERS * share))
    kept = [ladder.kept(row, ran, lane, case) for row, (lane, case) in enumerate(zip(lanes, cases, strict=True))]
    hotter = _confirmed(group, kept, lambda share: said(FLOORS + LADDERS + ADVISED * share))
    ours = [hotter[row][1] if row in hotter else lane for row, lane in enumerate(lanes)]
    alone = _alone(demand, cases, [ladder.retuned(row, ran, lane) for row, lane in enumerate(ours)], span)
    found = []
    for row, (case, lane) in enumerate(zip(cases, lanes, strict=True)):
        requested, retuned = alone.get((row, False)), alone.get((row, True))
        now = _entry("hpa", lane.served, lane.asked, requested) if requested is not None else _recorded(case, lane)
        other = None if retuned is None else _entry("hpa", lane.served, lane.asked, retuned, Tuning.HINDSIGHT)
        tried, above = ladder.tried(row, ran, lane, case)
        told = _simulated(case, now, lane, other, hotter.get(row))
        found.append(replace(told, alone=tried, hotter=above))
    return tuple(found)


class _Ladder:
    """The rungs of all workloads with an HPA: alone over RETUNED, and above our floor over what is hotter."""

    def __init__(self, cases: Sequence[Case]) -> None:
        lanes = [
            (row, percent, above)
            for row, case in enumerate(cases)
            if case.as_set is not None
            for percent, above in (
                *((p, False) for p in sorted({*RETUNED, case.as_set})),
                *((p, True) for _, p in case.hotter),
            )
        ]
        self.rungs = rungs_of(cases, lanes)
        self._percent = self.rungs.target.astype(np.int64)

    def tried(self, row: int, ran: Ran, lane: Lane, case: Case) -> tuple[Rows, Rows]:
        """What each target would have cost and left short: alone, and above our floor."""
        steps, hour = max(1, lane.scores.steps), lane.served.step_s / 3600
        found = {
            (int(self._percent[at]), bool(self.rungs.floored[at])): (
                float(ran.short[at] / steps),
                float(ran.paid[at] * hour),
            )
            for at in np.flatnonzero(self.rungs.row == row).tolist()
        }
        alone = tuple((percent, *found[percent, above]) for percent, above in sorted(found) if not above)
        return alone, tuple((asked, *found[percent, True]) for asked, percent in case.hotter)

    def kept(self, row: int, ran: Ran, lane: Lane, case: Case) -> tuple[tuple[int, int], ...]:
        """(target as written, percent of capacity) of the HPA above our floor that keeps the risk, the hottest first.

        A target counts only if all milder ones keep the risk too: luck at one rung is no advice.
        """
        share = ran.short / max(1, lane.scores.steps)
        mine = (self.rungs.row == row) & self.rungs.floored & (share <= case.workload.risk)
        fit = {int(p) for p in self._percent[mine]}
        return tuple(reversed(tuple(takewhile(lambda target: target[1] in fit, case.hotter))))

    def retuned(self, row: int, ran: Ran, ours: Lane) -> int | None:
        """Percent of capacity: the cheapest HPA alone that was not short for longer than we; None where none was."""
        share = ran.short / max(1, ours.scores.steps)
        mine = (self.rungs.row == row) & ~self.rungs.floored
        able = np.flatnonzero(mine & (share <= (ours.scores.short_share or 0.0)))
        return int(self._percent[able[np.argmin(ran.paid[able])]]) if len(able) else None


def rungs_of(cases: Sequence[Case], lanes: Sequence[tuple[int, int, bool]]) -> Rungs:
    """lanes: (row, percent of capacity, whether our floor stands under it)."""
    row = np.array([r for r, _, _ in lanes], dtype=np.int64)

    def of_row(values: Sequence[float]) -> Floats:
        return np.asarray(values, dtype=np.float64)[row]

    return Rungs(
        row,
        np.array([p for _, p, _ in lanes], dtype=np.float64),
        of_row([c.capacity.per_replica for c in cases]),
        of_row([c.workload.min_replicas for c in cases]),
        of_row([c.workload.max_replicas for c in cases]),
        np.array([above for _, _, above in lanes], dtype=np.bool_),
    )


def _live(group: Group, percents: Sequence[int], said: Progress) -> tuple[Lane, ...]:
    step_s = group.question.step_s
    return side_by_side(
        step_s, group.first_step, group.demand, [c.workload for c in group.cases],
        World(warmup_s=float(group.warm_steps * step_s)),
        hpa_targets=np.array(percents, dtype=np.int64), progress=said,
    )  # fmt: skip


def _alone(
    demand: Floats, cases: Sequence[Case], retuned: Sequence[int | None], span: Span
) -> dict[tuple[int, bool], Ints]:
    """(row, retuned?) → [step], what the HPA alone asks for, as set and at its target in hindsight."""
    keys, lanes = [], []
    for row, (case, best) in enumerate(zip(cases, retuned, strict=True)):
        for percent, hindsight in ((case.as_set, False), (best, True)):
            if percent is not None:
                keys.append((row, hindsight))
                lanes.append((row, percent, False))
    if not lanes:
        return {}
    ran = run(demand, rungs_of(cases, lanes), span, keep=True)
    if ran.requested is None:
        raise AssertionError("kept requests are there")
    return dict(zip(keys, ran.requested, strict=True))


def _confirmed(
    group: Group, kept: Sequence[tuple[tuple[int, int], ...]], said: Progress
) -> dict[int, tuple[int, Lane]]:
    """Row → the target as written and its lane: the hottest one, run through the live pipeline and kept if it holds."""
    rows = [row for row, some in enumerate(kept) if some]
    if not rows:
        said(1.0)
        return {}
    some = replace(group, cases=tuple(group.cases[row] for row in rows))
    lanes = _live(some, [kept[row][0][1] for row in rows], said)
    return {
        row: (kept[row][0][0], lane)
        for row, lane in zip(rows, lanes, strict=True)
        if (lane.scores.short_share or 0.0) <= lane.asked.risk
    }


def _entry(name: str, like: Served, asked: Asked, requested: Ints, tuning: Tuning = Tuning.AS_SET) -> Entry:
    served = asking(requested, like, asked.lead_steps)
    return Entry(name, tuning, None, served, score(served, asked))


def _recorded(case: Case, lane: Lane) -> Entry:
    """What really ran, where there is no HPA to simulate."""
    step_s = lane.served.step_s
    wanted = np.rint(blocks_to_steps(case.wanted, step_s)).astype(np.int64)
    known = np.isfinite(case.ready).any()
    ready = np.rint(blocks_to_steps(case.ready, step_s)).astype(np.int64) if known else wanted
    served = replace(lane.served, ready=ready, running=wanted)
    return Entry("as recorded", Tuning.AS_SET, None, served, score(served, lane.asked))


def _simulated(case: Case, now: Entry, lane: Lane, retuned: Entry | None, hotter: tuple[int, Lane] | None) -> Simulated:
    risk = case.workload.risk
    beside = Entry("foresail", Tuning.AS_SET, risk, lane.served, lane.scores)
    advised, target, shown = None, None, lane
    if hotter is not None:
        target, other = hotter
        shown = other
        advised = Entry("foresail", Tuning.AS_SET, risk, other.served, other.scores)
    titles = (
        "replicas as recorded" if case.as_set is None else "your HPA as set",
        "your HPA retuned in hindsight at our risk",
        _title(case, target),
    )
    rows = claims(now, retuned, advised or beside, titles)
    return Simulated(now, beside, advised, target, retuned, rows, shown.p50, shown.p95)


def _title(case: Case, target: int | None) -> str:
    if case.as_set is None:
        return "Foresail alone (Scale)"
    return f"Foresail under your HPA at {target} %" if target is not None else "Foresail under your HPA as set"
