"""`foresail history` and `foresail export`: their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli import cluster_choice
from autoscaler.cli.cluster_choice import DEFAULT_STORE, OPERATOR_NAMESPACE, OPERATOR_SERVICE, ClusterOptions

Store = Annotated[Path, typer.Option(help="File of the decision record (SQLite).")]
When = Annotated[str | None, typer.Option(help="A moment, RFC 3339 with a zone, e.g. 2026-06-10T09:00:00Z.")]


def history(
    workload: Annotated[str, typer.Argument(help="NAMESPACE/NAME, or NAME where it is the only one.")],
    store: cluster_choice.MaybeStore = None,
    since: When = None,
    until: When = None,
    limit: Annotated[int, typer.Option(help="At most this many of the newest runs.", min=1)] = 50,
    rules: Annotated[bool, typer.Option("--rules", help="Say below each run which rules changed its number.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
    kubeconfig: cluster_choice.Kubeconfig = None,
    context: cluster_choice.Context = None,
    in_cluster: cluster_choice.InCluster = False,
    namespace: cluster_choice.Namespace = None,
    operator_namespace: cluster_choice.OperatorNamespace = OPERATOR_NAMESPACE,
    operator_service: cluster_choice.OperatorService = OPERATOR_SERVICE,
) -> None:
    """Recorded decisions, one line per run of unchanged ones; of a record on disk or of a cluster."""
    cluster = ClusterOptions(
        kubeconfig, context, in_cluster, namespace, operator_namespace=operator_namespace,
        operator_service=operator_service,
    )  # fmt: skip
    if cluster.meant(store):
        from autoscaler.cli.record_cluster import history_from_cluster

        history_from_cluster(workload, cluster, (since, until), limit, output, rules=rules)
        return
    from autoscaler.cli.record import show_history

    show_history(workload, store or DEFAULT_STORE, since, until, limit, output, rules=rules)


def export(
    workloads: Annotated[list[str] | None, typer.Argument(help="NAMESPACE/NAME or NAME; none = all.")] = None,
    store: Store = DEFAULT_STORE,
    since: When = None,
    until: When = None,
) -> None:
    """Recorded decisions as JSON Lines for a log store: a line per run of unchanged ones, whole, with its rules."""
    from autoscaler.cli.record import export_lines

    export_lines(tuple(workloads or ()), store, since, until)
