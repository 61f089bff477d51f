"""HPAs as the cluster itself has them, read only: targets that kube-state-metrics may not show, and never older."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from autoscaler.adapters.kubernetes.claims import HPA
from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.prometheus.discovery import FoundHpa, FoundWorkload, HpaMetric, Key
from autoscaler.bootstrap.checkup.saving import quantity
from autoscaler.domain.errors import Refused

USUAL: Final = {
    "scaleUp": (0, {("Pods", 4, 15), ("Percent", 100, 15)}),
    "scaleDown": (300, {("Percent", 100, 15)}),
}
"""Seconds of stabilisation, and policies (type, value, seconds), as the API server and its controller set them."""
UNKNOWN_USER: Final = 401
SHOWN: Final = 3
ALL = f"/apis/{HPA.api_version}/{HPA.plural}"


def cluster_hpas(connection: Connection, namespaces: Sequence[str]) -> dict[Key, tuple[FoundHpa, ...]]:
    """By what they scale. Raises ApiFault, and Refused where the cluster will not answer us, both with a way out."""
    paths = [HPA.path(namespace) for namespace in namespaces] or [ALL]
    try:
        things = [thing for path in paths for thing in connection.items(path)]
    except ApiFault as fault:
        raise _told(fault) from fault
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
            behavior_words(spec.get("behavior") or {}),
        )
        found[Key(thing["metadata"]["namespace"], aim["kind"], aim["name"])].append(hpa)
    return {key: tuple(hpas) for key, hpas in found.items()}


def _told(fault: ApiFault) -> ApiFault | Refused:
    without = "leave --kubeconfig out: HPAs are then read from kube-state-metrics"
    if fault.forbidden:
        remedy = f"grant list on horizontalpodautoscalers, name --namespace, or {without}"
        return Refused(f"the cluster's HPAs may not be read: {remedy} ({fault})")
    if fault.status == UNKNOWN_USER:
        remedy = f"log in again, choose another --kubeconfig or --context, or {without}"
        return Refused(f"the cluster does not accept the credentials of the kubeconfig: {remedy} ({fault})")
    remedy = f"check the server that the kubeconfig names, or {without}"
    return ApiFault(fault.status, f"the cluster's HPAs cannot be read: {remedy} ({fault.said})")


def disagreements(shown: Iterable[FoundWorkload], held: Mapping[Key, tuple[FoundHpa, ...]]) -> Iterator[str]:
    """What the series of kube-state-metrics say of HPAs that the cluster does not. Nothing where it is the same."""
    gone, other = [], []
    for one in shown:
        mine = held.get(one.key, ())
        if one.hpas and not mine:
            gone.append(str(one.key))
        elif one.hpas and sorted(map(_facts, one.hpas)) != sorted(map(_facts, mine)):
            other.append(str(one.key))
    if gone:
        yield (
            f"kube-state-metrics shows an HPA of {_some(gone)} and the cluster has none: the cluster counts. Is the "
            "kubeconfig's the cluster that the metrics are of?"
        )
    if other:
        yield f"kube-state-metrics shows another HPA of {_some(other)} than the cluster has: the cluster's is used"


def _facts(hpa: FoundHpa) -> tuple[object, ...]:
    return hpa.name, hpa.least, hpa.most, tuple(sorted((m.name, m.type, m.value) for m in hpa.metrics))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def behavior_words(behavior: Mapping[str, Any]) -> str:
    """What differs from the default of autoscaling/v2, as "scaleDown waits 600 s"; empty where nothing does."""
    return "; ".join(words for side in USUAL for words in _side(side, behavior.get(side) or {}))


def _side(side: str, rule: Mapping[str, Any]) -> Iterator[str]:
    wait_s, policies = USUAL[side]
    told_s = rule.get("stabilizationWindowSeconds")
    if told_s is not None and told_s != wait_s:
        yield f"{side} waits {told_s} s"
    if rule.get("selectPolicy") == "Disabled":
        yield f"{side} is disabled"
        return
    told = {(p["type"], p["value"], p["periodSeconds"]) for p in rule.get("policies") or ()}
    if told and (told != policies or (len(told) > 1 and rule.get("selectPolicy") == "Min")):
        steps = [f"{value}{' %' if kind == 'Percent' else ''} in {period} s" for kind, value, period in sorted(told)]
        yield f"{side} by {(' and ' if rule.get('selectPolicy') == 'Min' else ' or ').join(steps)}"
    if rule.get("tolerance") is not None:
        yield f"{side} tolerates {rule['tolerance']}"


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
