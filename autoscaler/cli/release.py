"""`foresail release`: give floors back to their owners, with or without a running service."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from autoscaler.cli.inputs import output_kind
from autoscaler.domain.errors import Refused

AGAIN = (
    "note: a Foresail that still runs raises a floor again at its next tick while its workload is in mode Act: "
    "stop it first, write mode: Advise, or take its Lease with --take-lease NAMESPACE/NAME"
)


def release_floors(
    workloads: list[str], kubeconfig: Path | None, context: str | None, installation: str, output: str,
    *, everything: bool, in_cluster: bool, namespaces: Sequence[str] = (), take_lease: str | None = None,
) -> None:  # fmt: skip
    """Exit code 1 when a floor could not be given back or a named workload holds none.

    A mark that cannot be read may be another installation's: it is told, and holds up no uninstall.
    """
    from autoscaler.bootstrap.clusters import ReleaseRequest, release_now
    from autoscaler.bootstrap.settings import ClusterSettings

    output_kind(output)
    if bool(workloads) == everything:
        raise Refused("name the workloads whose floors are to be given back (NAMESPACE/NAME), or say --all")
    lease = None if take_lease is None else _lease(take_lease)
    if namespaces and workloads:
        raise Refused("--namespace goes with --all; workloads are named as NAMESPACE/NAME")
    settings = ClusterSettings(kubeconfig, context, in_cluster, installation)
    plain = output != "json"
    request = ReleaseRequest(tuple(workloads), tuple(namespaces), lease)
    ended = release_now(settings, request, lambda each: print(each.words) if plain else None)  # noqa: T201
    done, missing = ended.done, ended.missing
    if plain:
        for words in ended.unreadable:
            print(words)  # noqa: T201
        for name in missing:
            print(f"{name}: installation {installation!r} holds no floor for it")  # noqa: T201
        if everything and not done and not ended.unreadable:
            print(f"installation {installation!r} holds no floor in {' and '.join(namespaces) or 'this cluster'}")  # noqa: T201
    else:
        told = [
            {
                "object": each.held.name, "workload": each.held.claim.workload, "floor": each.held.claim.floor,
                "own": each.held.claim.own, "handedBack": each.gave, "failed": each.failed,
            }
            for each in done
        ]  # fmt: skip
        print(json.dumps({"released": told, "notHeld": [*missing], "unreadable": [*ended.unreadable]}, indent=2))  # noqa: T201
    if lease is None and any(each.gave for each in done):
        print(AGAIN, file=sys.stderr)  # noqa: T201
    if missing or any(each.failed for each in done):
        raise SystemExit(1)


def _lease(text: str) -> tuple[str, str]:
    namespace, _, name = text.partition("/")
    if not namespace or not name or "/" in name:
        raise Refused(f"--take-lease {text!r}: write NAMESPACE/NAME of the operator's Lease, as foresail/foresail")
    return namespace, name
