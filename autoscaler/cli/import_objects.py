"""`foresail import hpa` and `import scaledobject`."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path
from typing import Any

from autoscaler.domain.errors import Refused


def run_import(
    kind: str, manifest: str, source: str, cpu_request: str | None, cluster: tuple[Path | None, str | None]
) -> None:
    """Print documents that our own parser accepts; what could not be taken over is said on stderr.

    manifest: a file, or with a cluster (kubeconfig, context) NAMESPACE/NAME of the object in it.
    """
    from autoscaler.bootstrap.policies_import import imported
    from autoscaler.bootstrap.policies_import_metrics import Choices
    from autoscaler.spec.reader import parse_text
    from autoscaler.spec.scalars import quantity_of

    if cpu_request is not None:
        try:
            quantity_of(cpu_request)
        except ValueError:
            raise Refused(f"--cpu-request {cpu_request!r} is not a quantity; write e.g. 500m or 2") from None
    told = _read(Path(manifest)) if cluster == (None, None) else _live(kind, manifest, *cluster)
    try:
        found = imported(kind, told, Choices(source, cpu_request))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise Refused(f"{manifest}: is not as an API server writes it ({what}); export it with kubectl") from error
    text = _yaml(found.documents)
    parse_text(text, f"imported from {manifest}", known_sources=[source])
    print(text, end="")  # noqa: T201
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)  # noqa: T201


def _live(kind: str, name: str, kubeconfig: Path | None, context: str | None) -> dict[str, Any]:
    from autoscaler.bootstrap.clusters import connect
    from autoscaler.bootstrap.policies_import_live import live_object
    from autoscaler.bootstrap.settings import ClusterSettings

    if kubeconfig is not None and not kubeconfig.exists():
        raise Refused(f"kubeconfig {kubeconfig} cannot be used: there is no such file")
    connection = connect(ClusterSettings(kubeconfig=kubeconfig, context=context))
    try:
        return live_object(connection, kind, name)
    finally:
        connection.close()


def _read(manifest: Path) -> dict[str, Any]:
    """Objects come from an API server: plain YAML, of which labels and numbers are what it says."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = sys.stdin.read() if str(manifest) == "-" else manifest.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Refused(f"{manifest}: cannot be read ({why})") from None
    try:
        found = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise Refused(f"{manifest}: is not YAML: {' '.join(str(error).split())[:300]}") from None
    if isinstance(found, dict) and found.get("kind") == "List":
        raise Refused(f"{manifest}: is a list; name one object: kubectl get KIND NAME -o yaml")
    if not isinstance(found, dict):
        raise Refused(f"{manifest}: holds no object")
    return found


def _yaml(documents: list[dict[str, Any]]) -> str:
    from ruamel.yaml import YAML
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    def quoted(value: Any) -> Any:
        """Text that a reader could take for something else stands in quotes."""
        if isinstance(value, dict):
            return {key: quoted(v) for key, v in value.items()}
        if isinstance(value, list):
            return [quoted(v) for v in value]
        if isinstance(value, str) and not value.replace("-", "").replace("/", "").replace("_", "").isalpha():
            return DoubleQuotedScalarString(value)
        return value

    printer = YAML(typ="rt")
    printer.default_flow_style = False
    printer.width = 4096
    printer.explicit_start = False
    parts = []
    for document in documents:
        stream = StringIO()
        printer.dump(quoted(document), stream)
        parts.append(stream.getvalue())
    return "---\n".join(parts)
