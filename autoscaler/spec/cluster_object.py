"""A custom resource as a document: what an API server holds is judged by the models, rules and words of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.spec import scalars
from autoscaler.spec.metadata import API_VERSION
from autoscaler.spec.nodes import Document, Entry, Listing, Node, Place, Scalar, Table

_NOWHERE = Place(0, 0)
"""An object of a cluster has field paths, and no lines."""
_META = ("name", "namespace")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def document_of(thing: Mapping[str, Any], kind: str | None = None) -> Document:
    """The part of an object that its writer means: without status and without what the server adds to metadata.

    kind: of an item of a list, which does not say it itself. The document's name stands where a file's would.
    """
    meta = thing.get("metadata") or {}
    said = str(thing.get("kind") or kind or "")
    owner = "/".join(str(meta[key]) for key in ("namespace", "name") if meta.get(key))
    kept: dict[str, Any] = {
        "apiVersion": thing.get("apiVersion") or API_VERSION,
        "kind": said,
        "metadata": {**{key: meta[key] for key in _META if key in meta}, **_marks(meta)},
    }
    if "spec" in thing:
        kept["spec"] = thing["spec"]
    return Document(f"{said} {owner}", _node(kept))


def _marks(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Labels, and those annotations that a file could have: one of another tool's is no fault of this object."""
    annotations = {
        key: value for key, value in (meta.get("annotations") or {}).items() if key != _LAST_APPLIED and _is_key(key)
    }
    found = {"labels": meta.get("labels"), "annotations": annotations}
    return {key: value for key, value in found.items() if value}


def _is_key(key: str) -> bool:
    try:
        scalars.check_metadata_keys({key: ""})
    except ValueError:
        return False
    return True


def _node(value: Any) -> Node:
    if isinstance(value, Mapping):
        entries = {str(key): Entry(_NOWHERE, _node(inner)) for key, inner in value.items()}
        return Table(_NOWHERE, block=True, entries=entries)
    if isinstance(value, (list, tuple)):
        return Listing(_NOWHERE, block=True, items=[_node(inner) for inner in value])
    return Scalar(_NOWHERE, value)
