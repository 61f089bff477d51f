"""Whether a record can be judged, and how sure that is; what can be, becomes a case for the simulation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from autoscaler.bootstrap.advise.candidates import (
    QUERIES_REMEDY,
    Basis,
    Candidate,
    Confidence,
    Doubt,
    HpaAsSet,
    Unjudged,
    as_cpu,
)
from autoscaler.bootstrap.advise.capacity import (
    EXPLAINED,
    Capacity,
    CpuOfRequests,
    NoCapacity,
    capacity,
    cpu_of_requests,
    per_replica,
    target_percent,
)
from autoscaler.bootstrap.advise.record import BLOCK_S, Record
from autoscaler.domain.series import DataVerdict, Floats
from autoscaler.domain.workload import Actuation, Demand, Lead, ScalingRule, Target, Workload
from autoscaler.simulator.starts import ReadySpread
from autoscaler.spec.compile import HPA_SCALE_UP

DAY_S: Final = 86400
LEAST_DAYS: Final = 4.0
GOOD_DAYS, FEW_DAYS = 13.5, 7.0
MOST_GAPS, MANY_GAPS = 0.2, 0.05
MOST_CENSORED, MANY_CENSORED = 0.05, 0.01
THROTTLED, AT_LIMIT = 0.25, 0.95
FLAT: Final = 0.05
"""A spread between the 5th and 99th percentile below this share of the latter is a flat line."""
HOTTER_BY, HOTTEST, MOST_TARGET = 5, 95, 200
"""Targets above the one as set that are tried: at multiples of this, up to this percentage of capacity."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the user asked to be kept. lead_s: planned with. spread: of the time to Ready, None = all take lead_s."""

    lead_s: float
    risk: float
    step_s: int
    spread: ReadySpread | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One workload that can be judged. demand: [step]. as_set: percent of capacity, None without an HPA.

    hotter: (the HPA's target as its owner writes it, percent of capacity), rising. recorded: [block], replicas that
    were asked for and ready.
    """

    candidate: Candidate
    workload: Workload
    demand: Floats
    capacity: Capacity
    as_set: int | None
    hotter: tuple[tuple[int, int], ...]
    wanted: Floats
    ready: Floats
    doubts: tuple[Doubt, ...]

    @property
    def confidence(self) -> Confidence:
        return max((d.most for d in self.doubts), key=lambda level: level.rank, default=Confidence.HIGH)


def case_of(one: Candidate, record: Record, question: Question) -> Case | Unjudged:
    name = str(one.ref)
    found = _refusal(one, record, question)
    if found is not None:
        return replace(found, kind=one.kind)
    seen = per_replica(record, question.step_s)
    curve = cpu_of_requests(seen) if one.basis is not Basis.CPU else None
    try:
        per = capacity(one, seen, curve)
        as_set = None if one.hpa is None else target_percent(one.hpa, one, per, curve)
    except NoCapacity as why:
        remedy = f"{QUERIES_REMEDY}, with capacity" + ("" if one.hpa is None else " and hpa: {target, min, max}")
        return Unjudged(name, f"no capacity: {why}", remedy, one.kind)
    if as_set is not None and as_set < 1:
        words = "its HPA's target lies below what an idle replica uses: it always runs at its maximum"
        return Unjudged(name, words, "raise the target, or the CPU request", one.kind)
    if one.hpa is None and not np.isfinite(record.wanted).any():
        words = "no HPA, and no replicas on record to compare with"
        return Unjudged(name, words, "write hpa: {target, min, max} beside its query", one.kind)
    doubts = (*one.doubts, *per.doubts, *_doubts(record, question.step_s, one))
    percent = None if as_set is None else max(1, round(as_set))
    hotter = () if one.hpa is None else tuple(_hotter(one.hpa, one, per, curve))
    load = _workload(one, per, record, question)
    return Case(one, load, record.demand, per, percent, hotter, record.wanted, record.ready, doubts)


def better_by_cpu(one: Candidate, record: Record, step_s: int) -> Candidate | None:
    """The candidate by its CPU, where requests say too little about what it needs: it has to be read again."""
    if one.basis is not Basis.REQUESTS or one.cpu_query is None:
        return None
    if not np.nanmax(record.demand, initial=0.0) > 0:
        return as_cpu(one, f"{one.metric} counts nothing")
    if record.verdict >= DataVerdict.SEVERAL_SERIES:
        return None
    curve = cpu_of_requests(per_replica(record, step_s))
    if curve is None or curve.explained < EXPLAINED:
        share = "nothing" if curve is None else f"{curve.explained:.0%}"
        return as_cpu(one, f"{one.metric} explains {share} of a replica's CPU")
    return None


def _refusal(one: Candidate, record: Record, question: Question) -> Unjudged | None:
    name, demand = str(one.ref), record.demand
    known = np.flatnonzero(~np.isnan(demand))
    if record.verdict > DataVerdict.STALE and record.verdict != DataVerdict.NOT_FINITE:
        note = f" ({record.note})" if record.note else ""
        remedy = "mend its query" if one.basis is Basis.TYPED else QUERIES_REMEDY
        return Unjudged(name, f"{record.verdict.words}{note}", remedy)
    if not len(known):
        remedy = "look at its query, and whether it answers" if one.basis is Basis.TYPED else QUERIES_REMEDY
        return Unjudged(name, "no demand on record", remedy)
    days = (len(demand) - known[0]) * question.step_s / DAY_S
    if days < LEAST_DAYS:
        words = f"short history: {min(days, LEAST_DAYS - 0.1):.1f} days, and a judgement needs {LEAST_DAYS:g}"
        return Unjudged(name, words, "ask for more --days, or again later")
    gaps = _gaps(demand, int(known[0]))
    if gaps > MOST_GAPS:
        return Unjudged(name, f"gaps: {gaps:.0%} of its demand is not on record", "look at its scrapes")
    low, high = np.quantile(demand[known], (0.05, 0.99))
    if high <= 0:
        return Unjudged(name, "no demand: it is zero throughout")
    if (high - low) / high < FLAT:
        return Unjudged(name, "flat: its demand hardly moves, so there is nothing to foresee")
    for share, words, remedy in _censored(one, record):
        if share > MOST_CENSORED:
            text = f"censored: {words} {share:.0%} of the time, so its true demand is not known"
            return Unjudged(name, text, remedy)
    return None


def _censored(one: Candidate, record: Record) -> Iterator[tuple[float, str, str]]:
    """Shares of time in which the demand on record is only a lower bound."""
    if one.hpa is not None and one.hpa.most > one.hpa.least and np.isfinite(record.wanted).any():
        at_max = float((record.wanted[np.isfinite(record.wanted)] >= one.hpa.most).mean())
        yield at_max, f"its replicas stood at the HPA's maximum ({one.hpa.most})", "raise maxReplicas, then ask again"
    told = record.throttled[np.isfinite(record.throttled)]
    if len(told):
        yield float((told > THROTTLED).mean()), "its CPU was throttled", "raise its CPU limit, then ask again"
    if one.limit_cores is not None:
        used = record.cpu_cores / np.where(record.ready > 0, record.ready, np.nan)
        used = used[np.isfinite(used)]
        if len(used):
            share = float((used > AT_LIMIT * one.limit_cores).mean())
            yield share, "its CPU stood at its limit", "raise its CPU limit, then ask again"


def _doubts(record: Record, step_s: int, one: Candidate) -> Iterator[Doubt]:
    first = int(np.flatnonzero(~np.isnan(record.demand))[0])
    days = (len(record.demand) - first) * step_s / DAY_S
    if days < GOOD_DAYS:
        most = Confidence.MEDIUM if days >= FEW_DAYS else Confidence.LOW
        yield Doubt(most, f"{days:.1f} days of history")
    gaps = _gaps(record.demand, first)
    if gaps > MANY_GAPS:
        yield Doubt(Confidence.MEDIUM, f"{gaps:.0%} of its demand is not on record")
    if one.hpa is not None and one.hpa.behavior:
        yield Doubt(Confidence.MEDIUM, f"the default behavior is simulated, and its HPA's is: {one.hpa.behavior}")
    for share, words, _ in _censored(one, record):
        if share > MANY_CENSORED:
            yield Doubt(Confidence.MEDIUM, f"{words} {share:.0%} of the time")


def _gaps(demand: Floats, first: int) -> float:
    return float(np.isnan(demand[first:]).mean())


def _hotter(hpa: HpaAsSet, one: Candidate, per: Capacity, curve: CpuOfRequests | None) -> Iterator[tuple[int, int]]:
    own = hpa.cpu_share if hpa.cpu_share is not None else (hpa.capacity_percent or 0) / 100
    if hpa.cpu_cores is not None:
        if one.request_cores is None:
            return
        own = hpa.cpu_cores / one.request_cores
    for asked in range(int(100 * own + 1e-9) // HOTTER_BY * HOTTER_BY + HOTTER_BY, MOST_TARGET + 1, HOTTER_BY):
        percent = target_percent(hpa, one, per, curve, asked / 100)
        if percent > HOTTEST + 0.5:
            return
        yield asked, max(1, round(percent))


def _workload(one: Candidate, per: Capacity, record: Record, question: Question) -> Workload:
    demand = Demand("demand", "prometheus", one.query, per.per_replica)
    target = Target("apps/v1", one.kind, one.name)
    if one.hpa is not None:
        return Workload(
            one.ref, target, (demand,), one.hpa.least, one.hpa.most, Lead(question.lead_s),
            actuation=Actuation.HPA_FLOOR, risk=question.risk,
        )  # fmt: skip
    known = record.wanted[np.isfinite(record.wanted)]
    least = 1 if known.min() <= 1 else 2  # whoever never ran one alone wants to survive the loss of one
    return Workload(
        one.ref, target, (demand,), least, max(least, 2 * int(known.max())), Lead(question.lead_s),
        actuation=Actuation.SCALE, risk=question.risk, scale_up=ScalingRule(0, HPA_SCALE_UP),
    )  # fmt: skip


def blocks_to_steps(blocks: Floats, step_s: int) -> Floats:
    """[step], the value of each step's block; the last one known stands in a gap, the first one before it."""
    known = np.flatnonzero(np.isfinite(blocks))
    at = np.maximum.accumulate(np.where(np.isfinite(blocks), np.arange(len(blocks)), -1))
    held = blocks[np.where(at >= 0, at, known[0])]
    return np.repeat(held, BLOCK_S // step_s)
