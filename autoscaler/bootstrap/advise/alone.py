"""The HPA alone, as it is set and retuned in hindsight: what it would have cost and left short without us.

Where every start takes the planned lead, one pass over all rungs tells it (`ladders`). Where starts vary, what an HPA
asks for depends on what is Ready, so each rung runs in the cluster twin, with the same draws as beside us.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from autoscaler.bootstrap.advise.group import Group
from autoscaler.bootstrap.advise.judging import Case
from autoscaler.bootstrap.advise.ladders import Ran, Rungs, Span, run
from autoscaler.bootstrap.lanes import Lane, side_by_side
from autoscaler.domain.series import Floats
from autoscaler.domain.workload import WorkloadRef
from autoscaler.simulator.comparison import Entry, Tuning, asking
from autoscaler.simulator.figures import score

RETUNED: Final = tuple(range(20, 105, 4))
"""Percent of capacity: the targets that an HPA alone is tried at in hindsight; its own joins them."""
AT_ONCE: Final = 8
"""Workloads whose rungs share one run of the twin: their logs are held in memory."""

Rows = tuple[tuple[int, float, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Alone:
    """now: as set. retuned: at the cheapest target that was short for no longer than we, None where none was.

    tried: (percent of capacity, share of short steps, replica-hours) of each target.
    """

    now: Entry
    retuned: Entry | None
    tried: Rows


def percents_of(case: Case) -> list[int]:
    """Of capacity, rising; empty without an HPA."""
    return [] if case.as_set is None else sorted({*RETUNED, case.as_set})


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


def punctual(group: Group, ours: Sequence[Lane], rungs: Rungs, ran: Ran) -> list[Alone | None]:
    """Per case, None without an HPA. ran: of `rungs`, which hold those of `percents_of` without our floor."""
    cases, hour = group.cases, group.question.step_s / 3600
    tried: list[Rows] = []
    best: list[int | None] = []
    for row, lane in enumerate(ours):
        mine = np.flatnonzero((rungs.row == row) & ~rungs.floored)
        steps = max(1, lane.scores.steps)
        told = ((int(rungs.target[at]), float(ran.short[at] / steps), float(ran.paid[at] * hour)) for at in mine)
        tried.append(tuple(sorted(told)))
        best.append(_cheapest(tried[-1], lane))
    wanted = [
        (row, percent)
        for row, case in enumerate(cases)
        if case.as_set is not None
        for percent in {case.as_set, best[row]} - {None}
        if percent is not None
    ]
    if not wanted:
        return [None] * len(cases)
    span = Span(group.question.step_s, group.lead_steps, group.warm_steps)
    kept = run(group.demand, rungs_of(cases, [(*one, False) for one in wanted]), span, keep=True).requested
    if kept is None:
        raise AssertionError("kept requests are there")
    asked = dict(zip(wanted, kept, strict=True))

    def entry(row: int, percent: int, tuning: Tuning) -> Entry:
        like = ours[row]
        served = asking(asked[row, percent], like.served, like.asked.lead_steps)
        return Entry("hpa", tuning, None, served, score(served, like.asked))

    return [_alone(case, tried[row], best[row], row, entry) for row, case in enumerate(cases)]


def drawn(group: Group, ours: Sequence[Lane], said: Callable[[float], None]) -> list[Alone | None]:
    """The same where each replica draws its time to Ready. said: is told the share that is done."""
    rows = [row for row, case in enumerate(group.cases) if case.as_set is not None]
    found: list[Alone | None] = [None] * len(group.cases)
    for low in range(0, len(rows), AT_ONCE):
        some = rows[low : low + AT_ONCE]
        lanes = _in_the_twin(group, some)

        def entry(row: int, percent: int, tuning: Tuning, lanes: dict[tuple[int, int], Lane] = lanes) -> Entry:
            lane = lanes[row, percent]
            return Entry("hpa", tuning, None, lane.served, lane.scores)

        for row in some:
            case = group.cases[row]
            tried = tuple(
                (percent, lane.scores.short_share or 0.0, lane.scores.replica_hours)
                for percent in percents_of(case)
                for lane in (lanes[row, percent],)
            )
            found[row] = _alone(case, tried, _cheapest(tried, ours[row]), row, entry)
        said((low + len(some)) / len(rows))
    return found


def _in_the_twin(group: Group, rows: Sequence[int]) -> dict[tuple[int, int], Lane]:
    keys = [(row, percent) for row in rows for percent in percents_of(group.cases[row])]
    loads = []
    for row, percent in keys:
        load = group.cases[row].workload
        loads.append(replace(load, ref=WorkloadRef(load.ref.namespace, f"{load.ref.name}-alone-{percent}")))
    lanes = side_by_side(
        group.question.step_s, group.first_step, group.demand[[row for row, _ in keys]], loads, group.world,
        hpa_targets=np.array([percent for _, percent in keys], dtype=np.int64), serve=False,
    )  # fmt: skip
    return dict(zip(keys, lanes, strict=True))


def _cheapest(tried: Rows, ours: Lane) -> int | None:
    """Percent of capacity: of the targets that were not short for longer than we."""
    able = [(hours, percent) for percent, share, hours in tried if share <= (ours.scores.short_share or 0.0)]
    return min(able)[1] if able else None


def _alone(
    case: Case, tried: Rows, best: int | None, row: int, entry: Callable[[int, int, Tuning], Entry]
) -> Alone | None:
    if case.as_set is None:
        return None
    retuned = None if best is None else entry(row, best, Tuning.HINDSIGHT)
    return Alone(entry(row, case.as_set, Tuning.AS_SET), retuned, tried)
