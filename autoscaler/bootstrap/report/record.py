"""What a service left behind about one workload: the demand that it kept, what was decided and what ran, by step."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.adapters.demand_store.codec import unpack
from autoscaler.adapters.demand_store.store import CHUNK_S, VERSION
from autoscaler.adapters.traces import Trace
from autoscaler.domain.decision import Decision, DemandView
from autoscaler.domain.errors import Refused
from autoscaler.domain.record import RecordedRun
from autoscaler.domain.series import LAST_VALUED, Codes, DataVerdict, Floats
from autoscaler.domain.workload import Actuation, Demand, Lead, Mode, ScalingRule, Target, Workload
from autoscaler.ports.history import FINAL, UNASKED
from autoscaler.simulator.runlog import UNKNOWN
from autoscaler.spec.compile import HPA_SCALE_UP

HELD_S: Final = 900
"""How long replicas that were read once count as known. The record has them at the start of each run of unchanged
decisions, and a run may last for hours."""
BUSY_S: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """trace: kept demand up to the newest decision. marks: [step], as kept. decided_step: absolute, of the first
    decision. ready, running: [step], UNKNOWN where the record does not say. p50, p95: of the coming peak, NaN
    likewise. mode: of the newest decision; acted: share of the decided steps in which Foresail also wrote.
    """

    trace: Trace
    marks: Codes
    decided_step: int
    ready: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    running: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    p50: Floats
    p95: Floats
    newest: Decision
    demand: DemandView
    acted: float
    runs: int
    notes: tuple[str, ...] = ()

    @property
    def mode(self) -> Mode:
        return self.newest.mode


def recorded(runs: Sequence[RecordedRun], demand: Path | Trace) -> Recorded:
    """runs: of one workload, oldest first, at least one. demand: the file that a service keeps, or a record of it."""
    newest = runs[-1].decision
    view = _shown(runs[-1])
    if isinstance(demand, Trace):
        place, step_s, first, values = demand.name, demand.step_s, demand.first_step, demand.values
        marks = np.where(np.isnan(values), DataVerdict.MISSING, DataVerdict.OK).astype(np.uint8)
        if demand.censored is not None:
            marks[demand.censored] = DataVerdict.PARTIAL
    else:
        key = f"{newest.workload}/{view.name}={view.source}:{view.query}"
        place = str(demand)
        step_s, first, values, marks = _kept(demand, key, round(newest.tick_s))
    begin, end = int(runs[0].first_at.timestamp() // step_s), int(runs[-1].last_at.timestamp() // step_s)
    values, marks = values[: max(0, end - first)], marks[: max(0, end - first)]  # the last step may not be whole
    known = np.flatnonzero(~np.isnan(values))
    if not len(known) or first + int(known[-1]) < begin:
        raise Refused(
            f"{place}: no demand of {newest.workload} is known in the time of its decisions; nothing to report"
        )
    values, marks, first = values[known[0] :], marks[known[0] :], first + int(known[0])
    bound = (marks != DataVerdict.OK) & ~np.isnan(values)
    trace = Trace(str(newest.workload), step_s, first, values.copy(), censored=bound.copy() if bound.any() else None)
    ready, running, p50, p95, acted = _counts(runs, trace, view.name)
    notes = tuple(_notes(runs, view))
    return Recorded(
        trace, marks, max(begin, first), ready, running, p50, p95, newest, view, acted, len(runs), notes
    )  # fmt: skip


def _notes(runs: Sequence[RecordedRun], view: DemandView) -> Iterator[str]:
    demands = len(runs[-1].decision.demands)
    if demands > 1:
        yield f"{demands} demands: told of {view.name!r}, which needs most"
    if len({d.capacity_per_replica for run in runs for d in run.decision.demands if d.name == view.name}) > 1:
        newest = "unknown" if view.capacity_per_replica is None else f"{view.capacity_per_replica:g}"
        yield f"the capacity per replica changed within the record; the newest, {newest}, is used"


def workload_of(record: Recorded) -> Workload:
    """As the newest decision tells it; headroom and behavior are not in the record and have their usual values."""
    d, view = record.newest, record.demand
    lead = d.lead or Lead(d.lead_s)
    if view.capacity_per_replica is None:
        raise Refused(f"{d.workload}: no capacity was in force at its newest decision, so nothing can be compared yet")
    return Workload(
        ref=d.workload,
        target=Target("apps/v1", "Deployment", d.workload.name),
        demands=(Demand(view.name, view.source, view.query, view.capacity_per_replica),),
        min_replicas=max(1, int(d.inputs.get("min_replicas", 1))),
        max_replicas=max(1, int(d.inputs.get("max_replicas", 1_000_000))),
        lead=replace(lead, actuation_s=0.0),
        mode=d.mode,
        actuation=d.actuation,
        risk=d.risk,
        scale_up=ScalingRule(0, HPA_SCALE_UP) if d.actuation is Actuation.SCALE else ScalingRule(),
    )


def _shown(run: RecordedRun) -> DemandView:
    """The demand that needs most replicas."""
    views = run.decision.demands
    if not views:
        raise Refused(f"the record of {run.decision.workload} names no demand; nothing to report")
    tops = [s.high for s in run.observed] + [None] * len(views)
    needs = [
        -1.0 if top is None or v.capacity_per_replica is None else top / v.capacity_per_replica
        for v, top in zip(views, tops, strict=False)
    ]
    return views[int(np.argmax(needs))]


def _counts(
    runs: Sequence[RecordedRun], trace: Trace, demand: str
) -> tuple[
    np.ndarray[tuple[int, ...], np.dtype[np.int64]], np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    Floats, Floats, float,
]:  # fmt: skip
    """Each step's replicas and forecast are those in force when it began; several runs within a step: the first."""
    steps, step_s = len(trace.values), trace.step_s
    ready, running = np.full(steps, UNKNOWN, dtype=np.int64), np.full(steps, UNKNOWN, dtype=np.int64)
    p50, p95, acted, decided = np.full(steps, np.nan), np.full(steps, np.nan), 0, 0
    for run in runs:
        d = run.decision
        low = int(-(-run.first_at.timestamp() // step_s)) - trace.first_step
        # a tick's decision stands until the next one: about a tick after the run's last
        high = int((run.last_at.timestamp() + d.tick_s) // step_s) - trace.first_step
        low, high = max(0, low), min(max(high, low + 1), steps)
        if low >= high:
            continue
        decided += high - low
        acted += (high - low) * (d.mode is Mode.ACT)
        settled = d.actuation is Actuation.SCALE and d.ready == d.current
        known = high if settled else min(high, low + max(1, HELD_S // step_s))
        if d.inputs.get("target_known", True):
            ready[low:known] = d.ready
            running[low:known] = max(d.ready, int(d.inputs.get("desired", d.current)))
        quantiles = next((v.quantiles for v in d.demands if v.name == demand), None)
        if quantiles is not None:
            held = min(high, low + max(1, HELD_S // step_s))
            p50[low:held], p95[low:held] = quantiles[0], quantiles[-1]
    return ready, running, p50, p95, acted / decided if decided else 0.0


def _kept(path: Path, key: str, step_s: int) -> tuple[int, int, Floats, Codes]:
    """(step_s, first step, values, marks) of one row, on the grid of the decisions or else the finest."""
    if not path.is_file():
        raise Refused(
            f"{path}: no such file; a service keeps the demand of Prometheus sources there. Where its source is a "
            "file, name that file with --trace"
        )
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
        try:
            if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                raise Refused(f"{path}: was written by another version of Foresail")
            rows = connection.execute("SELECT id, step_s FROM demand_row WHERE key = ?", (key,)).fetchall()
            if not rows:
                raise Refused(f"{path}: keeps no demand as {key!r}; has the query changed since the last decision?")
            row, found_s = min(rows, key=lambda r: (r[1] != step_s, r[1]))
            query = "SELECT part, body FROM demand_chunk WHERE row = ? ORDER BY part"
            chunks = connection.execute(query, (row,)).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Refused(f"{path}: cannot be read ({error}); is it the file beside the record?") from None
    if not chunks:
        raise Refused(f"{path}: keeps nothing of {key!r} yet")
    return _joined(chunks, found_s)


def _joined(chunks: Sequence[tuple[int, bytes]], step_s: int) -> tuple[int, int, Floats, Codes]:
    def first_of(part: int) -> int:
        return -(-part * CHUNK_S // step_s)

    first, end = first_of(chunks[0][0]), first_of(chunks[-1][0] + 1)
    values, marks = np.full(end - first, np.nan), np.full(end - first, UNASKED, dtype=np.uint8)
    for part, body in chunks:
        low, high = first_of(part) - first, first_of(part + 1) - first
        try:
            some, codes = unpack(body, high - low)
        except ValueError:
            continue  # a damaged chunk is a gap that nobody asked for, as the service takes it
        marks[low:high] = np.where(codes == UNASKED, codes, codes & ~np.uint8(FINAL))
        values[low:high] = np.where(codes <= LAST_VALUED, some, np.nan)
    return step_s, first, values, marks
