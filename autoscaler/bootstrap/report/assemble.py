"""A judged simulation as the values of a report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from autoscaler.adapters.traces import Trace
from autoscaler.bootstrap.comparing import USUAL_DOWN_S, Judged
from autoscaler.bootstrap.report.limits import limits
from autoscaler.bootstrap.report.naming import knob_words, title_of
from autoscaler.bootstrap.report.rival import RivalName, chosen
from autoscaler.bootstrap.report.settings import Named, settings_yaml
from autoscaler.bootstrap.report.spans import Part, usual_week, worst_day
from autoscaler.bootstrap.worlds import World
from autoscaler.domain.series import Ints, time_of
from autoscaler.domain.workload import Workload
from autoscaler.reporting.report.values import (
    LEVELS,
    Advice,
    Basis,
    ClaimRow,
    Curve,
    Estimate,
    Figures,
    Frontier,
    Method,
    MethodRow,
    Point,
    Report,
    RiskKept,
    Role,
    Stretch,
    Subject,
    TargetTried,
    Track,
    View,
    stretches,
)
from autoscaler.simulator.claims import Claim, Interval
from autoscaler.simulator.clairvoyant import UNOBSERVED
from autoscaler.simulator.comparison import Entry, Ladder, Tuning
from autoscaler.simulator.figures import Scores, Served

HPA = f"hpa-{USUAL_DOWN_S}s"


@dataclass(frozen=True, slots=True)
class Telling:
    """What the report needs beside the judgement. query: behind the record, None = a file's. named: where the
    settings' names come from. derived: nobody typed the capacity.
    """

    rival: RivalName
    notes: tuple[str, ...] = ()
    query: str | None = None
    named: Named = Named.NOT
    derived: bool = False


def report_of(judged: Judged, trace: Trace, world: World, telling: Telling) -> Report:
    """Everything that the page, the table and the JSON say."""
    served = judged.outcome.served
    name, entry = chosen(judged, telling.rival)
    return Report(
        subject=subject(judged, trace, world),
        claims=claim_rows(judged),
        caveats=judged.claims.caveats,
        risk=risk_kept(judged.outcome.scores),
        views=tuple(views(judged, name, entry)),
        frontier=frontier(judged),
        methods=tuple(methods(judged)),
        gaps=stretches(np.isnan(served.demand), served.first_step, served.step_s, "no sample in the record"),
        censored=censored(served),
        advice=advice(judged, trace, world, telling),
        limits=tuple(limits(judged, world, derived=telling.derived)),
        notes=telling.notes,
        unfit=judged.unfit,
    )


def subject(judged: Judged, trace: Trace, world: World) -> Subject:
    served, load = judged.outcome.served, judged.outcome.workload
    return Subject(
        trace.name,
        trace.step_s,
        trace.start,
        time_of(served.scored_step, trace.step_s),
        trace.end,
        judged.outcome.scores.hours,
        tuple(_facts(load, world)),
    )


def claim_rows(judged: Judged) -> tuple[ClaimRow, ...]:
    roles = [Role.AS_SET, Role.RETUNED, Role.OURS] if judged.retuned else [Role.AS_SET, Role.OURS]
    return tuple(claim_row(role, row) for role, row in zip(roles, judged.claims.rows, strict=True))


def claim_row(role: Role, row: Claim, basis: Basis = Basis.SIMULATED) -> ClaimRow:
    return ClaimRow(
        role,
        row.title,
        basis,
        estimate(row.replica_hours),
        estimate(row.short_minutes),
        row.entry.scores.short_share,
        None if row.saving is None else estimate(row.saving),
        None if row.avoided_minutes is None else estimate(row.avoided_minutes),
    )


def estimate(found: Interval) -> Estimate:
    return Estimate(found.value, found.low, found.high)


def risk_kept(scores: Scores) -> RiskKept:
    ratio = None if scores.risk_ratio is None else Estimate(scores.risk_ratio, scores.risk_low, scores.risk_high)
    return RiskKept(scores.risk_asked, scores.short_share, ratio, scores.steps)


def views(judged: Judged, rival_name: str, rival: Entry) -> Iterator[View]:
    """The worst day and a usual week."""
    ours = judged.outcome.served
    names = ("Foresail", rival_name)
    for part in (worst_day(ours, rival.served, names), usual_week(ours)):
        yield view(judged, part, track("Foresail", ours, part), track(rival_name, rival.served, part))


def view(judged: Judged, part: Part, ours: Track, rival: Track) -> View:
    log, served = judged.outcome.log, judged.outcome.served
    cut = slice(part.first, part.end)
    need = served.needed[cut]
    return View(
        part.title,
        part.why,
        served.step_s,
        served.first_step + part.first,
        served.demand[cut],
        log.p50[cut],
        log.p95[cut],
        np.where(need == UNOBSERVED, np.nan, need),
        ours,
        rival,
        None if served.censored is None else served.censored[cut],
    )


def track(name: str, served: Served, part: Part, basis: Basis = Basis.SIMULATED) -> Track:
    cut = slice(part.first, part.end)
    return Track(name, basis, _known(served.ready[cut]), served.short[cut])


def _known(counts: Ints) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.where(counts < 0, np.nan, counts.astype(np.float64))


def frontier(judged: Judged) -> Frontier:
    """Our curve and all ladders; the user's HPA by its family."""
    found = judged.comparison
    curves = [_curve(ladder, Role.AS_SET if ladder.name == HPA else None) for ladder in found.ladders]
    if found.curve is not None:
        curves.append(_curve(found.curve, Role.OURS))
    marks = [(Role.AS_SET, judged.as_set), (Role.OURS, found.ours)]
    return Frontier(
        found.asked.risk,
        tuple(c for c in curves if c.points),
        tuple((role, point) for role, entry in marks if (point := point_of(entry)) is not None),
    )


