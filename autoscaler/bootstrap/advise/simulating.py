"""Cases through the live pipeline: what was, what the HPA could have been, and what Foresail would have done.

One pass of the live pipeline per group of workloads, a lane each, is Foresail beside the HPA as set; one more is that
beside the hottest HPA that may be advised. A floor depends on the HPA above it in how far it rises ahead of it
(`planning.room`): the floors of the second pass are a little low for milder targets, so that trying those beside them
promises too little rather than too much. What is advised is then run through the live pipeline itself, a milder target
where the hottest does not keep the risk there, and only that is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from typing import Final

import numpy as np

from autoscaler.bootstrap.advise.alone import Rows, drawn, percents_of, punctual, rungs_of
from autoscaler.bootstrap.advise.group import Group
from autoscaler.bootstrap.advise.judging import Case, blocks_to_steps
from autoscaler.bootstrap.advise.ladders import Ran, Span, run
from autoscaler.bootstrap.lanes import Lane, side_by_side
from autoscaler.domain.series import Floats
from autoscaler.simulator.claims import Claims, claims
from autoscaler.simulator.comparison import Entry, Tuning
from autoscaler.simulator.figures import score

FLOORS, LADDERS, ADVISED = 0.3, 0.1, 0.3
"""Rough shares of the time that the passes take."""
DRAWN: Final = 0.4
"""Rough share of the whole that HPAs alone take where starts vary: each rung runs in the twin."""

TRIES: Final = 3
"""Targets that are run through the live pipeline for one workload, each half way from the last to the mildest."""

Progress = Callable[[float], None]


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
    alone: Rows = ()
    hotter: Rows = ()

    @property
    def best(self) -> Entry:
        return self.beside if self.advised is None else self.advised


def simulate(group: Group, progress: Progress | None = None) -> tuple[Simulated, ...]:
    """One result per case, in order."""
    part = 1.0 if group.question.spread is None else 1 - DRAWN

    def said(share: float) -> None:
        if progress is not None:
            progress(share)

    def live(share: float) -> None:
        said(part * share)

    cases, question = group.cases, group.question
    demand = group.demand
    set_now = [100 if case.as_set is None else case.as_set for case in cases]
    lanes = _live(group, set_now, lambda share: live(FLOORS * share))
    span = Span(question.step_s, group.lead_steps, group.warm_steps)
    hottest = _hottest(group, lambda share: live(FLOORS * (1 + share)))
    floors = np.stack([hottest.get(row, lane).granted for row, lane in enumerate(lanes)])
    ladder = _Ladder(cases)
    ran = run(demand, ladder.rungs, span, floors, progress=lambda share: live(2 * FLOORS + LADDERS * share))
    kept = [ladder.kept(row, ran, lane, case) for row, (lane, case) in enumerate(zip(lanes, cases, strict=True))]
    hotter = _confirmed(group, kept, hottest, lambda share: live(2 * FLOORS + LADDERS + ADVISED * share))
    ours = [hotter[row][1] if row in hotter else lane for row, lane in enumerate(lanes)]
    if question.spread is None:
        alone = punctual(group, ours, ladder.rungs, ran)
    else:
        alone = drawn(group, ours, lambda share: said(1 - DRAWN * (1 - share)))
    found = []
    for row, (case, lane) in enumerate(zip(cases, lanes, strict=True)):
        hpa = alone[row]
        now = _recorded(case, lane) if hpa is None else hpa.now
        told = _simulated(case, now, lane, None if hpa is None else hpa.retuned, hotter.get(row))
        above = ladder.above(row, ran, lane, case)
        found.append(replace(told, alone=() if hpa is None else hpa.tried, hotter=above))
    said(1.0)
    return tuple(found)


class _Ladder:
    """The rungs of all workloads with an HPA: alone over RETUNED, and above our floor over what is hotter."""

    def __init__(self, cases: Sequence[Case]) -> None:
        lanes = [
            (row, percent, above)
            for row, case in enumerate(cases)
            if case.as_set is not None
            for percent, above in (
                *((p, False) for p in percents_of(case)),
                *((p, True) for _, p in case.hotter),
            )
        ]
        self.rungs = rungs_of(cases, lanes)
        self._percent = self.rungs.target.astype(np.int64)

    def above(self, row: int, ran: Ran, lane: Lane, case: Case) -> Rows:
        """What each hotter target would have cost and left short above our floor."""
        steps, hour = max(1, lane.scores.steps), lane.served.step_s / 3600
        at = {int(self._percent[k]): k for k in np.flatnonzero((self.rungs.row == row) & self.rungs.floored).tolist()}
        return tuple(
            (asked, float(ran.short[at[percent]] / steps), float(ran.paid[at[percent]] * hour))
            for asked, percent in case.hotter
        )

    def kept(self, row: int, ran: Ran, lane: Lane, case: Case) -> tuple[tuple[int, int], ...]:
        """(target as written, percent of capacity) of the HPA above our floor that keeps the risk, the hottest first.

        A target counts only if all milder ones keep the risk too: luck at one rung is no advice.
        """
        share = ran.short / max(1, lane.scores.steps)
        mine = (self.rungs.row == row) & self.rungs.floored & (share <= case.workload.risk)
        fit = {int(p) for p in self._percent[mine]}
        return tuple(reversed(tuple(takewhile(lambda target: target[1] in fit, case.hotter))))


def _live(group: Group, percents: Sequence[int], said: Progress) -> tuple[Lane, ...]:
    step_s = group.question.step_s
    return side_by_side(
        step_s, group.first_step, group.demand, [c.workload for c in group.cases],
        group.world,
        hpa_targets=np.array(percents, dtype=np.int64), progress=said,
    )  # fmt: skip


def _hottest(group: Group, said: Progress) -> dict[int, Lane]:
    """Row → Foresail beside the hottest HPA that may be advised, where there is one."""
    rows = [row for row, case in enumerate(group.cases) if case.as_set is not None and case.hotter]
    if not rows:
        said(1.0)
        return {}
    some = replace(group, cases=tuple(group.cases[row] for row in rows))
    lanes = _live(some, [group.cases[row].hotter[-1][1] for row in rows], said)
    return dict(zip(rows, lanes, strict=True))


def _confirmed(
    group: Group, kept: Sequence[tuple[tuple[int, int], ...]], hottest: Mapping[int, Lane], said: Progress
) -> dict[int, tuple[int, Lane]]:
    """Row → the target as written and its lane: the hottest that is found to keep the risk in the live pipeline.

    kept: the hottest first. hottest: the hottest that may be advised, run before.
    """
    found: dict[int, tuple[int, Lane]] = {}
    nth = {row: 0 for row, some in enumerate(kept) if some}
    for turn in range(TRIES):
        asked = {row: kept[row][at] for row, at in nth.items() if row not in found and at < len(kept[row])}
        known = {row: hottest[row] for row, one in asked.items() if one == group.cases[row].hotter[-1]}
        new = [row for row in asked if row not in known]
        if new:
            some = replace(group, cases=tuple(group.cases[row] for row in new))
            told = partial(_part_of, said, turn)
            known |= zip(new, _live(some, [asked[row][1] for row in new], told), strict=True)
        for row, lane in known.items():
            if (lane.scores.short_share or 0.0) <= lane.asked.risk:
                found[row] = (asked[row][0], lane)
            nth[row] += max(1, (len(kept[row]) - nth[row]) // 2)
    said(1.0)
    return found


def _part_of(said: Progress, turn: int, share: float) -> None:
    said((turn + share) / TRIES)


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
