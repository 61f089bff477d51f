"""`foresail crds`: the custom resource definitions, for `kubectl apply` and for the chart."""

from __future__ import annotations

from pathlib import Path

from autoscaler.cli.inputs import folder
from autoscaler.domain.errors import Refused


def print_crds(kind: str | None, out: Path | None) -> None:
    """One kind or all, on standard output or as files of a folder."""
    from autoscaler.spec.crd import RESOURCES, as_yaml, file_name
    from autoscaler.spec.words import did_you_mean

    if kind is not None and kind not in RESOURCES:
        raise Refused(f"no kind {kind!r}; {did_you_mean(kind, RESOURCES, 'kinds')}")
    kinds = [kind] if kind else sorted(RESOURCES)
    if out is None:
        print("---\n".join(as_yaml(each) for each in kinds), end="")  # noqa: T201
        return
    folder("--out", out)
    for each in kinds:
        place = out / file_name(each)
        try:
            place.write_text(as_yaml(each))
        except OSError as error:
            raise Refused(f"--out {place}: cannot be written ({error.strerror}); name another folder") from None
        print(place)  # noqa: T201


def print_cluster_reference() -> None:
    """Markdown of workloads, sources and the status of all kinds."""
    from autoscaler.spec.reference import cluster_reference

    print(cluster_reference(), end="")  # noqa: T201
