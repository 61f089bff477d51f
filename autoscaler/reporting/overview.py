"""What `foresail get` shows: one row per workload, from the record of a service. Values in, text and dicts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any

from autoscaler.domain.decision import DemandView
from autoscaler.domain.notes import Condition
from autoscaler.domain.record import Range, RecordedRun
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.sparkline import sparkline

SPAN_S = 6 * 3600
CELLS = 24

COLUMNS = ("WORKLOAD", "STATE", "MODE", "CURRENT", "WANTED", "GRANTED", "PEAK P95", "DATA", "AGE", "DEMAND, LAST 6 H")
NARROW = ("WORKLOAD", "STATE", "NOW", "DATA", "AGE", "DEMAND")
_WIDE_FROM = 112


@dataclass(frozen=True, slots=True)
class Overview:
    """The newest recorded run of a workload, and its demand in equal cells over the last hours of the record."""

    run: RecordedRun
    demand: tuple[float | None, ...]

    @property
    def shown(self) -> int:
        """Index of the demand that needs most replicas: the one whose line is shown."""
        needs = [_need(view, span) for view, span in zip(self.run.decision.demands, self.run.observed, strict=False)]
        return max(range(len(needs)), key=needs.__getitem__, default=0)

    @property
    def worst(self) -> DemandView | None:
        return max(self.run.decision.demands, key=lambda d: d.verdict, default=None)


def _need(view: DemandView, span: Range) -> float:
    return -1.0 if span.high is None or view.capacity_per_replica is None else span.high / view.capacity_per_replica


def recorded_demand(runs: Sequence[RecordedRun], end: datetime, demand: str) -> tuple[float | None, ...]:
    """The largest demand recorded in each cell before `end`; None where nothing was known.

    A run of unchanged decisions keeps the range of its inputs, not each: its cells all show the top of that range.
    """
    cells: list[float | None] = [None] * CELLS
    cell_s, start_s = SPAN_S / CELLS, end.timestamp() - SPAN_S
    for run in runs:
        index = next((k for k, d in enumerate(run.decision.demands) if d.name == demand), None)
        high = None if index is None or index >= len(run.observed) else run.observed[index].high
        if high is None or run.last_at.timestamp() < start_s:
            continue
        first, last = (ceil((at.timestamp() - start_s) / cell_s) - 1 for at in (run.first_at, run.last_at))
        for k in range(max(0, first), min(CELLS, last + 1)):
            known = cells[k]
            cells[k] = high if known is None else max(known, high)
    return tuple(cells)


def columns(width: int) -> tuple[str, ...]:
    """What fits into a terminal of so many characters."""
    return COLUMNS if width >= _WIDE_FROM else NARROW


def cells(row: Overview, now: datetime, width: int, *, plain: bool = False) -> tuple[str, ...]:
    """One row of text in the order of `columns(width)`."""
    d, wide = row.run.decision, width >= _WIDE_FROM
    worst = row.worst
    data = "-" if worst is None else "ok" if worst.verdict == DataVerdict.OK else worst.verdict.name.lower()
    line = sparkline(row.demand, CELLS if wide else max(6, min(CELLS, width - 58)), plain=plain)
    age = ago((now - row.run.last_at).total_seconds())
    if not wide:
        arrow = "->" if plain else "→"
        now_text = d.shown(d.current) if d.granted == d.current else f"{d.current}{arrow}{d.granted}"
        return (str(d.workload), d.state.value, now_text, data, age, line)
    tops = [s for s in row.run.sizing_quantile if s.high is not None]
    peak = " + ".join(_span(s) for s in tops) or "-"
    wanted = "?" if d.shown(d.wanted) == "?" else _span(row.run.wanted)
    numbers = (d.shown(d.current), wanted, d.shown(d.granted), peak)
    lasting = [n.condition.value for n in d.notes if n.condition is not Condition.WRITTEN]
    state = f"{d.state.value}: {lasting[0]}" if lasting else d.state.value
    return (str(d.workload), state, d.mode.value, *numbers, data, age, line)


def overview_dict(row: Overview, now: datetime) -> dict[str, Any]:
    run, d = row.run, row.run.decision
    demands = zip(d.demands, run.observed, run.sizing_quantile, strict=False)
    return {
        "namespace": d.workload.namespace,
        "name": d.workload.name,
        "state": d.state.value,
        "mode": d.mode.value,
        "actuation": d.actuation.value,
        "current": d.current,
        "ready": d.ready,
        "wanted": [run.wanted.low, run.wanted.high],
        "granted": d.granted,
        "reasons": [r.value for r in d.reasons],
        "conditions": [n.condition.value for n in d.notes],
        "since": _iso(run.first_at),
        "lastDecision": _iso(run.last_at),
        "ageSeconds": round((now - run.last_at).total_seconds(), 3),
        "expired": now > run.last_at + (d.expires - d.at),
        "demands": [
            {
                "name": view.name,
                "source": view.source,
                "verdict": view.verdict.name,
                "note": view.note,
                "observed": [observed.low, observed.high],
                "peakP95": [peak.low, peak.high],
            }
            for view, observed, peak in demands
        ],
        "recentDemand": {
            "demand": d.demands[row.shown].name if d.demands else None,
            "cellSeconds": SPAN_S // CELLS,
            "end": _iso(run.last_at),
            "values": list(row.demand),
        },
    }


def ago(seconds: float) -> str:
    """An age in one unit: 12s, 5m, 3h, 9d."""
    if seconds < 0:
        return "in the future"
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:.0f}s"


def _span(span: Range) -> str:
    """A value, or the range that it went through over the run."""
    if span.low is None or span.high is None:
        return "-"
    low, high = f"{span.low:.4g}", f"{span.high:.4g}"
    return low if low == high else f"{low}–{high}"


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat()
