"""`foresail simulate`: recorded demand through the live pipeline; every decision as a row, and what came of them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from autoscaler.adapters.decision_rows import check_name, check_place, write_rows
from autoscaler.adapters.traces import Trace
from autoscaler.bootstrap.simulate import (
    MOST_DEMAND,
    PEAK_REPLICAS,
    Outcome,
    check_scored,
    check_trace,
    derived_capacity,
    rows,
    simulate,
    typed_workload,
    warm_steps,
)
from autoscaler.bootstrap.worlds import World
from autoscaler.cli.inputs import folder_of, recipe, seconds
from autoscaler.cli.recorded import recorded_demand
from autoscaler.cli.simulate_view import show, told, watched
from autoscaler.cli.simulate_world import WorldOptions, lead_of, world_of
from autoscaler.domain.errors import InvalidSpec, Refused
from autoscaler.domain.workload import Actuation, Lead, Workload
from autoscaler.reporting.anomaly_words import lasted, stamp
from autoscaler.spec.compile import DEFAULT_READY_S, DEFAULT_RISK, acting_by
from autoscaler.spec.reader import load_valid, parse_text
from autoscaler.spec.scalars import checked_risk, risk_of

DAY_S = 86400
INT32_MAX = 2**31 - 1
WARMUP_DAYS = 7
MOST_TOLD = 10


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """As typed; None = not given."""

    trace: Path | None
    column: str | None
    series: str | None
    censored_column: str | None
    prometheus: str | None
    query: str | None
    censored_query: str | None
    since: str | None
    config: Path | None
    capacity: float | None
    risk: str | None
    actuation: str | None
    least: int | None
    most: int | None
    warmup: str | None
    step: str | None
    out: Path | None
    output: str
    world: WorldOptions
    policies: tuple[Path, ...] = ()
    site: str | None = None
    anomalies: bool = False
    detectors: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What is simulated. notes: what was assumed, and what was done to the record."""

    trace: Trace
    workload: Workload
    world: World
    notes: tuple[str, ...]


def run_simulate(options: SimulateOptions) -> None:
    """Check every option before any work, then simulate, write the rows and print the figures."""
    if options.output not in {"table", "json", "yaml"}:
        raise Refused(f"--output {options.output!r} is not known; use table, json or yaml")
    recipe(options.detectors, looked_for=options.anomalies, remedy="write --anomalies")
    ready = prepared(options)
    trace, workload, world = ready.trace, ready.workload, ready.world
    with watched() as progress:
        began = time.monotonic()
        outcome = simulate(
            trace, workload, world, progress, anomalies=options.anomalies, detectors=options.detectors
        )  # fmt: skip
        took_s = time.monotonic() - began
    if options.out is not None:
        write_rows(options.out, rows(outcome))
    notes = (*ready.notes, *_incidents(outcome))
    show(told(outcome, world, notes, options.out, took_s), options.output)


def _incidents(outcome: Outcome) -> Iterator[str]:
    """What was abnormal on the way, and bound the decisions."""
    if outcome.anomalies is None:
        return
    doubted = outcome.anomalies.doubted[0][outcome.served.scored_step - outcome.served.first_step :]
    if doubted.any():
        count, hours = int(doubted.sum()), float(doubted.sum()) * outcome.log.step_s / 3600
        yield f"{count:,} steps ({hours:.3g} h) hold wrong data: what was asked for then is unknown, and not scored"
    found = outcome.anomalies.incidents
    yield f"anomalies bind: {len(found)} incidents" if found else "anomalies bind: nothing was abnormal"
    for each in found[-MOST_TOLD:]:
        cause = "unexplained" if each.cause is None else each.cause.value
        yield f"{stamp(each.opened_s)} {cause}, {lasted(each, each.updated_s)}: {each.why}"


def prepared(options: SimulateOptions) -> Prepared:
    """Every option checked and the record read; `out` last of the options, before the record.

    Refused where nothing would be left to score, for `foresail report` too.
    """
    notes: list[str] = []
    workload, capacity = _workload_of(options, notes)
    world = world_of(options.world, workload.actuation, notes)
    if options.out is not None:
        check_name(options.out)
        folder_of("--out", options.out)
        check_place(options.out)
    trace = recorded_demand(options)
    check_trace(trace)
    world = replace(world, warmup_s=_warmup_s(options, trace, notes))
    check_scored(trace, world.warmup_s, options.warmup)
    if capacity is None:
        capacity = derived_capacity(trace, warm_steps(trace, world))
        notes.append(
            f"capacity per replica {capacity:.4g}, derived from the warm-up alone: its 99.9th percentile needs "
            f"{PEAK_REPLICAS} replicas (type --capacity)"
        )
    workload = replace(workload, demands=(replace(workload.demands[0], capacity_per_replica=capacity),))
    if world.data_delay_s > workload.max_data_age_s:
        notes.append(f"maxDataAge of {workload.max_data_age_s:g} s is counted on top of the data delay")
    return Prepared(trace, workload, world, (*trace.notes, *notes))


