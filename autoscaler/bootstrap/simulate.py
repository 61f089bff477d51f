"""One workload's past under the live pipeline: recorded demand in, one decision per step and figures out.

Everything is counted in whole steps; whatever is asked in seconds is rounded up. No decision depends on the length
of the record: the workload's identity is fixed, and refits are anchored to absolute time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.adapters.traces import Trace
from autoscaler.domain.decision import SIZING_REASONS
from autoscaler.domain.errors import Refused, SourceDown
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict, Panel, SeriesBatch
from autoscaler.domain.workload import (
    Actuation,
    Demand,
    Lead,
    ScalingRule,
    Target,
    Workload,
    WorkloadRef,
)
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster
from autoscaler.simulator.figures import Asked, Scores, Served, score
from autoscaler.simulator.nodes import NodeSettings
from autoscaler.simulator.run import Journal, Recording, Run
from autoscaler.simulator.runlog import RunLog
from autoscaler.simulator.starts import ReadySpread
from autoscaler.spec.compile import HPA_SCALE_UP

REF = WorkloadRef("simulate", "workload")
"""Fixed: refits are staggered by identity, and a renamed or cut file must decide the same."""
PEAK_REPLICAS = 60
PEAK_QUANTILE = 0.999
MOST_REPLICAS = 1_000_000
MOST_DEMAND = 1e15
MOST_STEPS = 2_000_000
DAY_S = 86400
DOWN = frozenset({DataVerdict.UNREACHABLE, DataVerdict.THROTTLED})
QUERY_S = 60.0
"""A month of a heavy query may take its time; nobody waits for a tick."""

Progress = Callable[[float], None]
Block = tuple[Journal, int]


@dataclass(frozen=True, slots=True)
class World:
    """What is simulated beside the workload. data_delay_s: age of the newest sample that is in. actuation_delay_s:
    from writing until the start begins. hpa_target: percent, of the HPA beside a floor. start_failure: share of
    replicas that fail once at start. warmup_s: of the record, decided and not scored. spread: of the time to Ready over
    replicas, None = the workload's for each. nodes: None = there is always room. seed: of all draws.
    """

    data_delay_s: float = 0.0
    actuation_delay_s: float = 0.0
    hpa_target: int = 70
    start_failure: float = 0.0
    seed: int = 0
    warmup_s: float = 0.0
    spread: ReadySpread | None = None
    nodes: NodeSettings | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """log: all steps of the record, warm-up and gaps included. scores: of what lies after the warm-up."""

    log: RunLog
    workload: Workload
    served: Served
    scores: Scores


def typed_workload(
    capacity: float, *, lead_s: float, risk: float, actuation: Actuation, least: int = 1, most: int = MOST_REPLICAS
) -> Workload:
    """A workload of a few typed numbers; all else as a PredictiveAutoscaler has it by default."""
    return Workload(
        ref=REF,
        target=Target("apps/v1", "Deployment", REF.name),
        demands=(Demand("demand", "recorded", "demand", capacity),),
        min_replicas=least,
        max_replicas=most,
        lead=Lead(lead_s),
        actuation=actuation,
        risk=risk,
        scale_up=ScalingRule(0, HPA_SCALE_UP) if actuation is Actuation.SCALE else ScalingRule(),
    )


def warm_steps(trace: Trace, world: World) -> int:
    return min(len(trace.values), steps_of(world.warmup_s, trace.step_s))


def planned_lead(lead: Lead, world: World) -> Lead:
    """What is planned with in this world. As the live service counts it, the wait for nodes is part of the lead where
    starts usually do not fit: without spare nodes; with some they usually do.
    """
    wait_s = lead.provisioning_s
    if world.nodes is not None:
        wait_s = 0.0 if world.nodes.spares else world.nodes.ready_s
    return replace(lead, actuation_s=world.actuation_delay_s, provisioning_s=wait_s)


def derived_capacity(trace: Trace, warm: int) -> float:
    """Such that the 99.9th percentile of the warm-up alone needs PEAK_REPLICAS: nothing later is looked at.

    Lower bounds of demand are left out: they say nothing of how high its peaks are.
    """
    usable = ~np.isnan(trace.values[:warm])
    if trace.censored is not None:
        usable &= ~trace.censored[:warm]
    known = trace.values[:warm][usable]
    peak = float(np.quantile(known, PEAK_QUANTILE)) if len(known) else 0.0
    if not peak > 0:
        raise Refused(f"{trace.name}: no demand above zero in the warm-up to derive a capacity from; pass --capacity")
    return peak / PEAK_REPLICAS


def check_trace(trace: Trace) -> None:
    """What can be read and cannot be simulated."""
    if trace.step_s > DAY_S:
        raise Refused(f"{trace.name}: a sample every {trace.step_s / DAY_S:g} days; at least one a day is needed")
    if len(trace.values) > MOST_STEPS:
        raise Refused(
            f"{trace.name}: {len(trace.values):,} steps of {trace.step_s} s, above the {MOST_STEPS:,} that are "
            f"simulated at once; average with a longer --step, or cut the record"
        )
    most = float(np.nanmax(trace.values, initial=0.0))
    if most > MOST_DEMAND:
        raise Refused(f"{trace.name}: a demand of {most:g} is no load of anything; check the unit of the values")


def simulate(trace: Trace, workload: Workload, world: World, progress: Progress | None = None) -> Outcome:
    """Run the record through `foresee`, `decide` and the guards against the cluster twin, from its first step on.

    The cluster starts with the fewest replicas: what the first steps need is not known before them. progress: is told
    the share that is done, 0 to 1.
    """
    step_s, held_back = trace.step_s, steps_of(world.actuation_delay_s, trace.step_s)
    load = replace(workload, lead=planned_lead(workload.lead, world))
    delay = steps_of(world.data_delay_s, step_s)
    if delay * step_s > load.max_data_age_s:
        load = replace(load, max_data_age_s=load.max_data_age_s + delay * step_s)
    fleet = Fleet((load,))
    cluster = MemoryCluster(
        # the delay of writes is counted in whole steps: the rest of its last one is part of the start
        Fleet((replace(load, lead=replace(load.lead, actuation_s=0.0)),)),
        step_s,
        np.array([load.actuation.is_floor]),
        np.array([load.min_replicas]),
        ClusterSettings(
            world.hpa_target,
            start_failure=world.start_failure,
            seed=world.seed,
            spread=world.spread,
            nodes=world.nodes,
            early_s=held_back * step_s - world.actuation_delay_s,
        ),
    )
    panel = Panel.of(trace.as_seen())
    run = Run(
        fleet, Recording(panel, panel), cluster, trace.first_step, trace.end_step,
        server=PeakServer(serving_models()), guards=CHAIN,
        data_delay_steps=delay, actuation_delay_steps=held_back, block_steps=max(1, DAY_S // step_s),
    )  # fmt: skip
    *_, (journal, _) = _told(run.blocks(), progress, trace)
    log = journal.log(0, trace.name, trace.end_step)
    running = log.ready if log.running is None else log.running
    scored = trace.first_step + warm_steps(trace, world)
    served = Served(
        step_s, trace.first_step, scored, log.capacity, log.demand, log.ready, running,
        censored=trace.censored, nodes=None if world.nodes is None else log.nodes,
    )  # fmt: skip
    asked = Asked(int(fleet.lead_steps(step_s)[0]), load.risk, load.min_replicas)
    return Outcome(log, load, served, score(served, asked))


def _told(blocks: Iterator[Block], progress: Progress | None, trace: Trace) -> Iterator[Block]:
    for block in blocks:
        if progress is not None:
            progress((block[1] - trace.first_step) / len(trace.values))
        yield block


def rows(outcome: Outcome) -> dict[str, Any]:
    """The documented columns, one row per step. Order and meaning are a contract: see docs/simulate.md.

    Where the record carries marks of censored steps, they are one column more, the last.
    """
    log, marks = outcome.log, outcome.served.censored
    starts_s = (log.first_step + np.arange(log.steps)) * log.step_s
    return {
        "ts": (starts_s * 1_000_000).astype("datetime64[us]"),
        "series": np.full(log.steps, log.name, dtype=object),
        "demand": log.demand,
        "wanted": log.wanted,
        "granted": log.granted,
        "ready": log.ready,
        "p50": log.p50,
        "p95": log.p95,
        "margin": log.margin,
        "lead_s": np.full(log.steps, outcome.workload.lead.total_s),
        "reasons": _reasons(log),
    } | ({} if marks is None else {"censored": marks})


def _reasons(log: RunLog) -> Any:
    """[step], codes joined by commas: where `wanted` came from, then each guard that acted, in order."""
    none = np.zeros(log.steps, dtype=np.int64)
    columns = [none if c is None else c for c in (log.sizing, log.reason_bits, log.failed_bits)]
    keys, which = np.unique(np.stack(columns), axis=1, return_inverse=True)
    words = []
    for came, acted, failed in keys.T.tolist():
        guards = [(Reason.GUARD_FAILED if failed >> k & 1 else g.reason) for k, g in enumerate(CHAIN) if acted >> k & 1]
        words.append(",".join(reason.value for reason in (SIZING_REASONS[came], *guards)))
    return np.array(words, dtype=object)[which.ravel()]


def prometheus_trace(
    url: str, query: str, since_s: float, step_s: int, now_s: float, *, censored_query: str | None = None
) -> Trace:
    """The newest `since_s` seconds of a query, in requests within the source's limit of points.

    A step's value is the query at its end. Steps without a sample are unknown; those before the first sample and
    after the last are left out. A step is censored where `censored_query` is above zero, or the source itself said
    that its answer is partial.
    """
    try:
        settings = PrometheusSettings("prometheus", url, timeout_s=QUERY_S)
    except ValueError as error:
        raise Refused(f"--prometheus {url}: {error}") from None
    end = int(now_s // step_s)
    demands = [Demand("demand", "prometheus", query, 1.0)]
    if censored_query is not None:
        demands.append(Demand("censored", "prometheus", censored_query, 1.0))
    reader = PrometheusReader(settings)
    try:
        batch = reader.load(demands, end - steps_of(since_s, step_s), end, step_s)
    finally:
        reader.close()
    return _recorded(url, query, batch, censored_query)


def _recorded(url: str, query: str, batch: SeriesBatch, censored_query: str | None) -> Trace:
    """A step without a sample is unknown; a step for which the source gave no answer at all is a failure."""
    if not batch.values.size:
        raise Refused(f"{url}: the range holds no whole step; ask for a longer --since")
    values, known = batch.values[0], np.flatnonzero(~np.isnan(batch.values[0]))
    if DataVerdict(int(batch.verdicts[0].max())) >= DataVerdict.SEVERAL_SERIES or not len(known):
        raise _unanswered(url, query, batch, 0)
    first, last = int(known[0]), int(known[-1]) + 1
    partial = ~np.isnan(values) & (batch.verdicts[0] != DataVerdict.OK)
    notes = _notes(batch)
    if censored_query is not None:
        if DataVerdict(int(batch.verdicts[1].max())) >= DataVerdict.SEVERAL_SERIES:
            raise _unanswered(url, f"--censored-query {censored_query}", batch, 1)
        partial |= ~np.isnan(values) & (np.nan_to_num(batch.values[1], nan=0.0) > 0)
        notes += (f"{int(partial.sum())} of {len(values)} steps are censored: lower bounds of demand",)
        if np.isnan(batch.values[1]).all():
            notes += ("--censored-query has no sample in the whole range: is it the query that was meant?",)
    marks = partial[first:last].copy() if censored_query is not None or partial.any() else None
    return Trace("prometheus", batch.step_s, batch.first_step + first, values[first:last].copy(), notes, marks)


def _unanswered(url: str, query: str, batch: SeriesBatch, row: int) -> SourceDown | Refused:
    worst = DataVerdict(int(batch.verdicts[row].max()))
    steps = int((batch.verdicts[row] == worst).sum())
    note = f" ({batch.notes[row]})" if row in batch.notes else ""
    words = f"{url}: {query!r}: {worst.words}{note}: {steps} of {batch.values.shape[1]} steps"
    return SourceDown(words) if worst in DOWN else Refused(words)


def _notes(batch: SeriesBatch) -> tuple[str, ...]:
    """What is unknown or only a lower bound, by cause."""
    codes, counts = np.unique(batch.verdicts[0], return_counts=True)
    return tuple(
        f"{count} of {batch.verdicts.shape[1]} steps: {DataVerdict(code).words}"
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
        if code != DataVerdict.OK
    )


def steps_of(seconds: float, step_s: int) -> int:
    return int(np.ceil(seconds / step_s - 1e-9))
