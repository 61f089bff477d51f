"""Objects of the API server as placed documents: what a rule or a problem says of where it comes from.

A file's place is a line; an object's is its generation, so that a rule names which edit of which object set it:
`guardpolicies/shop:7` is the seventh.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.spec import cluster_object
from autoscaler.spec.nodes import Document, Entry, Listing, Node, Place, Table

PLURALS = {
    "PredictiveAutoscaler": "predictiveautoscalers",
    "GuardPolicy": "guardpolicies",
    "MetricsSource": "metricssources",
}


def document_of(thing: Mapping[str, Any]) -> Document:
    """As `cluster_object` reads it, placed. thing: as the API server tells it, with its kind."""
    read = cluster_object.document_of(thing)
    place = Place(int(thing["metadata"].get("generation") or 0), 0)
    if read.root is not None:
        _put(read.root, place)
    return Document(object_name(thing), read.root, read.problems)


def object_name(thing: Mapping[str, Any]) -> str:
    """As kubectl takes it: plural, namespace where there is one, name."""
    meta, kind = thing["metadata"], str(thing.get("kind"))
    inside = f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])
    return f"{PLURALS.get(kind, kind.lower())}/{inside}"


def _put(node: Node, place: Place) -> None:
    node.place = place
    if isinstance(node, Listing):
        for item in node.items:
            _put(item, place)
    elif isinstance(node, Table):
        for name, entry in node.entries.items():
            node.entries[name] = Entry(place, entry.node)
            _put(entry.node, place)
