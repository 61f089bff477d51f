"""`foresail crds`: its options. Exit codes: 0 ok, 2 usage or bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def crds(
    kind: Annotated[str | None, typer.Argument(help="One kind; without: all of them.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write a file for each kind into.")] = None,
    reference: Annotated[bool, typer.Option("--reference", help="A page of Markdown for people instead.")] = False,
) -> None:
    """The custom resource definitions, as YAML to apply: foresail crds | kubectl apply --server-side -f -"""
    from autoscaler.cli.crds import print_cluster_reference, print_crds

    if reference:
        print_cluster_reference()
    else:
        print_crds(kind, out)
