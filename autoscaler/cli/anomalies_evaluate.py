"""`foresail anomalies evaluate`: what is printed of it."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from autoscaler.adapters.traces import Trace, read_series
from autoscaler.bootstrap.anomaly_evaluation import Evaluation, evaluated, read_labels, uncounted
from autoscaler.bootstrap.recorded import prometheus_trace
from autoscaler.cli.inputs import output_kind, seconds, whole_seconds
from autoscaler.cli.screen import screen
from autoscaler.detection.contract import Detector
from autoscaler.domain.errors import Refused
from autoscaler.learning.detection_figures import Labelled


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """As typed; None = not given."""

    trace: tuple[Path, ...]
    labels: Path
    prometheus: str | None
    query: tuple[str, ...]
    since: str
    step: str | None
    pages: tuple[float, ...]
    learn: str
    detectors: Path | None
    output: str


def evaluate_files(options: EvaluateOptions) -> None:
    """Read everything, live through each series, and tell."""
    output_kind(options.output)
    learn_s = seconds("--learn", options.learn, least=0.0, most=math.inf)
    if not all(0 < budget <= 100 for budget in options.pages):
        raise Refused("--pages: false pages a week are above 0 and at most 100")
    step_s = None if options.step is None else whole_seconds("--step", options.step)
    _one_place(options)
    labels = read_labels(options.labels)
    recipe = _recipe(options.detectors)
    traces = _traces(options, step_s)
    found = evaluated(traces, labels, options.pages, learn_s, recipe)
    left_out = list(uncounted(labels, traces, found.series))
    if options.output == "json":
        print(json.dumps(plain(found) | {"notCounted": left_out}, indent=2, ensure_ascii=False))  # noqa: T201
    else:
        _table(found)
        for words in left_out:
            screen().print(words, style="yellow", markup=False, highlight=False)


def _recipe(path: Path | None) -> tuple[Detector, ...]:
    if path is None:
        return ()
    try:
        from autoscaler.adapters.pyod_recipe import read_recipe

        return read_recipe(path)
    except ImportError as why:
        raise Refused(f"--detectors {path}: {why}; install pyod, or leave --detectors out") from why


def _one_place(options: EvaluateOptions) -> None:
    if options.trace and options.prometheus is not None:
        raise Refused("--trace and --prometheus are two places of metrics; name one of them")
    if not options.trace and options.prometheus is None:
        raise Refused("name the metrics: --trace FILE (repeat), or --prometheus URL with --query (repeat)")


def _traces(options: EvaluateOptions, step_s: int | None) -> list[Trace]:
    if options.prometheus is None:
        return [trace for path in options.trace for trace in read_series(path, step_s).values()]
    if not options.query:
        raise Refused("--prometheus needs --query: PromQL that answers one number (repeat)")
    since_s = seconds("--since", options.since, least=86_400.0, most=math.inf)
    return [prometheus_trace(options.prometheus, q, since_s, step_s or 60, time.time()) for q in options.query]


def plain(found: Evaluation) -> dict[str, object]:
    """All figures as plain values; None = there is none."""
    return {
        "series": [{"name": s.name, "labels": len(s.spans), "weeks": _known(_weeks(s))} for s in found.series],
        "detectors": [
            {
                "detector": row.detector, "askedFalsePagesPerWeek": _known(row.asked),
                "falsePagesPerWeek": _known(row.found.false_per_week), "incidents": row.found.incidents,
                "found": row.found.found, "recall": _known(row.found.recall),
                "medianDelaySeconds": _known(row.found.delay_s), "vusPr": _known(row.vus_pr),
            }
            for row in found.rows
        ],
    }  # fmt: skip


def _weeks(one: Labelled) -> float:
    return float(one.judged.sum()) * one.step_s / (7 * 86_400)


def _table(found: Evaluation) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("DETECTOR", "ASKED", "FALSE A WEEK", "FOUND", "RECALL", "MEDIAN DELAY", "VUS-PR"):
        table.add_column(name, justify="left" if name == "DETECTOR" else "right", no_wrap=True)
    for row in found.rows:
        it = row.found
        table.add_row(
            row.detector, _cell(row.asked), _cell(it.false_per_week),
            f"{it.found} of {it.incidents}" if it.incidents else "-", _cell(it.recall),
            "-" if math.isnan(it.delay_s) else f"{it.delay_s / 60:.0f} min", _cell(row.vus_pr),
        )  # fmt: skip
    console = screen()
    labels = sum(len(s.spans) for s in found.series)
    weeks = sum(map(_weeks, found.series))
    console.print(
        f"{len(found.series)} series, {labels} labels, {weeks:.1f} weeks judged", markup=False, highlight=False
    )
    console.print(table)
    console.print(
        "thresholds of all but foresail are chosen on these very labels, at its false pages or those asked for: "
        "in their favour",
        style="dim", markup=False, highlight=False,
    )  # fmt: skip


def _cell(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.6g}")
