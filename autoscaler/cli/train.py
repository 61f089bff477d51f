"""`foresail train`: its options, and what it says."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from autoscaler.cli.inputs import output_kind, seconds, whole_seconds
from autoscaler.domain.errors import Refused

if TYPE_CHECKING:
    from autoscaler.bootstrap.models_training import Trained
    from autoscaler.bootstrap.training import Gathered

MIB = 1024**2
SHOWN = 5
MOST_SINCE_S = 90 * 86400.0


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """As typed; None = not given."""

    trace: tuple[str, ...]
    column: str | None
    step: str | None
    prometheus: str | None
    queries: Path | None
    since: str
    demand: Path | None
    leave_out: tuple[str, ...]
    folder: Path
    time_limit: str
    memory: int
    rounds: int
    pairs: int
    seed: int
    output: str


def run_train(options: TrainOptions) -> None:
    """Check every option, gather, train in a process of its own, say what came of it. Exit code 1 without a model."""
    output_kind(options.output)
    limit_s = seconds("--time-limit", options.time_limit, least=1.0)
    files = [_source_of(text) for text in options.trace]
    from autoscaler.bootstrap.models import own_signer
    from autoscaler.bootstrap.models_training import TrainingLimits
    from autoscaler.bootstrap.training import Order, train
    from autoscaler.learning.global_model import GlobalPlan
    from autoscaler.learning.trees import TreePlan

    gathered = _gathered(options, files)
    for words in gathered.passed_over[:SHOWN]:
        typer.echo(f"train: passed over {words}", err=True)
    if len(gathered.passed_over) > SHOWN:
        typer.echo(f"train: passed over {len(gathered.passed_over) - SHOWN} more", err=True)
    plan = GlobalPlan(
        pairs=options.pairs, leave_out=options.leave_out, seed=options.seed,
        trees=TreePlan(rounds=options.rounds, seed=options.seed),
    )  # fmt: skip
    now = datetime.now(UTC).replace(microsecond=0)
    order = Order(plan, now, TrainingLimits(limit_s, options.memory * MIB))
    from autoscaler.adapters.artefacts import ModelFolder

    made = train(ModelFolder(options.folder), gathered, order, signer=own_signer(options.folder))
    _tell(made, gathered, options.output)


def _gathered(options: TrainOptions, files: list[tuple[str, Path]]) -> Gathered:
    from autoscaler.bootstrap.training import of_files, of_kept_demand, of_queries

    given = [bool(files), options.prometheus is not None, options.demand is not None]
    if sum(given) != 1:
        raise Refused(
            "name what to learn from: --trace FILE (repeat), or --prometheus URL --queries FILE, or --demand FILE of a "
            "service (foresail-demand.db)"
        )
    if options.prometheus is None and options.queries is not None:
        raise Refused("--queries needs --prometheus URL")
    step = None if options.step is None else whole_seconds("--step", options.step)
    if files:
        return of_files(files, step, options.column)
    if options.demand is not None:
        return of_kept_demand(options.demand)
    if options.queries is None:
        raise Refused("--prometheus needs --queries FILE: a YAML list of workloads with their PromQL")
    from autoscaler.bootstrap.advise.queries_file import read_queries

    since_s = seconds("--since", options.since, least=3600.0, most=MOST_SINCE_S)
    queries = [(f"{each.namespace}/{each.name}", each.query) for each in read_queries(options.queries)]
    return of_queries(options.prometheus or "", queries, since_s, step or 60, time.time())


def _source_of(text: str) -> tuple[str, Path]:
    """SOURCE=FILE, or FILE, whose name then is the source."""
    source, sign, rest = text.partition("=")
    if sign and source and not Path(text).exists():
        return source, Path(rest)
    return Path(text).name.split(".", 1)[0], Path(text)


def _tell(made: Trained, gathered: Gathered, output: str) -> None:
    if output == "json":
        told: dict[str, Any] = {
            "model": None if made.manifest is None else made.manifest.label,
            "metrics": {} if made.manifest is None else dict(made.manifest.metrics),
            "series": len(gathered.series),
            "passedOver": list(gathered.passed_over),
            "seconds": round(made.ended.taken_s, 1),
            "words": made.words,
        }
        typer.echo(json.dumps(told, indent=2))
    else:
        typer.echo(made.words)
        if made.manifest is not None:
            for line in _measured(dict(made.manifest.metrics)):
                typer.echo(line)
    if made.manifest is None:
        raise SystemExit(1)


def _measured(metrics: dict[str, float]) -> list[str]:
    """The p95 of the peak, where it was measured."""
    lines = []
    for group in ("held-out", "left-out"):
        for part, words in (("", ""), ("young.", ", with a history of a day or less")):
            coverage = metrics.get(f"{group}.{part}q950.coverage")
            loss = metrics.get(f"{group}.{part}q950.loss-ratio")
            if coverage is not None and loss is not None:
                better = f"loss {loss:.2f} of the highest of the last hour's"
                lines.append(f"  {group}{words}: p95 covers {coverage:.1%} of the peaks, {better}")
    return lines or ["  too little data to be measured"]