def _curve(ladder: Ladder, role: Role | None) -> Curve:
    points = tuple(Point(knob_words(ladder.name, k), share, over) for k, share, over in ladder.curve())
    return Curve(ladder.name, title_of(ladder.name), role, tuple(p for p in points if np.isfinite(p.over)))


def point_of(entry: Entry) -> Point | None:
    share, over = entry.scores.short_share, entry.scores.over_bound
    return None if share is None or over is None else Point(knob_words(entry.name, entry.knob), share, over)


def methods(judged: Judged) -> Iterator[Method]:
    """Ours first, then the user's HPA as set, then the rivals in the order of the catalogue."""
    found = judged.comparison
    yield Method(
        "foresail",
        "Foresail",
        (_row(found.ours),),
        _costs(found.curve),
        Role.OURS,
    )
    for ladder in found.ladders:
        own = tuple(_row(e) for e in found.entries if e.name == ladder.name)
        as_set = (_row(judged.as_set),) if ladder.name == HPA else ()
        role = Role.AS_SET if as_set else None
        yield Method(ladder.name, title_of(ladder.name), (*as_set, *own), _costs(ladder), role)


def _costs(ladder: Ladder | None) -> tuple[float | None, ...]:
    return tuple(None if ladder is None else ladder.over_bound_at(level) for level in LEVELS)


def _row(entry: Entry) -> MethodRow:
    words = knob_words(entry.name, entry.knob)
    tuning = "as asked" if entry.name == "foresail" else entry.tuning.value
    alone = entry.knob is None and entry.tuning is not Tuning.CAUSAL
    return MethodRow(tuning, "" if alone else words, figures_of(entry.scores))


def figures_of(scores: Scores) -> Figures:
    return {_camel(key): value for key, value in asdict(scores).items()}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def censored(served: Served) -> tuple[Stretch, ...]:
    if served.censored is None:
        return ()
    known = served.censored & ~np.isnan(served.demand)
    return stretches(known, served.first_step, served.step_s, "marked as a lower bound in the record")


def advice(judged: Judged, trace: Trace, world: World, telling: Telling) -> Advice:
    outcome = judged.outcome
    text = settings_yaml(
        outcome.workload,
        name=trace.name,
        query=telling.query,
        named=telling.named,
        most_granted=int(outcome.log.granted.max(initial=1)),
    )
    tried = tuple(
        TargetTried(
            target,
            lane.scores.replica_hours,
            lane.scores.short_share,
            (lane.scores.short_share or 0.0) <= lane.asked.risk,
        )
        for target, lane in judged.hotter
    )
    alone = (judged.as_set.scores.short_minutes, outcome.scores.short_minutes)
    floor_alone = alone if outcome.workload.actuation.is_floor else None
    return Advice(text, world.hpa_target, judged.saving_target, tried, floor_alone)


def _facts(load: Workload, world: World) -> Iterator[tuple[str, str]]:
    yield "actuation", load.actuation.value
    yield "your HPA's target", f"{world.hpa_target} %"
    yield "accepted risk", f"{load.risk * 100:.3g} % of the time"
    yield "one replica serves", f"{load.demands[0].capacity_per_replica:.4g}"
    yield "replicas", f"{load.min_replicas:,} to {load.max_replicas:,}"
    yield "planned lead", f"{load.lead.total_s:g} s"
    if world.spread is not None:
        yield "time to Ready", f"p50 {world.spread.p50_s:g} s, p95 {world.spread.p95_s:g} s"
    if world.nodes is not None:
        yield "nodes", f"{world.nodes.replicas} replicas each, {world.nodes.spares} spare, {world.nodes.ready_s:g} s"
    yield "age of the data", f"{world.data_delay_s:g} s"
    yield "actuation delay", f"{world.actuation_delay_s:g} s"
    yield "starts that fail", f"{world.start_failure * 100:.3g} %"
    yield "warm-up, not scored", f"{world.warmup_s / 86400:.3g} days"
