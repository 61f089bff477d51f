"""`foresail pause` and `resume`: their options. Exit codes: 0 done, 1 nothing to resume, 2 refused, 3 no API server."""

from __future__ import annotations

from typing import Annotated

import typer

from autoscaler.cli import cluster_choice
from autoscaler.cli.cluster_choice import ClusterOptions

Names = Annotated[list[str] | None, typer.Argument(help="NAMESPACE/NAME or NAME of PredictiveAutoscalers.")]
By = Annotated[str | None, typer.Option(help="Who you are (default: as the API server knows you).")]
Output = Annotated[str, typer.Option("--output", "-o", help="table or json.")]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Of the names; without names: all of this namespace.")
]


def pause(
    reason: Annotated[str, typer.Option(help="Why; stands in the object, in every decision and in explain.")],
    workloads: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="The kill switch: everything in the cluster.")] = False,
    namespace: Namespace = None,
    until: Annotated[str | None, typer.Option(help="When it ends: RFC 3339 with a zone.")] = None,
    span: Annotated[str | None, typer.Option("--for", help="How long from now, as 2h or 30m.")] = None,
    open_ended: Annotated[
        bool, typer.Option("--open-ended", help="Without an end; reminds daily (a namespace or --all alone).")
    ] = False,
    direction: Annotated[str, typer.Option(help="Which moves stop: Both, Down or Up.")] = "Both",
    by: By = None,
    force: Annotated[bool, typer.Option("--force", help="Replace somebody else's pause.")] = False,
    kubeconfig: cluster_choice.Kubeconfig = None,
    context: cluster_choice.Context = None,
    in_cluster: cluster_choice.InCluster = False,
    output: Output = "table",
) -> None:
    """Stop moves until a given time: of workloads, a namespace or everything. Floors and replicas stay as they are."""
    from autoscaler.cli.pause import PauseOptions, pause_now

    cluster = ClusterOptions(kubeconfig, context, in_cluster, namespace)
    asked = PauseOptions(
        tuple(workloads or ()), everything, by, force, output, reason, until, span, open_ended, direction
    )
    pause_now(asked, cluster)


def resume(
    workloads: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="End `pause --all`; other pauses stay.")] = False,
    namespace: Namespace = None,
    by: By = None,
    force: Annotated[bool, typer.Option("--force", help="End somebody else's pause.")] = False,
    kubeconfig: cluster_choice.Kubeconfig = None,
    context: cluster_choice.Context = None,
    in_cluster: cluster_choice.InCluster = False,
    output: Output = "table",
) -> None:
    """End what `pause` began for the same workloads, namespace or everything, and nothing else."""
    from autoscaler.cli.pause import PauseOptions, resume_now

    cluster = ClusterOptions(kubeconfig, context, in_cluster, namespace)
    resume_now(PauseOptions(tuple(workloads or ()), everything, by, force, output), cluster)
