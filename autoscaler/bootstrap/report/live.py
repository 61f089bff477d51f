"""The report of a running service: what was really decided and ran, beside what would have, over the same demand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from autoscaler.bootstrap.comparing import Judged
from autoscaler.bootstrap.report.assemble import Telling, claim_row, figures_of, point_of, report_of, risk_kept, track
from autoscaler.bootstrap.report.record import HELD_S, Recorded
from autoscaler.bootstrap.report.rival import chosen
from autoscaler.bootstrap.report.spans import usual_week, worst_day
from autoscaler.bootstrap.worlds import World
from autoscaler.domain.errors import Refused
from autoscaler.domain.series import Bools, DataVerdict, Ints
from autoscaler.domain.workload import Mode
from autoscaler.ports.history import UNASKED
from autoscaler.reporting.report.values import (
    LEVELS,
    Basis,
    ClaimRow,
    Method,
    MethodRow,
    Report,
    Role,
    Stretch,
    View,
    stretches,
)
from autoscaler.simulator.claims import claims
from autoscaler.simulator.comparison import Entry, Tuning
from autoscaler.simulator.figures import Served, score

NEVER_ASKED: Final = "never asked of the source"
LIMITS: Final = (
    (
        "The record has the replicas as they were read at the start of each run of unchanged decisions; they count as "
        f"known for {HELD_S // 60} minutes (where all replicas under Scale were Ready, for the whole run). Steps "
        "without are in none of the claims; the curves and the tried HPA targets count all observed demand since the "
        "first decision."
    ),
    (
        "Headroom and `behavior` are not in the record: the simulated Foresail has the usual ones unless --config "
        "names them."
    ),
)


def live_world(record: Recorded, hpa_target: int) -> World:
    """As the record tells it: how late the data was and how long acting took; the past before it is warm-up."""
    trace, d = record.trace, record.newest
    warm = (record.decided_step - trace.first_step) * trace.step_s
    acting_s = 0.0 if d.lead is None else d.lead.actuation_s
    return World(data_delay_s=d.data_delay_s, actuation_delay_s=acting_s, hpa_target=hpa_target, warmup_s=float(warm))


def live_report(record: Recorded, judged: Judged, world: World, telling: Telling) -> Report:
    """Every row of the claims over the same steps: those whose replicas are on record."""
    counted = record.ready >= 0
    ours = judged.outcome.served
    observed = _entry(_observed(record, ours), judged)
    if not observed.served.scored.any():
        raise Refused(
            f"{record.trace.name}: in no step with known demand are the replicas on record; let the service run longer"
        )
    masked = _masked(judged, counted)
    report = report_of(masked, record.trace, world, telling)
    return replace(
        report,
        claims=tuple(_claims(record, masked, observed)),
        caveats=_caveats(record, masked, observed),
        risk=risk_kept(observed.scores) if record.mode is Mode.ACT else report.risk,
        views=tuple(_views(record, masked, observed, telling)),
        frontier=replace(
            report.frontier,
            marks=(*report.frontier.marks, *((Role.OBSERVED, p) for p in (point_of(observed),) if p is not None)),
        ),
        methods=(_method(record, observed), *report.methods),
        gaps=tuple(_gaps(record)),
        censored=tuple(_bounds(record)),
        mix=tuple(_mix(record, counted)),
        limits=(*report.limits, *LIMITS),
        notes=(*report.notes, *record.notes),
    )


def _observed(record: Recorded, ours: Served) -> Served:
    known = record.ready >= 0
    return replace(
        ours,
        demand=np.where(known, ours.demand, np.nan),
        ready=np.maximum(record.ready, 0),
        running=_carried(record.running),  # nobody saw replicas leave where nobody looked
        nodes=None,
    )


def _carried(counts: Ints) -> Ints:
    """Unknown steps filled with what was known before them."""
    at = np.maximum.accumulate(np.where(counts < 0, -1, np.arange(len(counts))))
    return np.where(at >= 0, counts[at], max(0, int(counts[counts >= 0][0]) if (counts >= 0).any() else 0))


def _entry(served: Served, judged: Judged) -> Entry:
    return Entry("observed", Tuning.AS_SET, None, served, score(served, judged.comparison.asked))


def _masked(judged: Judged, counted: Bools) -> Judged:
    """Scored where the record can be scored too."""

    def masked(entry: Entry) -> Entry:
        served = replace(entry.served, demand=np.where(counted, entry.served.demand, np.nan))
        return replace(entry, served=served, scores=score(served, judged.comparison.asked))

    found = judged.comparison
    ours, as_set = masked(found.ours), masked(judged.as_set)
    retuned = None if judged.retuned is None else masked(judged.retuned)
    titles = [row.title for row in judged.claims.rows]
    return replace(
        judged,
        outcome=replace(judged.outcome, served=ours.served, scores=ours.scores),
        comparison=replace(found, ours=ours, entries=tuple(masked(entry) for entry in found.entries)),
        claims=claims(as_set, retuned, ours, (titles[0], titles[1], titles[-1])),
        as_set=as_set,
        retuned=retuned,
    )


def _claims(record: Recorded, masked: Judged, observed: Entry) -> Iterator[ClaimRow]:
    """While it acted, what ran is Foresail; while it advised, what ran is something else, and Foresail is simulated."""
    told = claims(masked.as_set, None, observed, ("", "", _title(record))).rows[-1]
    rows = list(masked.claims.rows)
    yield claim_row(Role.AS_SET, rows[0])
    if masked.retuned is not None:
        yield claim_row(Role.RETUNED, rows[1])
    if record.mode is Mode.ACT:
        yield claim_row(Role.TWIN, replace(rows[-1], title=f"{rows[-1].title}, simulated over the same demand"))
        yield claim_row(Role.OURS, told, Basis.OBSERVED)
    else:
        yield claim_row(Role.OBSERVED, told, Basis.OBSERVED)
        yield claim_row(Role.OURS, rows[-1])


def _caveats(record: Recorded, masked: Judged, observed: Entry) -> tuple[str, ...]:
    ours = observed if record.mode is Mode.ACT else masked.comparison.ours
    return claims(masked.as_set, masked.retuned, ours, ("", "", "")).caveats


def _title(record: Recorded) -> str:
    kind = record.newest.actuation.value
    return f"Foresail as it acted ({kind})" if record.mode is Mode.ACT else "what ran while Foresail only advised"


def _views(record: Recorded, judged: Judged, observed: Entry, telling: Telling) -> Iterator[View]:
    """What ran beside the rival, and the forecasts that were made then."""
    name, rival = chosen(judged, telling.rival)
    mine = "what ran (observed)"
    known = record.ready >= 0
    for part in (worst_day(observed.served, rival.served, (mine, name)), usual_week(judged.outcome.served)):
        cut = slice(part.first, part.end)
        ran = track(mine, observed.served, part, Basis.OBSERVED)
        ran = replace(ran, ready=np.where(known[cut], ran.ready, np.nan))
        demand = record.trace.values[cut]
        yield View(
            part.title,
            part.why,
            record.trace.step_s,
            record.trace.first_step + part.first,
            demand,
            record.p50[cut],
            record.p95[cut],
            np.where(np.isnan(demand), np.nan, np.ceil(demand / judged.outcome.log.capacity)),
            ran,
            track(f"{name}, simulated", rival.served, part),
            None if record.trace.censored is None else record.trace.censored[cut],
        )


def _method(record: Recorded, observed: Entry) -> Method:
    row = MethodRow("observed", record.mode.value, figures_of(observed.scores))
    title = "Foresail, as it acted" if record.mode is Mode.ACT else "what ran"
    return Method("observed", title, (row,), (None,) * len(LEVELS), Role.OBSERVED)


def _gaps(record: Recorded) -> Iterator[Stretch]:
    """By what the source said, or that it was never asked."""
    unknown = np.isnan(record.trace.values)
    for code in np.unique(record.marks[unknown]).tolist():
        cause = NEVER_ASKED if code == UNASKED else DataVerdict(code).words
        yield from _stretches(record, unknown & (record.marks == code), cause)


def _bounds(record: Recorded) -> Iterator[Stretch]:
    if record.trace.censored is None:
        return
    for code in np.unique(record.marks[record.trace.censored]).tolist():
        yield from _stretches(record, record.trace.censored & (record.marks == code), DataVerdict(code).words)


def _stretches(record: Recorded, flags: Bools, cause: str) -> tuple[Stretch, ...]:
    return stretches(flags, record.trace.first_step, record.trace.step_s, cause)


def _mix(record: Recorded, counted: Bools) -> Iterator[str]:
    after = np.arange(len(counted)) >= record.decided_step - record.trace.first_step
    share = float((counted & after).sum() / max(1, int(after.sum())))
    yield (
        f"Observed: demand, forecasts and the replicas that ran, in {share * 100:.3g} % of the steps since the first "
        f"decision ({record.runs:,} runs of unchanged decisions). Simulated: your HPA, as set and retuned, every other "
        f"method, and Foresail{' once more' if record.mode is Mode.ACT else ''} over the same demand."
    )
    if record.mode is Mode.ACT and record.acted < 1:
        yield f"Foresail acted in {record.acted * 100:.3g} % of the decided steps and advised in the others."
