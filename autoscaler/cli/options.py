"""Options that several commands take in one way: the recorded demand, the workload and its cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Trace = Annotated[Path | None, typer.Option(help="Recorded demand (CSV or Parquet): ts, value[, series].")]
Column = Annotated[str | None, typer.Option(help="Value column of the trace (default: value).")]
Series = Annotated[str | None, typer.Option(help="Which series of a trace in long format.")]
CensoredColumn = Annotated[str | None, typer.Option(help="Marks (0 or 1) of lower bounds (default: censored).")]
Prometheus = Annotated[str | None, typer.Option(help="URL of a Prometheus-compatible source instead.")]
Query = Annotated[str | None, typer.Option(help="With --prometheus: PromQL that answers one number.")]
CensoredQuery = Annotated[str | None, typer.Option(help="PromQL above zero where demand is a lower bound.")]
Since = Annotated[str | None, typer.Option(help="With --prometheus: how far back (default: 30d).")]
Config = Annotated[Path | None, typer.Option(help="A PredictiveAutoscaler whose settings are simulated.")]
Policies = Annotated[list[Path] | None, typer.Option(help="Files or folders with GuardPolicies (repeat).")]
Site = Annotated[str | None, typer.Option(help="Site that we run in, for the selectors of policies.")]
Lead = Annotated[str | None, typer.Option(help='Until a replica is Ready: 180s (default), or "p50=90s,p95=240s".')]
DataDelay = Annotated[str, typer.Option(help="The newest samples of this long are not in yet.")]
ActuationDelay = Annotated[str, typer.Option(help="From a decision until its request takes effect.")]
Capacity = Annotated[float | None, typer.Option(help="Demand per replica (default: from the warm-up).")]
Risk = Annotated[str | None, typer.Option(help="Accepted share of time short of capacity (0.5%).")]
Actuation = Annotated[str | None, typer.Option(help="Scale (default), or HpaFloor: a floor under an HPA.")]
HpaTarget = Annotated[int | None, typer.Option(help="Target of that HPA, percent (default: 70).")]
Least = Annotated[int | None, typer.Option("--min", help="Fewest replicas (default: 1).")]
Most = Annotated[int | None, typer.Option("--max", help="Most replicas (default: one million).")]
StartFailure = Annotated[str, typer.Option(help="Share of replicas that fail once while starting.")]
Seed = Annotated[int, typer.Option(help="Seed of failures and of times to Ready.", min=0)]
NodeReplicas = Annotated[int | None, typer.Option(help="Replicas that one node holds (default: always room).")]
SpareNodes = Annotated[int | None, typer.Option(help="Empty nodes kept ready (default: none).")]
NodeReady = Annotated[str | None, typer.Option(help="Until a new node is there (default: 120s).")]
Warmup = Annotated[str | None, typer.Option(help="Decided but not scored (default: 7d).")]
Step = Annotated[str | None, typer.Option(help="Average the demand into steps of this length.")]
Anomalies = Annotated[
    str, typer.Option(help="on: anomalies are looked for, and bind; off: scaling works on as if nothing were abnormal.")
]
Detectors = Annotated[
    Path | None, typer.Option(help="Recipe of further detectors for anomalies, such as models/detectors.yaml.")
]
