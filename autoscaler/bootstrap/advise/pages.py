"""One advised workload as the values of a report: what its page shows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from autoscaler.bootstrap.advise.advice import Advised
from autoscaler.bootstrap.advise.manifests import autoscaler_text
from autoscaler.bootstrap.report.assemble import claim_row, figures_of, risk_kept, track
from autoscaler.bootstrap.report.spans import Part, usual_week, worst_day
from autoscaler.domain.series import time_of
from autoscaler.reporting.report.values import (
    LEVELS,
    Advice,
    Basis,
    Curve,
    Frontier,
    Method,
    MethodRow,
    Point,
    Report,
    Role,
    Subject,
    TargetTried,
    View,
    stretches,
)
from autoscaler.simulator.clairvoyant import UNOBSERVED
from autoscaler.simulator.comparison import Entry

HPA_TITLE = "Your HPA alone, over its target"


def report_of(one: Advised, risk: str) -> Report:
    """risk: as typed."""
    result = one.simulated
    served = result.best.served
    observed = one.case.as_set is None
    # the first row is what the others are measured against, be it simulated or what really ran
    roles = [Role.AS_SET, Role.OURS] if result.retuned is None else [Role.AS_SET, Role.RETUNED, Role.OURS]
    rows = zip(roles, result.claims.rows, strict=True)
    return Report(
        subject=_subject(one),
        claims=tuple(
            claim_row(role, row, Basis.OBSERVED if observed and role is Role.AS_SET else Basis.SIMULATED)
            for role, row in rows
        ),
        caveats=result.claims.caveats,
        risk=risk_kept(result.best.scores),
        views=tuple(_views(one)),
        frontier=_frontier(one),
        methods=tuple(_methods(one)),
        gaps=stretches(np.isnan(served.demand), served.first_step, served.step_s, "no sample in the record"),
        censored=(),
        advice=_advice(one, risk),
        limits=tuple(_limits(one)),
        notes=tuple(d.words for d in one.case.doubts),
    )


def _subject(one: Advised) -> Subject:
    served, load = one.simulated.best.served, one.case.workload
    facts = (
        ("confidence", one.confidence.value),
        ("demand", f"{one.case.candidate.basis.value}: {one.case.candidate.metric}"),
        ("one replica serves", f"{one.case.capacity.per_replica:.4g}: {one.case.capacity.words}"),
        ("your HPA", "none" if one.case.candidate.hpa is None else one.case.candidate.hpa.words),
        ("actuation", load.actuation.value),
        ("accepted risk", f"{load.risk * 100:.3g} % of the time"),
        ("planned lead", f"{load.lead.total_s:g} s"),
    )
    end = served.first_step + len(served.demand)
    start, scored, until = (time_of(step, served.step_s) for step in (served.first_step, served.scored_step, end))
    return Subject(one.name, served.step_s, start, scored, until, one.simulated.best.scores.hours, facts)


def _views(one: Advised) -> Iterator[View]:
    result = one.simulated
    ours, now = result.best.served, result.now.served
    name = "as recorded" if one.case.as_set is None else "your HPA as set"
    for part in (worst_day(ours, now, ("Foresail", name)), usual_week(ours)):
        yield _view(one, part, name)


def _view(one: Advised, part: Part, name: str) -> View:
    result = one.simulated
    ours, now = result.best.served, result.now.served
    cut = slice(part.first, part.end)
    need = ours.needed[cut]
    basis = Basis.OBSERVED if one.case.as_set is None else Basis.SIMULATED
    return View(
        part.title, part.why, ours.step_s, ours.first_step + part.first, ours.demand[cut],
        result.p50[cut], result.p95[cut], np.where(need == UNOBSERVED, np.nan, need),
        track("Foresail", ours, part), track(name, now, part, basis),
    )  # fmt: skip


def _frontier(one: Advised) -> Frontier:
    result = one.simulated
    bound = result.best.scores.bound_hours
    points: list[Point] = []
    for percent, share, hours in sorted(result.alone, key=lambda row: (row[2], row[1])):
        better = not points or share < points[-1].share
        if better and bound and math.isfinite(hours / bound):
            points.append(Point(f"{percent} % of capacity", share, hours / bound))
    curves = (Curve("hpa", HPA_TITLE, Role.AS_SET, tuple(points)),) if points else ()
    marks = [(Role.AS_SET, result.now), (Role.OURS, result.best)]
    found = tuple((role, point) for role, entry in marks if (point := _point(entry)) is not None)
    return Frontier(one.case.workload.risk, curves, found)


def _point(entry: Entry) -> Point | None:
    share, over = entry.scores.short_share, entry.scores.over_bound
    return None if share is None or over is None else Point(entry.name, share, over)


def _methods(one: Advised) -> Iterator[Method]:
    result = one.simulated
    unknown = (None,) * len(LEVELS)
    beside = [MethodRow("as asked", "", figures_of(result.best.scores))]
    if result.advised is not None:
        beside.append(MethodRow("as asked", "your HPA as set", figures_of(result.beside.scores)))
    yield Method("foresail", "Foresail", tuple(beside), unknown, Role.OURS)
    now = [MethodRow("as set", "", figures_of(result.now.scores))]
    if result.retuned is not None:
        now.append(MethodRow("hindsight", "", figures_of(result.retuned.scores)))
    title = "Replicas as recorded" if one.case.as_set is None else "Your HPA alone"
    yield Method("now", title, tuple(now), unknown, Role.AS_SET)


def _advice(one: Advised, risk: str) -> Advice:
    """Targets as the HPA's owner writes them, the one as set among those that were tried."""
    result, limit = one.simulated, one.case.workload.risk
    if one.case.as_set is None:
        return Advice(autoscaler_text(one, risk), 100)
    own, now = own_target(one), result.beside.scores
    found = {target: (hours, share) for target, share, hours in result.hotter}
    found[own] = (now.replica_hours, now.short_share or 0.0)
    if result.advised is not None and result.target is not None:
        found[result.target] = (result.advised.scores.replica_hours, result.advised.scores.short_share or 0.0)
    tried = tuple(TargetTried(target, *told, told[1] <= limit) for target, told in sorted(found.items()))
    floor_alone = (result.now.scores.short_minutes, result.beside.scores.short_minutes)
    return Advice(autoscaler_text(one, risk), own, result.target, tried, floor_alone)


