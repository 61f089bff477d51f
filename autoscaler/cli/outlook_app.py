"""`foresail outlook`: its options. Exit codes: 0 ok, 2 usage or bad input, 3 a source is down."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli import options


def outlook(
    trace: options.Trace = None,
    column: options.Column = None,
    series: Annotated[str | None, typer.Option(help="Which series of a file, or of what a service keeps.")] = None,
    censored_column: options.CensoredColumn = None,
    prometheus: options.Prometheus = None,
    query: options.Query = None,
    censored_query: options.CensoredQuery = None,
    since: options.Since = None,
    demand: Annotated[Path | None, typer.Option(help="Demand that a service keeps: foresail-demand.db.")] = None,
    step: options.Step = None,
    at: Annotated[str | None, typer.Option(help="Look ahead from this past moment, RFC 3339 with a zone.")] = None,
    hours: Annotated[float, typer.Option(help="How far ahead, at most 24.")] = 24.0,
    decompose: Annotated[bool, typer.Option("--decompose", help="Trend, seasons and remainder (STL) as well.")] = False,
    model: Annotated[str | None, typer.Option(help="A library's path beside ours: ets, theta, ucm.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="IANA zone whose clock days follow (default: UTC).")] = None,
    out: Annotated[Path | None, typer.Option(help="Place of a picture (PNG).")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table, json or yaml.")] = "table",
) -> None:
    """The demand of the next day, as quantiles of each step, from a record, a source or a running service's store."""
    from autoscaler.cli.outlook import OutlookOptions, run_outlook

    asked = OutlookOptions(
        trace=trace, column=column, series=series, censored_column=censored_column, prometheus=prometheus, query=query,
        censored_query=censored_query, since=since, demand=demand, step=step, at=at, hours=hours, decompose=decompose,
        model=model, out=out, output=output, time_zone=time_zone,
    )  # fmt: skip
    run_outlook(asked)
