"""A VerticalPodAutoscaler that changes the requests which the HPA counts in: the two chase each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.permissions import Rule
from autoscaler.adapters.kubernetes.reading import Kinds
from autoscaler.bootstrap.checkup.asking import Notes
from autoscaler.domain.workload import Workload

Thing = Mapping[str, Any]
GROUP, VERSION, KIND, PLURAL = "autoscaling.k8s.io", "v1", "VerticalPodAutoscaler", "verticalpodautoscalers"
MOVING = {"Auto", "Recreate", "InPlaceOrRecreate"}
"""Modes that change pods which run; without a mode it is Auto."""
BOTH = frozenset({"cpu", "memory"})


def vertical_in(notes: Notes, api: Connection, kinds: Kinds, namespace: str) -> Sequence[Thing]:
    """The VPAs of a namespace; none where the cluster has no such kind, or we may not look, which is said."""
    try:
        if kinds.of(f"{GROUP}/{VERSION}", KIND) is None:
            return ()
        return api.items(f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}")
    except ApiFault as fault:
        rule = Rule(GROUP, PLURAL, ("list",)).words
        remedy = f"to have them looked at, allow {rule}" if fault.forbidden else None
        notes.note("vpa", f"whether a VPA is in the way cannot be told: {fault}", remedy)
        return ()


def look_at_vertical(notes: Notes, load: Workload, target: Thing, hpa: Thing | None, vertical: Sequence[Thing]) -> None:
    for vpa in vertical:
        reference = vpa.get("spec", {}).get("targetRef") or {}
        if (reference.get("kind"), reference.get("name")) != (load.target.kind, load.target.name):
            continue
        mode = (vpa["spec"].get("updatePolicy") or {}).get("updateMode") or "Auto"
        moves = _controlled(vpa, target) if mode in MOVING else frozenset()
        if not moves:
            continue
        name = f"VPA {vpa['metadata']['name']} (updateMode {mode})"
        shared = sorted(moves & set(utilised(hpa)))
        if shared and hpa is not None:
            words = (
                f"{name} changes the requests of {' and '.join(shared)}, and HPA {hpa['metadata']['name']} scales on"
            )
            remedy = "give the HPA another metric, leave the resource out of the VPA's controlledResources, or use"
            notes.warn(
                "vpa", f"{words} their share in use: each moves what the other measures", f"{remedy} updateMode Off"
            )
        else:
            words = (
                f"{name} changes the {' and '.join(sorted(moves))} of the pods: one replica may then serve more or less"
            )
            notes.note(
                "vpa", f"{words} than capacity.perReplica says", "measure capacity anew when requests have moved"
            )


def utilised(hpa: Thing | None) -> Iterator[str]:
    """Resources whose share of the request an HPA looks at."""
    for metric in (hpa or {}).get("spec", {}).get("metrics") or []:
        told = metric.get("resource") or metric.get("containerResource")
        if told and told.get("target", {}).get("type") == "Utilization":
            yield str(told["name"])


def _controlled(vpa: Thing, target: Thing) -> frozenset[str]:
    """What it changes of any container; a policy of a container's own name goes before `*`, and both is the default."""
    policies = (vpa["spec"].get("resourcePolicy") or {}).get("containerPolicies") or []
    by_name = {policy.get("containerName", "*"): policy for policy in policies}
    pod = target.get("spec", {}).get("template", {}).get("spec", {})
    names = [c["name"] for c in pod.get("containers") or []] or ["*"]
    controlled: set[str] = set()
    for name in names:
        policy = by_name.get(name) or by_name.get("*") or {}
        if policy.get("mode") != "Off":
            told = policy.get("controlledResources")
            controlled |= BOTH if told is None else set(told)
    return frozenset(controlled)
