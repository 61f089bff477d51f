"""`foresail anomalies`: its commands and options. Exit codes: 0 ok, 1 open incidents, 2 usage or refused, 3 a source
is down.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.cluster_choice import DEFAULT_STORE
from autoscaler.cli.options import Detectors

anomalies_app = typer.Typer(
    name="anomalies",
    help="Incidents: what was abnormal, why we think so, what may be done; and watching any queries for them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Store = Annotated[Path, typer.Option(help="File of the decision record.")]
Output = Annotated[str, typer.Option("--output", "-o", help="table or json.")]
Incident = Annotated[str, typer.Argument(help="The incident's id, or a beginning of it that fits no other.")]
Pages = Annotated[float, typer.Option(help="False pages a week that are accepted, for each group.")]


@anomalies_app.command("list")
def list_(
    store: Store = DEFAULT_STORE,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are open.")] = False,
    since: Annotated[str, typer.Option(help="How far back.")] = "7d",
    output: Output = "table",
) -> None:
    """Incidents, the newest first; exit code 1 while one is open."""
    from autoscaler.cli.anomalies import list_incidents

    list_incidents(store, since, output, only_open=only_open)


@anomalies_app.command()
def show(
    incident: Incident,
    store: Store = DEFAULT_STORE,
    out: Annotated[Path | None, typer.Option(help="Place of a picture (PNG).")] = None,
    output: Output = "table",
) -> None:
    """One incident: its evidence, the course of its metrics, what may be done and the command for it."""
    from autoscaler.cli.anomalies import show_incident

    show_incident(incident, store, out, output)


@anomalies_app.command()
def label(
    incident: Incident,
    said: Annotated[str, typer.Argument(metavar="real|false", help="Whether it was one.")],
    store: Store = DEFAULT_STORE,
    note: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Say whether an incident was real; the calibration of its workload follows, within bounds that are shown."""
    from autoscaler.cli.anomalies import label_incident

    label_incident(incident, said, store, note)


@anomalies_app.command()
def watch(
    prometheus: Annotated[str, typer.Option(help="URL of a Prometheus-compatible source.")],
    query: Annotated[
        list[str] | None, typer.Option(help="NAME=PROMQL or NAME:KIND=PROMQL; all of them are one group (repeat).")
    ] = None,
    queries: Annotated[Path | None, typer.Option(help="YAML with groups of queries instead.")] = None,
    since: Annotated[str, typer.Option(help="History to learn from.")] = "14d",
    step: Annotated[str, typer.Option(help="Grid of the metrics.")] = "60s",
    false_pages_per_week: Pages = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Tell what the history holds, and end.")] = False,
    at: Annotated[str | None, typer.Option(help="With --once: as of this past moment, RFC 3339 with a zone.")] = None,
    store: Annotated[Path | None, typer.Option(help="Keep incidents in this record, for list, show and label.")] = None,
    listen: Annotated[str, typer.Option(help="HOST:PORT of /metrics and /healthz, or off.")] = "off",
    detectors: Detectors = None,
    output: Output = "table",
) -> None:
    """Watch any queries for anomalies, with no autoscaling at all."""
    from autoscaler.cli.anomalies_watch import WatchOptions, watch_queries

    options = WatchOptions(
        prometheus=prometheus, query=tuple(query or ()), queries=queries, since=since, step=step,
        pages=false_pages_per_week, once=once, at=at, store=store, listen=listen, output=output,
        detectors=detectors,
    )  # fmt: skip
    watch_queries(options)


@anomalies_app.command()
def evaluate(
    labels: Annotated[Path, typer.Option(help="Known incidents (CSV): start, end[, series].")],
    trace: Annotated[
        list[Path] | None, typer.Option(help="Recorded metrics (CSV or Parquet): ts, series, value (repeat).")
    ] = None,
    prometheus: Annotated[str | None, typer.Option(help="URL of a Prometheus-compatible source instead.")] = None,
    query: Annotated[list[str] | None, typer.Option(help="With --prometheus: PromQL of one number (repeat).")] = None,
    since: Annotated[str, typer.Option(help="With --prometheus: how far back.")] = "30d",
    step: Annotated[str | None, typer.Option(help="Average to this grid.")] = None,
    pages: Annotated[list[float] | None, typer.Option(help="False pages a week to ask for (repeat).")] = None,
    learn: Annotated[str, typer.Option(help="The first days, of which nothing is judged.")] = "3d",
    detectors: Annotated[
        Path | None, typer.Option(help="Recipe of pyod detectors to compare with, such as models/detectors.yaml.")
    ] = None,
    output: Output = "table",
) -> None:
    """How well your own labelled incidents are found, by detector: recall and real false pages at a budget, VUS-PR,
    delay.
    """
    from autoscaler.cli.anomalies_evaluate import EvaluateOptions, evaluate_files

    options = EvaluateOptions(
        trace=tuple(trace or ()), labels=labels, prometheus=prometheus, query=tuple(query or ()), since=since,
        step=step, pages=tuple(pages or (0.25, 1.0)), learn=learn, detectors=detectors, output=output,
    )  # fmt: skip
    evaluate_files(options)
