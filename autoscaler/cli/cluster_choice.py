"""Whether a command is about a cluster or about a record on disk, and which: one rule for all that can be either.

A cluster is meant when --kubeconfig, --context or --in-cluster names one, or when the command runs as kubectl's plugin;
--store always means a record on disk, and does not go with the others.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.domain.errors import Refused

if TYPE_CHECKING:
    from autoscaler.bootstrap.settings import ClusterSettings

PLUGIN = "kubectl-foresail"
DEFAULT_STORE = Path("foresail.db")

MaybeStore = Annotated[
    Path | None, typer.Option(help="File of the decision record (default without a cluster: foresail.db).")
]
Kubeconfig = Annotated[Path | None, typer.Option(help="The cluster of this kubeconfig (plugin: as kubectl finds it).")]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig (default: its current one).")]
InCluster = Annotated[bool, typer.Option("--in-cluster", help="The cluster that this process runs in.")]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace in the cluster (default: the context's).")
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces of the cluster.")]
OperatorNamespace = Annotated[
    str, typer.Option(envvar="FORESAIL_OPERATOR_NAMESPACE", help="Namespace of the operator's Service.")
]
OperatorService = Annotated[
    str, typer.Option(envvar="FORESAIL_OPERATOR_SERVICE", help="Its name, or NAME:PORT with the port's name.")
]
OPERATOR_NAMESPACE, OPERATOR_SERVICE = "foresail", "foresail"


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """As typed; None, "" and False = not given."""

    kubeconfig: Path | None = None
    context: str | None = None
    in_cluster: bool = False
    namespace: str | None = None
    all_namespaces: bool = False
    operator_namespace: str = OPERATOR_NAMESPACE
    operator_service: str = OPERATOR_SERVICE

    @property
    def named(self) -> bool:
        return self.kubeconfig is not None or self.context is not None or self.in_cluster

    def settings(self, installation: str = "foresail") -> ClusterSettings:
        from autoscaler.bootstrap.settings import ClusterSettings

        if self.in_cluster and (self.kubeconfig or self.context):
            raise Refused("--in-cluster takes the pod's own account: leave --kubeconfig and --context out")
        return ClusterSettings(self.kubeconfig, self.context, self.in_cluster, installation)

    def meant(self, store: Path | None = None) -> bool:
        """Whether the command is about a cluster. Refused where the options contradict each other."""
        if store is not None:
            if self.named or self.namespace or self.all_namespaces:
                raise Refused(
                    "--store reads a record on disk: leave --kubeconfig, --context, -n and -A out, or --store"
                )
            return False
        if self.named or is_plugin():
            return True
        if self.namespace or self.all_namespaces:
            option = "-A" if self.all_namespaces else "-n"
            raise Refused(f"{option} needs a cluster: --kubeconfig FILE, --context NAME, or type kubectl foresail")
        return False


def is_plugin() -> bool:
    """Whether kubectl has started us (or somebody by the plugin's own name)."""
    return Path(sys.argv[0]).name.removesuffix(".exe") == PLUGIN
