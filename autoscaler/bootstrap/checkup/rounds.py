"""The whole visit: every source beside the others, the demands of those that answer, and then Kubernetes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from autoscaler.adapters.files import FileMetrics
from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.bootstrap.checkup.asking import Asked, Notes, Server
from autoscaler.bootstrap.checkup.demand import look_at_demand
from autoscaler.bootstrap.checkup.recording import look_at_recorded, look_at_recording
from autoscaler.bootstrap.checkup.source import SourceState, look_at_source
from autoscaler.domain.errors import InvalidSpec, Refused
from autoscaler.domain.workload import Demand, Workload
from autoscaler.reporting.doctor import Finding
from autoscaler.spec.compile import PrometheusSource, Recording, Source
from autoscaler.spec.reader import load_valid

AT_ONCE = 4
"""Demands of one source that are looked at together: a visit is no load test."""

Open = Callable[[PrometheusSource], Server]
Beside = Callable[[Sequence[Workload]], list[Finding]]


def visit(
    paths: Sequence[Path], now_s: float, step_s: int, open_server: Open, beside: Beside | None = None
) -> list[Finding]:
    """Everything found, source by source, and after them what `beside` finds of the workloads elsewhere.

    InvalidSpec or Refused where there is nothing to look at.
    """
    loaded = load_valid(paths)
    loads, sources = loaded.fleet.compile(), loaded.fleet.compiled_sources
    if not loads and not sources:
        if loaded.problems:
            raise InvalidSpec(loaded.problems)
        raise Refused(f"no MetricsSource and no PredictiveAutoscaler in {', '.join(map(str, paths))}")
    files = Notes("fleet files")
    for problem in (*loaded.problems, *loaded.knock_on):
        files.fail("spec", str(problem))
    if not files.found:
        files.ok("spec", f"{len(loads)} workloads and {len(sources)} sources are valid")
    with ThreadPoolExecutor(max_workers=max(1, min(8, len(sources)))) as pool:
        told = list(pool.map(lambda source: _visit_one(source, loads, now_s, step_s, open_server), sources))
    elsewhere = [] if beside is None else beside(loads)
    return [*files.found, *(finding for found in told for finding in found), *elsewhere]


def _visit_one(
    source: Source, loads: Sequence[Workload], now_s: float, step_s: int, open_server: Open
) -> list[Finding]:
    theirs = [(load, demand) for load in loads for demand in load.demands if demand.source == source.name]
    notes = Notes(f"source {source.name}")
    if isinstance(source, Recording):
        return _recording(notes, source, theirs, step_s)
    try:
        server = open_server(source)
    except (OSError, ValueError, QueryFault) as error:
        notes.fail("settings", f"its settings cannot be used: {error}")
        return notes.found
    try:
        state = look_at_source(notes, source, server, now_s)
        if state is None:
            if theirs:
                notes.warn("demands", f"demands that could not be looked at: {len(theirs)}")
            return notes.found
        return notes.found + _demands(source, server, state, theirs, step_s)
    finally:
        close = getattr(server, "close", None)
        if close is not None:
            close()


def _demands(
    source: PrometheusSource,
    server: Server,
    state: SourceState,
    theirs: Sequence[tuple[Workload, Demand]],
    step_s: int,
) -> list[Finding]:
    def look(pair: tuple[Workload, Demand]) -> list[Finding]:
        load, demand = pair
        notes = Notes(f"{load.ref} {demand.name} (source {source.name})")
        try:
            look_at_demand(notes, Asked(load, demand, source, state.now_s, step_s), server)
        except QueryFault as error:
            notes.fault("query", error)
        return notes.found

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return [finding for found in pool.map(look, theirs) for finding in found]


def _recording(
    notes: Notes, source: Recording, theirs: Sequence[tuple[Workload, Demand]], step_s: int
) -> list[Finding]:
    files = FileMetrics({source.name: source.path})
    found = notes.found
    if not look_at_recording(notes, source, files, step_s):
        return found
    for load, demand in theirs:
        each = Notes(f"{load.ref} {demand.name} (source {source.name})")
        look_at_recorded(each, load, demand, files, step_s)
        found = found + each.found
    return found