def _workload_of(options: SimulateOptions, notes: list[str]) -> tuple[Workload, float | None]:
    """The workload and its capacity, None = to be derived. What is typed wins over --config, that over defaults."""
    lead_s = None if options.world.lead is None else lead_of(options.world.lead)[0]
    risk = None if options.risk is None else _risk(options.risk)
    actuation = None if options.actuation is None else _actuation(options.actuation)
    capacity = options.capacity
    if capacity is not None and not 0 < capacity <= MOST_DEMAND:
        raise Refused(f"--capacity {capacity:g} must be a positive number: the demand that one replica serves")
    if options.policies and options.config is None:
        raise Refused("--policies select a PredictiveAutoscaler by its name and labels: name its file with --config")
    if options.config is not None:
        load = configured(options.config, actuation, options.policies, options.site)
        notes.append(f"settings of {load.ref} from {options.config}")
        if load.guarded is not None:
            notes.append("under " + ", ".join(sorted(load.guarded.owners())))
        # both delays are zero unless given, so that the figures of two runs compare
        plain = Lead(load.lead.ready_s, load.lead.warmup_s, provisioning_s=load.lead.provisioning_s)
        load = replace(
            load,
            lead=plain if lead_s is None else Lead(lead_s),
            risk=load.risk if risk is None else risk,
        )
        if capacity is None and load.demands[0].learned is not None:
            notes.append("capacity is its perReplica; what a running service learns is not simulated (type --capacity)")
        return _bounded(load, options), load.demands[0].known_capacity if capacity is None else capacity
    if lead_s is None:
        notes.append(f"lead {DEFAULT_READY_S:g} s (the default; type --lead)")
    if risk is None:
        notes.append(f"accepted risk {DEFAULT_RISK} (the default; type --risk)")
    load = typed_workload(
        1.0,
        lead_s=DEFAULT_READY_S if lead_s is None else lead_s,
        risk=risk_of(DEFAULT_RISK) if risk is None else risk,
        actuation=actuation or Actuation.SCALE,
    )
    return _bounded(load, options), capacity


def _bounded(load: Workload, options: SimulateOptions) -> Workload:
    least = load.min_replicas if options.least is None else options.least
    most = load.max_replicas if options.most is None else options.most
    if not 1 <= least <= most <= INT32_MAX:
        raise Refused(f"--min {least} and --max {most} must keep 1 ≤ min ≤ max ≤ {INT32_MAX}, as Kubernetes counts")
    return replace(load, min_replicas=least, max_replicas=most)


def configured(
    path: Path, actuation: Actuation | None, policies: tuple[Path, ...] = (), site: str | None = None
) -> Workload:
    """The one PredictiveAutoscaler of a file, under the policies in it and in `policies`.

    Its sources need not be there: demand comes from the record.

    With another actuation it is compiled as if that stood in the file: defaults, as of scale-up, depend on it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Refused(f"--config {path}: cannot be read ({why})") from None
    fleet = parse_text(text, str(path), known_sources=_sources_in(text))
    if actuation is not None:
        fleet = replace(fleet, autoscalers=tuple(acting_by(each, actuation) for each in fleet.autoscalers))
    if policies:
        more = load_valid(policies, known_sources=_sources_in(text))
        if more.problems:
            raise InvalidSpec(more.problems)
        fleet = replace(fleet, policies=(*fleet.policies, *more.fleet.policies))
    loads = fleet.compile(site)
    if len(loads) != 1:
        raise Refused(f"--config {path}: holds {len(loads)} PredictiveAutoscalers; one is simulated at a time")
    if len(loads[0].demands) != 1:
        names = ", ".join(d.name for d in loads[0].demands)
        raise Refused(f"--config {path}: has several demands ({names}); keep the one that the record shows")
    return loads[0]


def _sources_in(text: str) -> tuple[str, ...]:
    """Names that demands write behind `source:`; whether they exist does not matter here."""
    return tuple({m[1] for m in re.finditer(r"\bsource:\s*[\"']?([-a-z0-9.]+)", text)})


def _warmup_s(options: SimulateOptions, trace: Trace, notes: list[str]) -> float:
    if options.warmup is not None:
        return seconds("--warmup", options.warmup, most=math.inf)
    whole_s = len(trace.values) * trace.step_s
    if whole_s > WARMUP_DAYS * DAY_S:
        return WARMUP_DAYS * DAY_S
    notes.append(f"the record is not longer than the usual warm-up of {WARMUP_DAYS} days: a third of it is warm-up")
    return whole_s // 3


def _risk(text: str) -> float:
    try:
        return checked_risk(risk_of(text))
    except ValueError as error:
        raise Refused(f"--risk {text!r}: {error}") from None


def _actuation(text: str) -> Actuation:
    for kind in (Actuation.SCALE, Actuation.HPA_FLOOR):
        if text.lower() == kind.value.lower():
            return kind
    raise Refused(f"--actuation {text!r} is not known; use Scale or HpaFloor")
