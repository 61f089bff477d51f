"""Commands over recorded demand, which need no cluster and write nothing outside: their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli import options
from autoscaler.cli.cluster_choice import DEFAULT_STORE
from autoscaler.cli.record_app import Store, When

Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig (default: its current one).")]


def advise(
    prometheus: Annotated[str, typer.Option(help="URL of a Prometheus-compatible source.")],
    namespace: Annotated[list[str] | None, typer.Option(help="Only these namespaces (repeat).")] = None,
    days: Annotated[float, typer.Option(help="Days of history, 4 to 28.")] = 14.0,
    lead: Annotated[str, typer.Option(help='Until a replica is Ready: 180s, or "p50=90s,p95=240s".')] = "180s",
    risk: Annotated[str, typer.Option(help="Accepted share of time short of capacity.")] = "0.5%",
    step: Annotated[str, typer.Option(help="Step of the simulation: 15s, 30s, 60s or 300s.")] = "60s",
    at: When = None,
    queries: Annotated[Path | None, typer.Option(help="YAML list of demands to judge instead of all.")] = None,
    kubeconfig: Annotated[Path | None, typer.Option(help="Read HPAs from this cluster; nothing is written.")] = None,
    context: Context = None,
    match: Annotated[list[str] | None, typer.Option(help="LABEL=VALUE on every series, as cluster=prod.")] = None,
    header: Annotated[list[str] | None, typer.Option(help="'Name: value', such as a tenant's (repeat).")] = None,
    token_file: Annotated[Path | None, typer.Option(help="File with a bearer token for the source.")] = None,
    user: Annotated[str | None, typer.Option(help="User of the source, with --password-file.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the password of --user.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="CA of the source's certificate (PEM).")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes (default: one for each core).")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for YAML to apply.")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table, json or yaml.")] = "table",
) -> None:
    """What Foresail would have done for your workloads, from an existing Prometheus; installs and writes nothing."""
    from autoscaler.cli.advise import AdviseOptions, run_advise

    options = AdviseOptions(
        prometheus=prometheus, namespaces=tuple(namespace or ()), days=days, lead=lead, risk=risk, step=step,
        at=at, queries=queries, kubeconfig=kubeconfig, context=context, match=tuple(match or ()),
        headers=tuple(header or ()), token_file=token_file, user=user, password_file=password_file, ca_file=ca_file,
        workers=workers, out=out, output=output,
    )  # fmt: skip
    run_advise(options)


def demo(
    trace: Annotated[Path | None, typer.Option(help="Recorded demand (CSV or Parquet) instead of the shop.")] = None,
    column: Annotated[str | None, typer.Option(help="Value column of the trace (default: value).")] = None,
    series: Annotated[str | None, typer.Option(help="Which series of a trace in long format.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Show from this moment of the trace on.")] = None,
    days: Annotated[int | None, typer.Option(help="Show this many days (default: 7).")] = None,
    capacity: Annotated[float | None, typer.Option(help="Demand that one replica serves.")] = None,
    lead: Annotated[str, typer.Option(help="Time until a new replica is Ready.")] = "3m",
    risk: Annotated[str, typer.Option(help="Accepted share of time short of capacity.")] = "0.5%",
    hpa_target: Annotated[int, typer.Option(help="Target of the HPA under our floor, percent.")] = 85,
    out: Annotated[Path, typer.Option(help="Folder for the picture and the decision record.")] = Path("out/demo"),
    seconds: Annotated[float, typer.Option(help="How long the shown week takes in a terminal.")] = 40.0,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic load and of start-up failures.")] = 7,
) -> None:
    """An accelerated week of the real pipeline, without any cluster: watch it decide, then compare."""
    from autoscaler.cli.demo import DemoOptions, run_demo

    options = DemoOptions(
        trace=trace, column=column, series=series, start=start, days=days, capacity=capacity, lead=lead, risk=risk,
        hpa_target=hpa_target, out=out, seconds=seconds, seed=seed,
    )  # fmt: skip
    run_demo(options)


def simulate(
    trace: options.Trace = None,
    column: options.Column = None,
    series: options.Series = None,
    censored_column: options.CensoredColumn = None,
    prometheus: options.Prometheus = None,
    query: options.Query = None,
    censored_query: options.CensoredQuery = None,
    since: options.Since = None,
    config: options.Config = None,
    policies: options.Policies = None,
    site: options.Site = None,
    lead: options.Lead = None,
    data_delay: options.DataDelay = "0s",
    actuation_delay: options.ActuationDelay = "0s",
    capacity: options.Capacity = None,
    risk: options.Risk = None,
    actuation: options.Actuation = None,
    hpa_target: options.HpaTarget = None,
    least: options.Least = None,
    most: options.Most = None,
    start_failure: options.StartFailure = "0%",
    seed: options.Seed = 0,
    node_replicas: options.NodeReplicas = None,
    spare_nodes: options.SpareNodes = None,
    node_ready: options.NodeReady = None,
    warmup: options.Warmup = None,
    step: options.Step = None,
    anomalies: Annotated[bool, typer.Option("--anomalies", help="Look for anomalies, and let them bind.")] = False,
    detectors: options.Detectors = None,
    out: Annotated[Path | None, typer.Option(help="One row per step: .parquet or .csv.")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table, json or yaml.")] = "table",
) -> None:
    """What the live pipeline would have decided over recorded demand, what it costs and what it leaves short."""
    from autoscaler.cli.simulate import SimulateOptions, run_simulate
    from autoscaler.cli.simulate_world import WorldOptions

    world = WorldOptions(
        lead=lead, data_delay=data_delay, actuation_delay=actuation_delay, hpa_target=hpa_target,
        start_failure=start_failure, seed=seed, node_replicas=node_replicas, spare_nodes=spare_nodes,
        node_ready=node_ready,
    )  # fmt: skip
    options = SimulateOptions(
        trace=trace, column=column, series=series, censored_column=censored_column, prometheus=prometheus, query=query,
        censored_query=censored_query, since=since, config=config,
        capacity=capacity, risk=risk, actuation=actuation, least=least, most=most, warmup=warmup, step=step, out=out,
        output=output, world=world, policies=tuple(policies or ()), site=site, anomalies=anomalies,
        detectors=detectors,
    )  # fmt: skip
    run_simulate(options)


def report(
    workload: Annotated[
        str | None, typer.Argument(help="With --live: NAMESPACE/NAME, or NAME where it is the only one.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="What a service decided, by its record, instead.")] = False,
    store: Store = DEFAULT_STORE,
    trace: options.Trace = None,
    column: options.Column = None,
    series: options.Series = None,
    censored_column: options.CensoredColumn = None,
    prometheus: options.Prometheus = None,
    query: options.Query = None,
    censored_query: options.CensoredQuery = None,
    since: options.Since = None,
    config: options.Config = None,
    policies: options.Policies = None,
    site: options.Site = None,
    lead: options.Lead = None,
    data_delay: options.DataDelay = "0s",
    actuation_delay: options.ActuationDelay = "0s",
    capacity: options.Capacity = None,
    risk: options.Risk = None,
    actuation: options.Actuation = None,
    hpa_target: Annotated[int | None, typer.Option(help="Target of your HPA as set, percent (default: 70).")] = None,
    least: options.Least = None,
    most: options.Most = None,
    start_failure: options.StartFailure = "0%",
    seed: options.Seed = 0,
    node_replicas: options.NodeReplicas = None,
    spare_nodes: options.SpareNodes = None,
    node_ready: options.NodeReady = None,
    warmup: options.Warmup = None,
    step: options.Step = None,
    rival: Annotated[str, typer.Option(help="Drawn beside us: as-set, retuned or a method[:default|:causal].")] = (
        "as-set"
    ),
    out: Annotated[Path | None, typer.Option(help="Place of the HTML file (default: report.html).")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="html, table, json or yaml.")] = "html",
) -> None:
    """What Foresail would cost and leave short on recorded demand, against your HPA and others: one HTML file."""
    from autoscaler.cli.report import ReportOptions, run_report
    from autoscaler.cli.simulate import SimulateOptions
    from autoscaler.cli.simulate_world import WorldOptions

    world = WorldOptions(
        lead=lead, data_delay=data_delay, actuation_delay=actuation_delay, hpa_target=hpa_target,
        start_failure=start_failure, seed=seed, node_replicas=node_replicas, spare_nodes=spare_nodes,
        node_ready=node_ready,
    )  # fmt: skip
    simulated = SimulateOptions(
        trace=trace, column=column, series=series, censored_column=censored_column, prometheus=prometheus, query=query,
        censored_query=censored_query, since=since, config=config, capacity=capacity, risk=risk, actuation=actuation,
        least=least, most=most, warmup=warmup, step=step, out=None, output="table", world=world,
        policies=tuple(policies or ()), site=site,
    )  # fmt: skip
    run_report(ReportOptions(simulated, rival, out, output, live=live, store=store, workload=workload))


def backtest(
    trace: options.Trace = None,
    column: options.Column = None,
    series: Annotated[str | None, typer.Option(help="Which series of a file, or 'all'.")] = None,
    censored_column: options.CensoredColumn = None,
    prometheus: options.Prometheus = None,
    query: options.Query = None,
    censored_query: options.CensoredQuery = None,
    since: options.Since = None,
    step: options.Step = None,
    models: Annotated[
        str | None, typer.Option(help="house, all, or names with commas between (default: house,ets,theta).")
    ] = None,
    lead: Annotated[str | None, typer.Option(help="Window to size for: until a replica is Ready (180s).")] = None,
    horizon: Annotated[list[str] | None, typer.Option(help="One more window, such as 60m (repeat).")] = None,
    capacity: options.Capacity = None,
    risk: options.Risk = None,
    warmup: Annotated[str | None, typer.Option(help="Learned from, not scored (default: 14d or a third).")] = None,
    days: Annotated[float | None, typer.Option(help="Score the newest days (default: 14).")] = None,
    decisions: Annotated[bool, typer.Option(help="Simulate what sizing costs, for us and the baseline.")] = True,
    workers: Annotated[int, typer.Option(help="Processes for library models.")] = 1,
    time_zone: Annotated[str | None, typer.Option(help="IANA zone whose clock days follow (default: UTC).")] = None,
    out: Annotated[Path | None, typer.Option(help="Place of the HTML file (default: backtest.html).")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table, json, yaml or html.")] = "table",
) -> None:
    """How well each model would have forecast the coming peak of a recorded demand, without looking ahead."""
    from autoscaler.cli.backtest import BacktestOptions, run_backtest

    asked = BacktestOptions(
        trace=trace, column=column, series=series, censored_column=censored_column, prometheus=prometheus, query=query,
        censored_query=censored_query, since=since, step=step, models=models, lead=lead, horizons=tuple(horizon or ()),
        capacity=capacity, risk=risk, warmup=warmup, days=days, decisions=decisions, workers=workers, out=out,
        output=output, time_zone=time_zone,
    )  # fmt: skip
    run_backtest(asked)
