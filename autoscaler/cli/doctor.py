"""`foresail doctor`: whether sources, demands and Kubernetes of a fleet are fit to decide on. It changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.cli.inputs import output_kind, whole_seconds

if TYPE_CHECKING:
    from autoscaler.bootstrap.settings import ClusterSettings
    from autoscaler.cli.cluster_choice import ClusterOptions
    from autoscaler.reporting.doctor import Finding


def examine(fleet: tuple[Path, ...], step: str, output: str, cluster: ClusterSettings | None = None) -> None:
    """Print what is found; exit code 0 nothing, 1 findings, 3 a backend that cannot be reached.

    cluster: which Kubernetes to look at; None = its checks are left out, and one line says so.
    """
    from autoscaler.bootstrap.checkup.cluster import look_at_kubernetes
    from autoscaler.bootstrap.checkup.rounds import visit
    from autoscaler.bootstrap.servers import open_client

    output_kind(output)
    if cluster is not None:
        import urllib3

        urllib3.disable_warnings()  # of a certificate that is not checked: a finding of ours, not a line per call
    found = visit(fleet, time.time(), whole_seconds("--step", step), open_client, look_at_kubernetes(cluster))
    _tell(found, output)


def examine_installation(options: ClusterOptions, installation: str, output: str) -> None:
    """The same of a Foresail in a cluster: its kinds, its leader, its objects and what they scale."""
    from autoscaler.bootstrap.checkup.installation import Installed, look_at_installation
    from autoscaler.cli.get_cluster import onlooker

    output_kind(output)
    with closing(onlooker(options)) as view:
        found = look_at_installation(view, Installed(installation, options.in_cluster))
    _tell(found, output)


def _tell(found: Sequence[Finding], output: str) -> None:
    from autoscaler.reporting.doctor import doctor_dict, exit_code, lines

    if output == "json":
        print(json.dumps(doctor_dict(found), indent=2))  # noqa: T201
    else:
        print("\n".join(lines(found)))  # noqa: T201
    if code := exit_code(found):
        raise SystemExit(code)
