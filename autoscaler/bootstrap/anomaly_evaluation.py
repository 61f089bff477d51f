"""`foresail anomalies evaluate`: one's own labelled metrics through the engine, each of its scores alone, those of a
recipe, and the rival that everybody has.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.adapters.traces import Trace
from autoscaler.detection.contract import Block, Detector, Watched
from autoscaler.detection.engine import DAY_S, DetectionEngine
from autoscaler.detection.single import MEMBERS, Single
from autoscaler.domain.errors import Refused
from autoscaler.domain.series import Bools, Floats
from autoscaler.learning.detection_figures import (
    Found,
    Labelled,
    found_over,
    scored,
    threshold_for,
    trailing_z,
    vus_pr,
)
from autoscaler.learning.detector_scores import relived
from autoscaler.reporting.anomaly_scores import draw_scores

OURS, SEVERITY, RIVAL = "foresail", "foresail severity", "z-score of the trailing day"
DRAWN: Final = (OURS, SEVERITY, RIVAL)
EVERY: Final = ""
"""Name of labels that are of every series."""


@dataclass(frozen=True, slots=True)
class Row:
    """One detector at one asked rate. vus_pr: mean over series that have labels."""

    detector: str
    asked: float
    found: Found
    vus_pr: float


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """series: with their labels. scores: by detector, [step] of each series."""

    rows: tuple[Row, ...]
    series: tuple[Labelled, ...]
    values: tuple[Floats, ...]
    scores: Mapping[str, tuple[Floats, ...]]


def read_labels(path: Path) -> dict[str, list[tuple[float, float]]]:
    """By series, begin and end in seconds since the epoch. Refused with the line of a slip."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            lines, columns = list(reader), tuple(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError) as why:
        raise Refused(f"--labels {path}: cannot be read: {getattr(why, 'strerror', None) or why}") from why
    if lines and not {"start", "end"} <= set(columns):
        raise Refused(
            f"{path}:1: has the columns {', '.join(columns)}; needs start, end and, of several series, series"
        )
    found: dict[str, list[tuple[float, float]]] = {}
    for number, line in enumerate(lines, start=2):
        try:
            start, end = (datetime.fromisoformat(str(line[name])) for name in ("start", "end"))
        except ValueError as why:
            raise Refused(f"{path}:{number}: start and end are RFC 3339 moments with a zone: {why}") from why
        said = f"{line['start']} to {line['end']}"
        if start.tzinfo is None or end.tzinfo is None:
            raise Refused(f"{path}:{number}: {said} has no zone; write 2026-03-02T09:00:00Z or +01:00")
        if end <= start:
            raise Refused(f"{path}:{number}: {said} ends before it begins")
        found.setdefault((line.get("series") or EVERY).strip(), []).append((start.timestamp(), end.timestamp()))
    if not found:
        raise Refused(f"{path}: holds no label; write start,end,series and a line for each known incident")
    return found


