"""`foresail capacity`: its options. Exit codes: 0 ok, 1 refused, 2 usage or bad input, 3 the source does not answer."""

from __future__ import annotations

from typing import Annotated

import typer


def capacity(
    load: Annotated[str, typer.Option(help="Demand: FILE, FILE#COLUMN, FILE@SERIES; or a query.")],
    resource: Annotated[str, typer.Option(help="What it uses, or its latency: likewise.")],
    limit: Annotated[float, typer.Option(help="The resource at which one replica is full (its request, its SLO).")],
    replicas: Annotated[str | None, typer.Option(help="Ready replicas (default: the load is of one).")] = None,
    summed: Annotated[bool, typer.Option("--summed", help="The resource is a sum over all replicas.")] = False,
    breach: Annotated[str | None, typer.Option(help="Above zero where the SLO was not kept.")] = None,
    new_image: Annotated[str | None, typer.Option(help="Since when another image runs (RFC 3339).")] = None,
    prometheus: Annotated[str | None, typer.Option(help="URL of a source; all series are PromQL then.")] = None,
    since: Annotated[str | None, typer.Option(help="With --prometheus: how far back (default: 14d).")] = None,
    step: Annotated[str | None, typer.Option(help="Step, up to 5m (default: the files', or 60s).")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table, json or yaml.")] = "table",
) -> None:
    """What one replica serves, learned from load and resource; refused with the reason where it does not show."""
    from autoscaler.cli.capacity import CapacityOptions, show_capacity

    show_capacity(
        CapacityOptions(
            load, resource, limit, replicas, summed, breach, new_image, prometheus, since, step, output,
        )
    )  # fmt: skip