def own_target(one: Advised) -> int:
    """Percent, of the CPU request or, for a typed HPA, of capacity."""
    hpa, request = one.case.candidate.hpa, one.case.candidate.request_cores
    if hpa is not None and hpa.cpu_share is not None:
        return round(100 * hpa.cpu_share)
    if hpa is not None and hpa.cpu_cores is not None and request:
        return round(100 * hpa.cpu_cores / request)
    return one.case.as_set or 100


def _limits(one: Advised) -> Iterator[str]:
    yield (
        f"Capacity was not measured: {one.case.capacity.words}. “Short” is load above it; whether users would have "
        "felt it is not known."
    )
    if one.spread is None:
        yield "Data is taken as in at once, and every replica as Ready exactly one lead after it is asked for."
    else:
        yield (
            "Data is taken as in at once. Each replica draws its time to Ready, log-normal with p50 "
            f"{one.spread.p50_s:g} s and p95 {one.spread.p95_s:g} s; the p95 is planned with, and targets above our "
            "floor were compared by it."
        )
    if one.case.as_set is None:
        yield "There is no HPA to compare with: the first row is what really ran."
    else:
        yield (
            "Your HPA is simulated by its exact rules on one metric, with the default behavior. Hotter targets were "
            "compared in one pass over our floors; the one advised was run through the live pipeline."
        )
    yield "Money, other workloads on the same nodes, and quotas are not simulated."