def evaluated(
    traces: Sequence[Trace],
    labels: Mapping[str, list[tuple[float, float]]],
    budgets: Sequence[float],
    learn_s: float,
    detectors: Sequence[Detector] = (),
) -> Evaluation:
    """Each series by itself. learn_s: the first seconds of each, of which nothing is judged. detectors: of a recipe.

    The engine's pages come by the asked rate alone. Every other detector has no calibration of its own, so it gets the
    threshold that these very labels favour, at the false pages that came of the engine or were asked for.
    """
    for trace in traces:
        if DAY_S % trace.step_s:
            raise Refused(
                f"{trace.name}: steps of {trace.step_s} s do not make up a day; average with --step 60s or 5m"
            )
    series = tuple(_labelled(trace, labels, learn_s) for trace in traces)
    if not any(one.spans for one in series):
        names = ", ".join(trace.name for trace in traces[:5])
        raise Refused(f"no label lies within any series ({names}); check their times and names")
    if not any(one.judged[first:end].any() for one in series for first, end in one.spans):
        raise Refused(
            f"no label lies after the first {learn_s / DAY_S:g} days of its series, of which nothing is judged: pass a "
            "shorter --learn, or a longer record"
        )
    alone = _alone(detectors)
    scores: dict[str, list[Floats]] = {name: [] for name in (OURS, SEVERITY, *alone, RIVAL)}
    alarms: dict[float, list[Bools]] = {budget: [] for budget in budgets}
    for trace in traces:
        block = Block(trace.step_s, trace.first_step, trace.values[None, :])
        for k, budget in enumerate(budgets):
            verdicts = DetectionEngine(Watched.alone((trace.name,), budget), trace.step_s).relive(block)
            alarms[budget].append(verdicts.groups.rate_per_week[0] <= budget)
            if k == 0:
                scores[OURS].append(verdicts.groups.surprise[0])
                scores[SEVERITY].append(verdicts.rows.severity[0])
        for name, detector in alone.items():
            scores[name].append(relived(detector, block)[0])
        scores[RIVAL].append(trailing_z(trace.values, DAY_S // trace.step_s))
    volume = {name: _mean_vus(series, found) for name, found in scores.items()}
    rows = []
    for budget in budgets:
        ours = scored(list(zip(series, alarms[budget], strict=True)))
        rows.append(Row(OURS, budget, ours, volume[OURS]))
        for name in (*alone, RIVAL):
            rival = list(zip(series, scores[name], strict=True))
            mark = threshold_for(rival, max(ours.false_per_week, budget))
            rows.append(Row(name, budget, found_over(rival, mark), volume[name]))
    rows.append(Row(SEVERITY, float("nan"), Found(0, 0, float("nan"), float("nan")), volume[SEVERITY]))
    return Evaluation(tuple(rows), series, tuple(t.values for t in traces), {n: tuple(s) for n, s in scores.items()})


def uncounted(
    labels: Mapping[str, list[tuple[float, float]]], traces: Sequence[Trace], series: Sequence[Labelled]
) -> Iterator[str]:
    """What labels are not looked at, and why."""
    names = {one.name for one in series}
    for name, spans in labels.items():
        if name not in names and name != EVERY:
            yield f"{len(spans)} of the labels are of {name}, which is no series here ({', '.join(sorted(names)[:5])})"
    early = sum(not one.judged[first:end].any() for one in series for first, end in one.spans)
    if early:
        yield f"{early} of the labels lie in the first days, of which nothing is judged (--learn)"
    outside = sum(
        end_s <= trace.first_step * trace.step_s or start_s >= trace.end_step * trace.step_s
        for trace in traces
        for start_s, end_s in labels.get(trace.name, ())
    )
    if outside:
        yield f"{outside} of the labels lie before or after what was recorded of their series"


def _alone(detectors: Sequence[Detector]) -> dict[str, Detector]:
    """By the name that is told: the engine's own scores, and those of a recipe."""
    own: dict[str, Detector] = {f"{name} alone": Single(name) for name in MEMBERS}
    return own | {f"{one.name} of the recipe": one for one in detectors}


def _labelled(trace: Trace, labels: Mapping[str, list[tuple[float, float]]], learn_s: float) -> Labelled:
    spans = []
    n = len(trace.values)
    for start_s, end_s in [*labels.get(EVERY, []), *labels.get(trace.name, [])]:
        first = int(start_s // trace.step_s) - trace.first_step
        end = int(-(-end_s // trace.step_s)) - trace.first_step
        if end > 0 and first < n:
            spans.append((max(0, first), min(n, max(end, first + 1))))
    judged: Bools = np.arange(n) >= learn_s / trace.step_s
    return Labelled(trace.name, trace.step_s, tuple(sorted(spans)), judged)


def _mean_vus(series: Sequence[Labelled], scores: Sequence[Floats]) -> float:
    found = []
    for one, score in zip(series, scores, strict=True):
        marks = np.zeros(len(score), dtype=np.bool_)
        for first, end in one.spans:
            marks[first:end] = True
        volume = vus_pr(marks[one.judged], score[one.judged]) if one.judged.any() else float("nan")
        if np.isfinite(volume):
            found.append(volume)
    return float(np.mean(found)) if found else float("nan")


def example(days: int = 16) -> tuple[list[Trace], dict[str, list[tuple[float, float]]]]:
    """Two services' made-up requests with three known incidents each, at five-minute steps; always the same."""
    rng = np.random.default_rng(3)
    first, steps = 5_900_000 - 5_900_000 % 288, days * 288
    t = np.arange(steps) / 288
    traces, labels = [], {}
    for k, name in enumerate(("checkout", "search")):
        values = (300 + 200 * np.sin(2 * np.pi * (t - 0.3))) * rng.lognormal(0, 0.05, steps)
        spans = []
        for day, factor in ((days - 8, 0.3), (days - 5, 2.2), (days - 2, 0.4)):
            at = day * 288 + 100 + 20 * k
            values[at : at + 12] *= factor
            spans.append(((first + at) * 300.0, (first + at + 12) * 300.0))
        traces.append(Trace(name, 300, first, values))
        labels[name] = spans
    return traces, labels


def plain(found: Evaluation) -> list[dict[str, float | str]]:
    """One row for each detector and asked rate, as a table takes them."""
    return [
        {
            "detector": row.detector, "asked a week": row.asked, "false a week": row.found.false_per_week,
            "recall": row.found.recall, "delay, min": row.found.delay_s / 60, "VUS-PR": row.vus_pr,
        }
        for row in found.rows
    ]  # fmt: skip


def pictures(found: Evaluation) -> list[bytes]:
    """A PNG for each series."""
    return [
        draw_scores(one.name, found.values[k], {n: found.scores[n][k] for n in DRAWN}, one.spans, one.step_s)
        for k, one in enumerate(found.series)
    ]
