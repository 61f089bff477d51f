"""`foresail train`: its options. Exit codes: 0 a model was published, 1 none was made, 2 usage, 3 a source is down."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.models_app import DEFAULT_FOLDER


def train(
    trace: Annotated[
        list[str] | None,
        typer.Option(help="[SOURCE=]FILE of recorded demand, CSV or Parquet, all its series (repeat)."),
    ] = None,
    column: Annotated[str | None, typer.Option(help="Value column of the traces (default: value).")] = None,
    step: Annotated[str | None, typer.Option(help="Grid (default: a trace's own; 60s of a source).")] = None,
    prometheus: Annotated[str | None, typer.Option(help="URL of a Prometheus-compatible source instead.")] = None,
    queries: Annotated[
        Path | None, typer.Option(help="With --prometheus: YAML list of workloads, as advise's.")
    ] = None,
    since: Annotated[str, typer.Option(help="With --prometheus: how far back.")] = "14d",
    demand: Annotated[Path | None, typer.Option(help="Demand that a service keeps: foresail-demand.db.")] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="SOURCE that is not learned from, only measured on (repeat).")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Folder of this installation's own models.")] = DEFAULT_FOLDER,
    time_limit: Annotated[str, typer.Option(help="The training is ended after this long.")] = "1h",
    memory: Annotated[int, typer.Option(help="MiB that the training may hold.", min=256)] = 2048,
    rounds: Annotated[int, typer.Option(help="Trees of each quantile.", min=1, max=1000)] = 80,
    pairs: Annotated[int, typer.Option(help="Pairs of history and peak to learn from, at most.", min=1000)] = 240_000,
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.", min=0)] = 0,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> None:
    """Train the global model of the peak over your own workloads; `models promote` is what puts it into force."""
    from autoscaler.cli.train import TrainOptions, run_train

    options = TrainOptions(
        trace=tuple(trace or ()), column=column, step=step, prometheus=prometheus, queries=queries, since=since,
        demand=demand, leave_out=tuple(leave_out or ()), folder=folder, time_limit=time_limit, memory=memory,
        rounds=rounds, pairs=pairs, seed=seed, output=output,
    )  # fmt: skip
    run_train(options)
