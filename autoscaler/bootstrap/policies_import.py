"""An HPA or a ScaledObject as a PredictiveAutoscaler and, where it says more, a GuardPolicy.

Nothing is guessed: what cannot be told from the object becomes a note, and an object of which no demand can be told is
refused with the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.bootstrap.policies_import_metrics import Choices, MetricsSeen
from autoscaler.domain.errors import Refused
from autoscaler.spec.metadata import API_VERSION
from autoscaler.spec.scalars import quantity_of

HPA_DOWN = "no scaleDown is written: an HPA may then drop everything in 15 s, here it is 10 percent per minute"
KEDA_MAX = 100
KEDA_POLLING_S = 30
KEDA_FAILURES = 3
KINDS = {"hpa": "HorizontalPodAutoscaler", "scaledobject": "ScaledObject"}


@dataclass(slots=True)
class Imported:
    """documents: what to write. notes: what has no equivalent, or must be looked at."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def imported(kind: str, found: Mapping[str, Any], choices: Choices) -> Imported:
    """kind: hpa or scaledobject. Raises Refused for another object, and for one of which no demand can be told."""
    if found.get("kind") != KINDS[kind]:
        raise Refused(
            f"this is a {found.get('kind')!r}, not a {KINDS[kind]}; export it with kubectl get {kind} NAME -o yaml"
        )
    if kind == "hpa" and not str(found.get("apiVersion")).startswith("autoscaling/v2"):
        raise Refused(
            f"apiVersion {found.get('apiVersion')!r}: export it as kubectl get hpa.v2.autoscaling NAME -o yaml"
        )
    meta = found.get("metadata") or {}
    if not meta.get("name"):
        raise Refused("the object has no metadata.name; export it with kubectl get ... -o yaml")
    name, namespace = str(meta["name"]), str(meta.get("namespace") or "default")
    spec = found.get("spec") or {}
    return (_from_hpa if kind == "hpa" else _from_scaled_object)(name, namespace, spec, choices)


def _from_hpa(name: str, namespace: str, spec: Mapping[str, Any], choices: Choices) -> Imported:
    target = spec.get("scaleTargetRef") or {}
    seen = MetricsSeen(namespace, str(target.get("name")), choices, str(target.get("kind") or "Deployment"))
    for index, metric in enumerate(spec.get("metrics") or []):
        seen.take_metric(metric, index)
    pa = _autoscaler(name, namespace, target, _needed(seen, f"HorizontalPodAutoscaler {namespace}/{name}"), "HpaFloor")
    pa["spec"]["replicas"] = {"min": int(spec.get("minReplicas") or 1), "max": int(spec["maxReplicas"])}
    notes = [*seen.notes, *_behavior(spec.get("behavior"), pa)]
    if len(seen.demands) < len(spec.get("metrics") or []):
        notes.append("the HPA itself keeps all of its metrics: under a floor it still reacts to those left out here")
    return Imported([pa], notes)


def _from_scaled_object(name: str, namespace: str, spec: Mapping[str, Any], choices: Choices) -> Imported:
    ref = spec.get("scaleTargetRef") or {}
    target = {"apiVersion": "apps/v1", "kind": "Deployment"} | {k: v for k, v in ref.items() if v}
    seen = MetricsSeen(namespace, str(target.get("name")), choices, str(target.get("kind") or "Deployment"))
    for index, trigger in enumerate(spec.get("triggers") or []):
        seen.take_trigger(trigger, index)
    pa = _autoscaler(name, namespace, target, _needed(seen, f"ScaledObject {namespace}/{name}"), "KedaFloor")
    least = int(spec.get("minReplicaCount") or 0)
    pa["spec"]["replicas"] = {"min": max(least, 1), "max": int(spec.get("maxReplicaCount") or KEDA_MAX)}
    advanced = (spec.get("advanced") or {}).get("horizontalPodAutoscalerConfig") or {}
    notes = [*seen.notes, *_behavior(advanced.get("behavior"), pa)]
    if least == 0:
        notes.append(
            "minReplicaCount 0: a floor is at least 1, so the workload no longer scales to zero while Foresail acts"
        )
    notes += [
        f"{key} stays KEDA's: it has no equivalent" for key in ("idleReplicaCount", "cooldownPeriod") if spec.get(key)
    ]
    policy = _policy_of(seen, spec)
    documents = [pa]
    if policy:
        head = {"apiVersion": API_VERSION, "kind": "GuardPolicy", "metadata": {"name": f"{namespace}-{name}"}}
        documents.append(head | {"spec": {"selector": {"names": [f"{namespace}/{name}"]}} | policy})
    return Imported(documents, notes)


def _policy_of(seen: MetricsSeen, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Cron triggers as windows, and the fallback."""
    policy: dict[str, Any] = {}
    fallback = spec.get("fallback") or {}
    if int(fallback.get("replicas") or 0) > 0:
        failures = int(fallback.get("failureThreshold") or KEDA_FAILURES)
        wait_s = failures * int(spec.get("pollingInterval") or KEDA_POLLING_S)
        policy["defaults"] = {"fallback": {"after": f"{max(wait_s, 1)}s", "min": int(fallback["replicas"])}}
    if seen.schedule:
        policy["limits"] = {"schedule": seen.schedule}
    return policy


def _needed(seen: MetricsSeen, what: str) -> list[dict[str, Any]]:
    """The demands, each with a name of its own."""
    if not seen.demands:
        why = "".join(f"\n  {note}" for note in seen.notes) or "\n  it has no metrics"
        raise Refused(f"{what}: no demand can be told from it:{why}")
    count: dict[str, int] = {}
    for demand in seen.demands:
        name = demand["name"]
        count[name] = count.get(name, 0) + 1
        if count[name] > 1:
            demand["name"] = f"{name}-{count[name]}"
    return seen.demands


def _autoscaler(
    name: str, namespace: str, target: Mapping[str, Any], demands: list[dict[str, Any]], actuation: str
) -> dict[str, Any]:
    ref = {key: target.get(key) for key in ("apiVersion", "kind", "name")}
    spec = {"target": ref, "mode": "Advise", "actuation": actuation, "demands": demands}
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": "PredictiveAutoscaler", "metadata": meta, "spec": spec}


def _behavior(behavior: Mapping[str, Any] | None, pa: dict[str, Any]) -> list[str]:
    """The same shape; what autoscaling/v2 has beyond ours is noted."""
    found: dict[str, Any] = {}
    notes = []
    for direction in ("scaleUp", "scaleDown"):
        rules = (behavior or {}).get(direction) or {}
        keys = ("stabilizationWindowSeconds", "policies", "selectPolicy")
        kept = {k: rules[k] for k in keys if rules.get(k) not in (None, [])}
        if rules.get("tolerance") is not None:
            kept["tolerance"] = quantity_of(rules["tolerance"]) if str(rules["tolerance"]) != "0" else 0
            notes.append(f"{direction}.tolerance counts replicas here, and never delays what is needed now")
        if kept:
            found[direction] = kept
    if found:
        pa["spec"]["behavior"] = found
    return [*notes, *([HPA_DOWN] if "scaleDown" not in found else [])]
