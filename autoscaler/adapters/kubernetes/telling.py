"""What the cluster is told about our objects: statuses by server-side apply, and events.

Statuses have a field manager of their own, so that nobody's spec is ever ours, and carry the UID: an object that was
made anew under the same name gets none of its predecessor's. Events are only made, never changed.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from autoscaler.adapters.kubernetes.connection import APPLY, Connection
from autoscaler.adapters.kubernetes.objects import object_path

MANAGER = "foresail-status"
CONTROLLER = "foresail.dev/operator"
MOST_NAME, MOST_NOTE, MOST_INSTANCE = 253, 1024, 128


@dataclass(frozen=True, slots=True)
class Happening:
    """One event about an object. reason: of the documented list. words: with the numbers."""

    reason: str
    words: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Reporter:
    """instance: which process of ours it is. ApiFault from either when it could not be told."""

    connection: Connection
    instance: str

    def status(self, thing: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        meta = thing["metadata"]
        body = {
            "apiVersion": thing["apiVersion"], "kind": thing["kind"],
            "metadata": {key: meta[key] for key in ("name", "namespace", "uid") if key in meta},
            "status": dict(status),
        }  # fmt: skip
        self.connection.call(
            "PATCH", f"{object_path(thing)}/status", body, APPLY, {"fieldManager": MANAGER, "force": "true"}
        )

    def event(self, thing: Mapping[str, Any], what: Happening) -> None:
        meta = thing["metadata"]
        namespace = meta.get("namespace", "default")  # where events about cluster-scoped objects go
        body = {
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"name": event_name(meta["name"]), "namespace": namespace},
            "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
            "reportingController": CONTROLLER, "reportingInstance": self.instance[:MOST_INSTANCE],
            "action": what.reason, "reason": what.reason, "type": "Warning" if what.warning else "Normal",
            "note": what.words[:MOST_NOTE],
            "regarding": {
                "apiVersion": thing["apiVersion"], "kind": thing["kind"],
                **{key: meta[key] for key in ("name", "namespace", "uid") if key in meta},
            },
        }  # fmt: skip
        self.connection.call("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", body)


def event_name(about: str) -> str:
    """Never used before, and within the limit for a name of any length."""
    tail = uuid.uuid4().hex[:16]
    if len(about) + 1 + len(tail) <= MOST_NAME:
        return f"{about}.{tail}"
    short = hashlib.sha256(about.encode()).hexdigest()[:8]
    return f"{about[: MOST_NAME - 26]}.{short}{tail}".replace("..", ".")
