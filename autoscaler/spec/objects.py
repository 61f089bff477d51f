"""Objects of the API server as documents: read by the same models, with the same words, as files.

A file's place is a line; an object's is its generation, so that a rule names which edit of which object set it:
`guardpolicies/shop:7` is the seventh.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.spec.nodes import Document, Entry, Listing, Node, Place, Scalar, Table

PLURALS = {
    "PredictiveAutoscaler": "predictiveautoscalers",
    "GuardPolicy": "guardpolicies",
    "MetricsSource": "metricssources",
}
_WRITTEN = ("name", "namespace", "labels")
"""What users write in metadata and models read; the server's own bookkeeping is not theirs to answer for."""


def document_of(thing: Mapping[str, Any]) -> Document:
    """Without status and the server's part of metadata. thing: as the API server tells it, with its kind."""
    meta = thing["metadata"]
    place = Place(int(meta.get("generation") or 0), 0)
    written: dict[str, Any] = {
        "apiVersion": thing.get("apiVersion"),
        "kind": thing.get("kind"),
        "metadata": {key: meta[key] for key in _WRITTEN if key in meta},
    }
    if "spec" in thing:
        written["spec"] = thing["spec"]
    return Document(object_name(thing), _node(written, place))


def object_name(thing: Mapping[str, Any]) -> str:
    """As kubectl takes it: plural, namespace where there is one, name."""
    meta, kind = thing["metadata"], str(thing.get("kind"))
    inside = f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])
    return f"{PLURALS.get(kind, kind.lower())}/{inside}"


def _node(value: Any, place: Place) -> Node:
    if isinstance(value, Mapping):
        return Table(place, True, {str(key): Entry(place, _node(each, place)) for key, each in value.items()})
    if isinstance(value, (list, tuple)):
        return Listing(place, True, [_node(each, place) for each in value])
    return Scalar(place, value)
