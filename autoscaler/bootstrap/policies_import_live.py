"""The object to import, read from the cluster itself; nothing is written."""

from __future__ import annotations

from typing import Any, Protocol

from autoscaler.adapters.kubernetes.claims import HPA, SCALED_OBJECT
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.domain.errors import Refused

RESOURCES = {"hpa": HPA, "scaledobject": SCALED_OBJECT}
UNKNOWN_USER = 401


class Asked(Protocol):
    """The part of a connection that is needed."""

    def get(self, path: str, **query: str) -> Any: ...


def live_object(connection: Asked, kind: str, name: str) -> dict[str, Any]:
    """name: NAMESPACE/NAME. Refused where there is no such object or it may not be read; ApiFault without an answer."""
    namespace, slash, own = name.partition("/")
    if not slash or not namespace or not own or "/" in own:
        raise Refused(f"{name!r}: write NAMESPACE/NAME, or the name of a file without --kubeconfig and --context")
    resource = RESOURCES[kind]
    try:
        found: dict[str, Any] = connection.get(resource.path(namespace, own))
    except ApiFault as fault:
        if fault.gone:
            raise Refused(
                f"the cluster has no {resource.kind} {name}; kubectl get {kind} -n {namespace} lists them"
            ) from (fault)
        if fault.forbidden or fault.status == UNKNOWN_USER:
            remedy = (
                f"grant get on {resource.plural}, or export it with kubectl get {kind} {own} -n {namespace} -o yaml"
            )
            raise Refused(f"{resource.kind} {name} may not be read: {remedy} ({fault})") from fault
        raise
    return {"apiVersion": resource.api_version, "kind": resource.kind} | found
