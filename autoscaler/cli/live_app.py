"""Commands that decide, and those that look at what was decided: their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli import alert_options, cluster_choice, options
from autoscaler.cli.cluster_choice import DEFAULT_STORE, OPERATOR_NAMESPACE, OPERATOR_SERVICE, ClusterOptions
from autoscaler.cli.record_app import Store, When
from autoscaler.domain.errors import Refused

FleetPaths = Annotated[list[Path], typer.Argument(help="YAML files or folders with PredictiveAutoscalers.")]
Output = Annotated[str, typer.Option("--output", "-o", help="table or json.")]
Kubeconfig = Annotated[Path | None, typer.Option(help="Act in the cluster of this kubeconfig; without: simulated.")]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig (default: its current one).")]
InCluster = Annotated[bool, typer.Option("--in-cluster", help="Act in the cluster that this process runs in.")]
Installation = Annotated[str, typer.Option(help="Our name on the floors that we hold; one per Foresail of a cluster.")]
Grid = Annotated[str | None, typer.Option(help="Grid of the demand (default: the sources' longest, or 60s).")]


def run(
    fleet: FleetPaths,
    policies: options.Policies = None,
    site: options.Site = None,
    store: Store = DEFAULT_STORE,
    step: Grid = None,
    tick: Annotated[str, typer.Option(help="How often to decide.")] = "15s",
    listen: Annotated[str, typer.Option(help="HOST:PORT of /metrics and /healthz, or 'off'.")] = "127.0.0.1:9464",
    replay_from: Annotated[str | None, typer.Option(help="Run on a past clock from this moment on.")] = None,
    speed: Annotated[float, typer.Option(help="With --replay-from: how much faster than time.")] = 1.0,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    in_cluster: InCluster = False,
    installation: Installation = "foresail",
    alertmanager: alert_options.Alertmanagers = None,
    alert_resend: alert_options.Resend = alert_options.RESEND,
    alertmanager_token_file: alert_options.TokenFile = None,
    alertmanager_user: alert_options.User = None,
    alertmanager_password_file: alert_options.PasswordFile = None,
    alertmanager_ca_file: alert_options.CaFile = None,
    alertmanager_cert_file: alert_options.CertFile = None,
    alertmanager_key_file: alert_options.KeyFile = None,
    notify: alert_options.Notify = None,
    docs_url: alert_options.DocsUrl = None,
    anomalies: options.Anomalies = "on",
    detectors: options.Detectors = None,
) -> None:
    """Decide for a fleet until told to stop (SIGTERM or Ctrl-C)."""
    from autoscaler.cli.run import RunOptions, cluster_of, run_service

    cluster = cluster_of(kubeconfig, context, installation, in_cluster=in_cluster)
    replay = (tick, listen, replay_from, speed)
    alerts = alert_options.AlertOptions(
        tuple(alertmanager or ()), alert_resend, alertmanager_token_file, alertmanager_user,
        alertmanager_password_file, alertmanager_ca_file, alertmanager_cert_file, alertmanager_key_file, notify,
        docs_url,
    )  # fmt: skip
    run_service(
        RunOptions(
            tuple(fleet), store, step, *replay, cluster, tuple(policies or ()), site, alerts, anomalies, detectors
        )
    )  # fmt: skip


def once(
    fleet: FleetPaths,
    policies: options.Policies = None,
    site: options.Site = None,
    store: Store = DEFAULT_STORE,
    step: Grid = None,
    at: Annotated[str | None, typer.Option(help="Decide as of this moment; 'newest' = end of the data.")] = None,
    output: Output = "table",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    in_cluster: InCluster = False,
    installation: Installation = "foresail",
) -> None:
    """Decide once for a fleet, print the decisions and exit."""
    from autoscaler.cli.run import cluster_of, decide_once

    cluster = cluster_of(kubeconfig, context, installation, in_cluster=in_cluster)
    decide_once(tuple(fleet), store, step, at, output, cluster, tuple(policies or ()), site)


def explain(
    workload: Annotated[str, typer.Argument(help="NAMESPACE/NAME, or NAME where it is the only one.")],
    store: cluster_choice.MaybeStore = None,
    at: When = None,
    output: Output = "table",
    kubeconfig: cluster_choice.Kubeconfig = None,
    context: cluster_choice.Context = None,
    in_cluster: cluster_choice.InCluster = False,
    namespace: cluster_choice.Namespace = None,
    operator_namespace: cluster_choice.OperatorNamespace = OPERATOR_NAMESPACE,
    operator_service: cluster_choice.OperatorService = OPERATOR_SERVICE,
) -> None:
    """Why this workload had this number at that time, in plain words; of a record on disk or of a cluster."""
    cluster = ClusterOptions(
        kubeconfig, context, in_cluster, namespace, operator_namespace=operator_namespace,
        operator_service=operator_service,
    )  # fmt: skip
    if cluster.meant(store):
        from autoscaler.cli.record_cluster import explain_from_cluster

        explain_from_cluster(workload, cluster, at, output)
        return
    from autoscaler.cli.record import explain_workload

    explain_workload(workload, store or DEFAULT_STORE, at, output)


def doctor(
    fleet: Annotated[
        list[Path] | None, typer.Argument(help="Fleet files to look at; none = a Foresail in a cluster.")
    ] = None,
    step: Annotated[str, typer.Option(help="Grid of the demand history.")] = "60s",
    output: Output = "table",
    kubeconfig: Annotated[Path | None, typer.Option(help="Look at the cluster of this kubeconfig (too).")] = None,
    context: Context = None,
    in_cluster: Annotated[bool, typer.Option("--in-cluster", help="Look at the cluster we run in (too).")] = False,
    installation: Installation = "foresail",
    namespace: cluster_choice.Namespace = None,
    all_namespaces: cluster_choice.AllNamespaces = False,
    operator_namespace: cluster_choice.OperatorNamespace = OPERATOR_NAMESPACE,
    operator_service: cluster_choice.OperatorService = OPERATOR_SERVICE,
) -> None:
    """Look at sources, demands and Kubernetes of a fleet, or at a Foresail in a cluster; changes nothing."""
    if not fleet:
        from autoscaler.cli.doctor import examine_installation

        cluster = ClusterOptions(
            kubeconfig, context, in_cluster, namespace, all_namespaces, operator_namespace, operator_service
        )  # fmt: skip
        if not cluster.meant():
            raise Refused(
                "name fleet files, or a cluster: --kubeconfig FILE, --context NAME, or kubectl foresail doctor"
            )
        examine_installation(cluster, installation, output)
        return
    from autoscaler.cli.doctor import examine
    from autoscaler.cli.run import cluster_of

    examine(tuple(fleet), step, output, cluster_of(kubeconfig, context, installation, in_cluster=in_cluster))


def release(
    workloads: Annotated[list[str] | None, typer.Argument(help="NAMESPACE/NAME of PredictiveAutoscalers.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every floor that this installation holds.")] = False,
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig (default: as kubectl finds it).")] = None,
    context: Context = None,
    in_cluster: InCluster = False,
    installation: Installation = "foresail",
    namespace: Annotated[
        list[str] | None, typer.Option(help="With --all: look only there, as rights in some namespaces allow (repeat).")
    ] = None,
    take_lease: Annotated[
        str | None, typer.Option(help="NAMESPACE/NAME: take this Lease from a running operator first.")
    ] = None,
    output: Output = "table",
) -> None:
    """Give floors back to their owners, with or without a running service."""
    from autoscaler.cli.release import release_floors

    release_floors(
        workloads or [], kubeconfig, context, installation, output, everything=everything, in_cluster=in_cluster,
        namespaces=namespace or (), take_lease=take_lease,
    )  # fmt: skip


def get(
    workloads: Annotated[list[str] | None, typer.Argument(help="NAMESPACE/NAME or NAME; default: all.")] = None,
    store: cluster_choice.MaybeStore = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh in a terminal until Ctrl-C.")] = False,
    output: Output = "table",
    kubeconfig: cluster_choice.Kubeconfig = None,
    context: cluster_choice.Context = None,
    in_cluster: cluster_choice.InCluster = False,
    namespace: cluster_choice.Namespace = None,
    all_namespaces: cluster_choice.AllNamespaces = False,
    operator_namespace: cluster_choice.OperatorNamespace = OPERATOR_NAMESPACE,
    operator_service: cluster_choice.OperatorService = OPERATOR_SERVICE,
) -> None:
    """Workloads at a glance, of a record on disk or of a cluster: state, replicas, forecast, recent demand."""
    cluster = ClusterOptions(
        kubeconfig, context, in_cluster, namespace, all_namespaces, operator_namespace, operator_service
    )  # fmt: skip
    if cluster.meant(store):
        from autoscaler.cli.get_cluster import get_from_cluster

        get_from_cluster(workloads or [], cluster, watch=watch, output=output)
        return
    from autoscaler.cli.get import get_workloads

    get_workloads(workloads or [], store or DEFAULT_STORE, watch=watch, output=output)
