"""Objects of the API server as placed documents: what a rule or a problem says of where it comes from.

A file's place is a line; an object's is its generation, so that a rule names which edit of which object set it:
`guardpolicies/shop:7` is the seventh.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autoscaler.domain.errors import Problem
from autoscaler.spec import cluster_object
from autoscaler.spec.behavior import is_blank
from autoscaler.spec.complaints import problem_at
from autoscaler.spec.nodes import Document, Entry, Listing, Node, Place, Table, plain

_KEY_OF = "{name: ..., key: ...}, a Secret in the operator's namespace"
_OF_FILES: dict[tuple[str, ...], str] = {
    ("file",): "ask a server with prometheus: {url: ...}",
    ("prometheus", "bearerTokenFile"): f"write bearerTokenSecret: {_KEY_OF}",
    ("prometheus", "basicAuth", "passwordFile"): f"write passwordSecret: {_KEY_OF}",
    **{("prometheus", "tls", f"{what}File"): f"write {what}Secret: {_KEY_OF}" for what in ("ca", "cert", "key")},
}
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
    document = Document(object_name(thing), read.root, read.problems)
    since = thing["metadata"].get("creationTimestamp")
    return Document(document.file, document.root, (*document.problems, *_paths_in(document)), since)


def _paths_in(document: Document) -> Iterable[Problem]:
    """Files are the operator's own: whoever may write an object could have it send any of them anywhere."""
    for path, instead in _OF_FILES.items():
        node, _ = document.find(("spec", *path))
        if node is not None and not is_blank(plain(node)):
            message = "no object of a cluster may name a file: files are the operator's own"
            remedy = f"{instead}, or write this MetricsSource as a file beside the operator's policies (--policies)"
            yield problem_at(document, ("spec", *path), message, remedy=remedy)


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
