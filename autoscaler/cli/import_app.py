"""`foresail import`: take over what is there already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import_app = typer.Typer(
    help="An HPA or a ScaledObject as a PredictiveAutoscaler, with notes on what has no equivalent.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Manifest = Annotated[
    str,
    typer.Argument(
        help="YAML or JSON as kubectl get ... -o yaml writes it; - = standard input. With --kubeconfig NAMESPACE/NAME."
    ),
]
Source = Annotated[str, typer.Option(help="MetricsSource that the demands ask.")]
CpuRequest = Annotated[str | None, typer.Option(help="CPU request of one pod, for targets in percent of it.")]
Kubeconfig = Annotated[Path | None, typer.Option(help="Read the object from this cluster; nothing is written.")]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig (default: its current one).")]


@import_app.command()
def hpa(
    manifest: Manifest,
    source: Source = "prod",
    cpu_request: CpuRequest = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """From a HorizontalPodAutoscaler (autoscaling/v2): YAML on standard output, notes on stderr."""
    from autoscaler.cli.import_objects import run_import

    run_import("hpa", manifest, source, cpu_request, (kubeconfig, context))


@import_app.command()
def scaledobject(
    manifest: Manifest,
    source: Source = "prod",
    cpu_request: CpuRequest = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """From KEDA's ScaledObject: queue lengths are refused with the reason, cron triggers become windows."""
    from autoscaler.cli.import_objects import run_import

    run_import("scaledobject", manifest, source, cpu_request, (kubeconfig, context))
