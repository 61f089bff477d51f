"""HPAs as the cluster itself has them, read only: targets that kube-state-metrics may not show, and never older."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autoscaler.adapters.kubernetes.claims import HPA
from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.prometheus.discovery import FoundHpa, HpaMetric, Key
from autoscaler.bootstrap.checkup.saving import quantity
from autoscaler.domain.errors import Refused

ALL = f"/apis/{HPA.api_version}/{HPA.plural}"


def cluster_hpas(connection: Connection, namespaces: Sequence[str]) -> dict[Key, tuple[FoundHpa, ...]]:
    """By what they scale. Raises ApiFault, and Refused with the way out where a right is missing."""
    paths = [HPA.path(namespace) for namespace in namespaces] or [ALL]
    try:
        things = [thing for path in paths for thing in connection.items(path)]
    except ApiFault as fault:
        if not fault.forbidden:
            raise
        remedy = "grant list on horizontalpodautoscalers, name --namespace, or leave --kubeconfig out"
        raise Refused(f"the cluster's HPAs may not be read: {remedy} ({fault})") from fault
    found: defaultdict[Key, list[FoundHpa]] = defaultdict(list)
    for thing in things:
        spec = thing["spec"]
        aim = spec["scaleTargetRef"]
        least = max(1, int(spec.get("minReplicas") or 1))
        hpa = FoundHpa(
            thing["metadata"]["name"],
            least,
            max(least, int(spec["maxReplicas"])),
            tuple(m for metric in spec.get("metrics") or [] for m in _metric(metric)),
        )
        found[Key(thing["metadata"]["namespace"], aim["kind"], aim["name"])].append(hpa)
    return {key: tuple(hpas) for key, hpas in found.items()}


def _metric(metric: Mapping[str, Any]) -> Iterator[HpaMetric]:
    told = metric.get("resource") or metric.get("containerResource")
    shape = next((s for s in ("pods", "object", "external") if s in metric), None)
    if told is not None:
        name, target = str(told.get("name")), told.get("target") or {}
    elif shape is not None:
        name = str((metric[shape].get("metric") or {}).get("name"))
        target = metric[shape].get("target") or {}
    else:
        return
    if target.get("averageUtilization") is not None:
        yield HpaMetric(name, "Utilization", float(target["averageUtilization"]))
        return
    for kind, field in (("AverageValue", "averageValue"), ("Value", "value")):
        value = quantity(target.get(field))
        if value is not None:
            yield HpaMetric(name, kind, value)
            return
