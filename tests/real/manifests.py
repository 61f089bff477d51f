"""Objects that tests create, as the API server takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

AT_ONCE = {
    "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 1000, "periodSeconds": 1}]},
    "scaleDown": {"stabilizationWindowSeconds": 0},
}
"""An HPA's behavior without limits; the default grows by no more than 4 pods or 100 % in 15 s."""


def deployment(name: str, replicas: int, node: str | None = "node-0", cpu: str = "100m") -> dict[str, Any]:
    """An apps/v1 Deployment whose pods kwok makes Ready; `node` None leaves placing them to the scheduler."""
    labels = {"app": name}
    resources = {"requests": {"cpu": cpu}}
    pod: dict[str, Any] = {"containers": [{"name": "main", "image": "none.invalid/none", "resources": resources}]}
    if node is not None:
        pod["nodeName"] = node
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def hpa(name: str, minimum: int, maximum: int, metrics: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """An autoscaling/v2 HPA of the Deployment of the same name; CPU at 50 % where no metrics are given."""
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": minimum,
            "maxReplicas": maximum,
            "metrics": list(metrics) or [cpu],
        },
    }


def hpa_external(
    name: str,
    minimum: int,
    maximum: int,
    metric: str,
    average_value: float,
    behavior: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """An HPA that wants one replica per `average_value` of an external metric."""
    target = {"type": "AverageValue", "averageValue": f"{round(average_value * 1000)}m"}
    made = hpa(
        name, minimum, maximum, [{"type": "External", "external": {"metric": {"name": metric}, "target": target}}]
    )
    if behavior is not None:
        made["spec"]["behavior"] = dict(behavior)
    return made
