"""One workload's past under the live pipeline: recorded demand in, one decision per step and figures out.

Everything is counted in whole steps; whatever is asked in seconds is rounded up. No decision depends on the length
of the record: the workload's identity is fixed, and refits are anchored to absolute time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.adapters.traces import Trace
from autoscaler.bootstrap.anomaly_given import GivenAnomalies, GivenVerdict, given_recording
from autoscaler.bootstrap.anomaly_recorded import RecordedAnomalies, judged_recording
from autoscaler.bootstrap.cold_start import packaged_server
from autoscaler.bootstrap.worlds import World, steps_of, twin, with_delays
from autoscaler.domain.decision import SIZING_REASONS
from autoscaler.domain.errors import Refused
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import Floats, Panel
from autoscaler.domain.workload import (
    Actuation,
    Demand,
    Lead,
    ScalingRule,
    Target,
    Workload,
    WorkloadRef,
)
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.simulator.figures import Asked, Scores, Served, score
from autoscaler.simulator.run import Journal, Recording, Run
from autoscaler.simulator.runlog import RunLog
from autoscaler.spec.compile import HPA_SCALE_UP

REF = WorkloadRef("simulate", "workload")
"""Fixed: refits are staggered by identity, and a renamed or cut file must decide the same."""
PEAK_REPLICAS = 60
PEAK_QUANTILE = 0.999
MOST_REPLICAS = 1_000_000
MOST_DEMAND = 1e15
MOST_STEPS = 2_000_000
DAY_S = 86400
LEAST_STEPS = 100
"""Scored steps below which no figure says much."""

Progress = Callable[[float], None]
Block = tuple[Journal, int]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """log: all steps of the record, warm-up and gaps included. scores: of what lies after the warm-up.

    anomalies: what was abnormal; None where nobody looked.
    """

    log: RunLog
    workload: Workload
    served: Served
    scores: Scores
    anomalies: RecordedAnomalies | None = None


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


def check_scored(trace: Trace, warmup_s: float, typed: str | None = None) -> None:
    """Whether the warm-up leaves a step to score. typed: the warm-up as its user wrote it."""
    whole_s, warm = len(trace.values) * trace.step_s, steps_of(warmup_s, trace.step_s)
    said = f"a warm-up of {_words(warmup_s)}" if typed is None else f"--warmup {typed}"
    remedy = f"pass a shorter one, such as --warmup {_round_words(whole_s / 3)}, or a longer record"
    if warm >= len(trace.values):
        raise Refused(f"{said} leaves nothing to score: {trace.name} is {_words(whole_s)} long; {remedy}")
    usable = ~np.isnan(trace.values[warm:])
    if trace.censored is not None:
        usable &= ~trace.censored[warm:]
    if not usable.any():
        raise Refused(
            f"{said} leaves nothing to score: {trace.name} is {_words(whole_s)} long, and none of its steps after "
            f"the warm-up is known in full; {remedy}"
        )


def _words(seconds: float) -> str:
    """For people: 7 d, 12.5 h."""
    for unit, unit_s in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.4g} {unit}"
    return f"{seconds:g} s"


def _round_words(seconds: float) -> str:
    """As it may be typed, in whole units, never more than asked."""
    unit, unit_s = next((pair for pair in (("d", 86400), ("h", 3600), ("m", 60)) if seconds >= 2 * pair[1]), ("s", 1))
    return f"{int(seconds // unit_s)}{unit}"


def derived_capacity(trace: Trace, warm: int) -> float:
    """Such that the 99.9th percentile of the warm-up alone needs PEAK_REPLICAS: nothing later is looked at.

    Lower bounds of demand are left out: they say nothing of how high its peaks are.
    """
    usable = ~np.isnan(trace.values[:warm])
    if trace.censored is not None:
        usable &= ~trace.censored[:warm]
    if not warm:
        raise Refused(
            f"{trace.name}: there is no warm-up (--warmup 0s) to derive a capacity from; pass --capacity, or a longer "
            "--warmup"
        )
    known = trace.values[:warm][usable]
    peak = float(np.quantile(known, PEAK_QUANTILE)) if len(known) else 0.0
    if not peak > 0:
        raise Refused(f"{trace.name}: no demand above zero in the warm-up to derive a capacity from; pass --capacity")
    return peak / PEAK_REPLICAS


def check_trace(trace: Trace) -> None:
    """What can be read and cannot be simulated."""
    if trace.step_s > DAY_S:
        raise Refused(f"{trace.name}: a sample every {trace.step_s / DAY_S:g} days; at least one a day is needed")
    check_length(trace.name, len(trace.values), trace.step_s)
    most = float(np.nanmax(trace.values, initial=0.0))
    if most > MOST_DEMAND:
        at = trace.first_step + int(np.nanargmax(trace.values))
        when = datetime.fromtimestamp(at * trace.step_s, UTC).isoformat().replace("+00:00", "Z")
        raise Refused(
            f"{trace.name}: a demand of {most:g} at {when} is no load of anything; check the unit of the values, or "
            "leave it empty"
        )


def check_length(name: str, steps: int, step_s: int) -> None:
    """For a source that is asked for a range: before it is asked."""
    if steps > MOST_STEPS:
        raise Refused(
            f"{name}: {steps:,} steps of {step_s} s, above the {MOST_STEPS:,} that are simulated at once; "
            f"average with a longer --step, or cut the record"
        )


def simulate(
    trace: Trace, workload: Workload, world: World, progress: Progress | None = None,
    *, server: PeakServer | None = None, anomalies: bool = False, signals: Floats | None = None,
    detectors: Path | None = None, given: Sequence[GivenVerdict] = (),
) -> Outcome:  # fmt: skip
    """Run the record through `foresee`, `decide` and the guards against the cluster twin, from its first step on.

    The cluster starts with the fewest replicas: what the first steps need is not known before them. progress: is told
    the share that is done, 0 to 1. server: None = the one that serves. anomalies: they are looked for (with the
    detectors of a recipe too), and bind; what they show to be wrong data is no demand that anybody was short of.
    given: verdicts that bind in place of a detector's.
    """
    step_s = trace.step_s
    delay, held_back = steps_of(world.data_delay_s, step_s), steps_of(world.actuation_delay_s, step_s)
    load = with_delays(workload, world, delay * step_s)
    fleet = Fleet((load,))
    cluster = twin((load,), step_s, world)
    panel = Panel.of(trace.as_seen())
    if signals is None:
        load = replace(load, signals=())
        fleet = Fleet((load,))
    found: RecordedAnomalies | GivenAnomalies | None = None
    if anomalies:
        found = judged_recording(panel, fleet, signals, data_delay_steps=delay, recipe=detectors)
    elif given:
        found = given_recording(panel, given, delay)
    run = Run(
        fleet, Recording(panel, panel), cluster, trace.first_step, trace.end_step,
        server=server or packaged_server(), guards=CHAIN,
        data_delay_steps=delay, actuation_delay_steps=held_back, block_steps=max(1, DAY_S // step_s),
        detector=found, learn=None if found is None else found.learn,
    )  # fmt: skip
    *_, (journal, _) = _told(run.blocks(), progress, trace)
    log = journal.log(0, trace.name, trace.end_step)
    running = log.ready if log.running is None else log.running
    scored = trace.first_step + warm_steps(trace, world)
    known = log.demand if found is None else np.where(found.doubted[0], np.nan, log.demand)
    served = Served(
        step_s, trace.first_step, scored, log.capacity, known, log.ready, running,
        censored=trace.censored, nodes=None if world.nodes is None else log.nodes,
    )  # fmt: skip
    asked = Asked(int(fleet.lead_steps(step_s)[0]), load.risk, load.min_replicas, load.max_replicas)
    detected = found if isinstance(found, RecordedAnomalies) else None
    return Outcome(log, load, served, score(served, asked), detected)


def _told(blocks: Iterator[Block], progress: Progress | None, trace: Trace) -> Iterator[Block]:
    for block in blocks:
        if progress is not None:
            progress((block[1] - trace.first_step) / len(trace.values))
        yield block


def cautions(scores: Scores, most: int) -> Iterator[str]:
    """What makes the figures look better, or surer, than they are. most: replicas that nobody may go above."""
    if scores.above_most_steps:
        yield (
            f"{scores.above_most_steps:,} steps ({scores.above_most_steps / scores.steps * 100:.3g} %) need more than "
            f"--max {most}; the bound stops there too"
        )
    if scores.steps < LEAST_STEPS:
        yield f"too few steps to judge: {scores.steps:,} are scored, and {LEAST_STEPS} are the least that say something"


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
