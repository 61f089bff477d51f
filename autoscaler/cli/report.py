"""`foresail report`: what Foresail would have cost and left short on a recorded demand, for people to decide on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.bootstrap.comparing import judge
from autoscaler.bootstrap.report.assemble import Telling, report_of
from autoscaler.bootstrap.report.rival import RivalName
from autoscaler.bootstrap.report.settings import Named
from autoscaler.cli.inputs import folder_of, whole_seconds
from autoscaler.cli.report_view import print_report, watched_parts
from autoscaler.cli.simulate import SimulateOptions, configured, prepared
from autoscaler.cli.simulate_view import show
from autoscaler.cli.simulate_world import USUAL_TARGET
from autoscaler.domain.errors import Refused

if TYPE_CHECKING:
    from autoscaler.adapters.traces import Trace
    from autoscaler.reporting.report.values import Report

OUTPUTS = ("html", "table", "json", "yaml")
DEFAULT_OUT = Path("report.html")
MOST_RUNS = 1_000_000


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """As typed; None = not given. simulate: input and world, as for `foresail simulate`.

    workload, store: with live, whose record is told.
    """

    simulate: SimulateOptions
    rival: str
    out: Path | None
    output: str
    live: bool
    store: Path
    workload: str | None


def run_report(options: ReportOptions) -> None:
    """Check every option before any work, then judge, and tell."""
    if options.output not in OUTPUTS:
        raise Refused(f"--output {options.output!r} is not known; use html, table, json or yaml")
    if options.out is not None and options.output != "html":
        raise Refused(f"--out is the place of the HTML file; with -o {options.output} the answer goes to stdout")
    rival = RivalName.of(options.rival)
    out = options.out or DEFAULT_OUT
    if options.output == "html":
        check_out(out)
    report = _live(options, rival) if options.live else _simulated(options, rival)
    if options.output == "html":
        from autoscaler.reporting.report.page import page

        write_whole(out, page(report))
        print_report(report, out)
    elif options.output == "table":
        print_report(report, None)
    else:
        from autoscaler.reporting.report.plain import plain

        show(plain(report), options.output)


def _simulated(options: ReportOptions, rival: RivalName) -> Report:
    if options.workload is not None:
        raise Refused(f"the workload {options.workload!r} needs --live; a record is named by --trace or --prometheus")
    target, asked = hpa_target(options.simulate.world.hpa_target), options.simulate
    # a target is the user's HPA in any actuation here, also where no HPA runs beside Foresail
    ready = prepared(replace(asked, world=replace(asked.world, hpa_target=None)))
    world = replace(ready.world, hpa_target=target)
    notes = tuple(note for note in ready.notes if not note.startswith("HPA at its usual target"))
    if asked.world.hpa_target is None:
        notes += (f"your HPA at its usual target of {USUAL_TARGET} % (type --hpa-target)",)
    with watched_parts(floor=ready.workload.actuation.is_floor) as progress:
        judged = judge(ready.trace, ready.workload, world, progress)
    telling = Telling(
        rival,
        notes,
        query=asked.query,
        named=Named.NOT if asked.config is None else Named.FILE,
        derived=asked.capacity is None and asked.config is None,
    )
    return report_of(judged, ready.trace, world, telling)


def _live(options: ReportOptions, rival: RivalName) -> Report:
    from autoscaler.adapters.store import DecisionStore
    from autoscaler.adapters.traces import read_trace
    from autoscaler.bootstrap.report.live import live_report, live_world
    from autoscaler.bootstrap.report.record import recorded, workload_of
    from autoscaler.bootstrap.settings import demand_file
    from autoscaler.cli.record import chosen

    if options.workload is None:
        raise Refused("--live needs the workload: foresail report --live NAMESPACE/NAME --store FILE")
    _only_live(options.simulate)
    target = hpa_target(options.simulate.world.hpa_target)
    store = DecisionStore.open_read_only(options.store)
    try:
        ref = chosen(store, options.workload, options.store)
        runs = store.history(ref, limit=MOST_RUNS)
    finally:
        store.close()
    if not runs:
        raise Refused(f"{options.store}: nothing is recorded for {ref}")
    typed = options.simulate
    kept: Path | Trace = demand_file(options.store)
    if typed.trace is not None:
        step_s = None if typed.step is None else whole_seconds("--step", typed.step)
        kept = read_trace(typed.trace, typed.column, typed.series, step_s, typed.censored_column)
    record = recorded(runs, kept)
    load, notes = workload_of(record), []
    if options.simulate.config is not None:
        load = configured(options.simulate.config, None)
        notes.append(f"settings of {load.ref} from {options.simulate.config}")
        one = load.demands[0]
        capacity = one.capacity_per_replica or record.demand.capacity_per_replica  # as the service had learned it
        load = replace(load, demands=(replace(one, name=record.demand.name, capacity_per_replica=capacity),))
    if options.simulate.world.hpa_target is None:
        notes.append(f"your HPA at its usual target of {USUAL_TARGET} % (type --hpa-target)")
    world = live_world(record, target)
    with watched_parts(floor=load.actuation.is_floor) as progress:
        judged = judge(record.trace, load, world, progress)
    telling = Telling(
        rival, tuple(notes), query=record.demand.query, named=Named.RECORD if typed.config is None else Named.FILE
    )
    return live_report(record, judged, world, telling)


def _only_live(typed: SimulateOptions) -> None:
    """The record tells the demand and the world; what would contradict it is refused."""
    told = {
        "--prometheus": typed.prometheus, "--query": typed.query, "--censored-query": typed.censored_query,
        "--since": typed.since, "--capacity": typed.capacity, "--risk": typed.risk, "--actuation": typed.actuation,
        "--min": typed.least, "--max": typed.most, "--warmup": typed.warmup, "--lead": typed.world.lead,
        "--node-replicas": typed.world.node_replicas, "--spare-nodes": typed.world.spare_nodes,
        "--node-ready": typed.world.node_ready,
        "--data-delay": None if typed.world.data_delay == "0s" else typed.world.data_delay,
        "--actuation-delay": None if typed.world.actuation_delay == "0s" else typed.world.actuation_delay,
        "--start-failure": None if typed.world.start_failure == "0%" else typed.world.start_failure,
    }  # fmt: skip
    if typed.trace is None:
        of_file = {"--column": typed.column, "--series": typed.series, "--censored-column": typed.censored_column}
        for name, value in (of_file | {"--step": typed.step}).items():
            if value is not None:
                raise Refused(f"{name} needs --trace FILE")
    given = [name for name, value in told.items() if value is not None]
    if given:
        raise Refused(f"{', '.join(given)}: the record of --live tells that; leave it out, or leave out --live")


def hpa_target(typed: int | None) -> int:
    if typed is not None and not 1 <= typed <= 100:
        raise Refused(f"--hpa-target {typed} must be a percentage from 1 to 100")
    return typed or USUAL_TARGET


def check_out(out: Path) -> None:
    """Before minutes of work: whether a file can be there."""
    if out.is_dir():
        raise Refused(f"--out {out}: is a folder; name a file such as {out / DEFAULT_OUT.name}")
    if out.suffix.lower() not in {".html", ".htm"}:
        raise Refused(
            f"--out {out}: the page is HTML; name it {out.with_suffix('.html').name}, or take -o json or yaml"
        )
    folder_of("--out", out)
    try:
        _draft(out).touch()
        _draft(out).unlink()
    except OSError as error:
        raise Refused(f"--out {out}: cannot be written ({error.strerror}); name another place") from None


def write_whole(out: Path, text: str) -> None:
    """Whole or not at all: an older report stays until the new one is complete."""
    draft = _draft(out)
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(out)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Refused(f"--out {out}: cannot be written ({error.strerror}); name another place") from None


def _draft(out: Path) -> Path:
    return out.with_name(f".{out.name}.draft")
