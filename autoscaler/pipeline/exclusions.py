"""What owners take out of learning and risk control is told on every decision while it matters: nothing goes unseen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from autoscaler.domain.calendar import Span
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.season import HOUR_S, recent_spans
from autoscaler.domain.workload import Workload


def exclusion_notes(fleet: Fleet, now_s: float) -> Mapping[int, tuple[Note, ...]]:
    """By lane. The words stay the same within an hour, so that unchanged decisions stay one row of the record."""
    lanes = fleet.once("lanes with exclusions", 0, lambda: [n for n, w in enumerate(fleet.workloads) if w.excluded])
    found = {}
    for lane in lanes:
        if words := _words(fleet.workloads[lane], int(now_s // HOUR_S)):
            found[lane] = (Note(Condition.CALIBRATION_EXCLUDED, words),)
    return found


def _words(load: Workload, hour: int) -> str:
    every = recent_spans(tuple(e.window for e in load.excluded), hour)
    if not every:
        return ""
    hours = sum(end - start for start, end in every) / HOUR_S
    parts = []
    for each in load.excluded:
        if spans := recent_spans((each.window,), hour):
            more = f" and {len(spans) - 1} more" if len(spans) > 1 else ""
            parts.append(f"{each.reason} ({_told(spans[-1])}{more})")
    return f"{hours:.3g} h of the last week are left out of learning and of risk control: {'; '.join(parts)}"


def _told(span: Span) -> str:
    start, end = (datetime.fromtimestamp(moment, UTC) for moment in span)
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
