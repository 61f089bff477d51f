"""What is kept in memory of the cluster's objects: the parts that a look reads, and no more."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

Thing = dict[str, Any]
_POD_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
_META = (*_POD_META, "generation", "annotations", "ownerReferences", "labels")
_CONDITIONS = frozenset({"Ready", "PodScheduled"})


def pod(thing: Thing) -> Thing:
    """Labels, whether and since when it is placed and Ready, and how its containers fare."""
    meta, status = thing["metadata"], thing.get("status") or {}
    labels = {sys.intern(k): sys.intern(v) for k, v in (meta.get("labels") or {}).items()}
    conditions = [
        {k: v for k, v in c.items() if k not in {"lastProbeTime", "observedGeneration"}}
        for c in status.get("conditions") or []
        if c.get("type") in _CONDITIONS
    ]
    containers = [
        {"restartCount": c.get("restartCount", 0), "state": _waiting(c)} for c in status.get("containerStatuses") or []
    ]
    return {
        "metadata": {**_of(meta, _POD_META), "labels": labels},
        "status": {"conditions": conditions, "containerStatuses": containers},
    }


def scaled(thing: Thing) -> Thing:
    """Of a target: its count, its pods' selector and labels, what refuses it pods, and who set the count."""
    meta, spec = thing["metadata"], thing.get("spec") or {}
    template = (spec.get("template") or {}).get("metadata") or {}
    kept: Thing = _of(spec, ("replicas", "selector")) | {"template": {"metadata": _of(template, ("labels",))}}
    status = _of(thing.get("status") or {}, ("conditions", "selector"))
    return {**_head(thing), "metadata": _with_owners(meta, "f:replicas"), "spec": kept, "status": status}


def autoscaler(thing: Thing) -> Thing:
    """Of an HPA or a ScaledObject: all but its status, which changes at each of its syncs."""
    meta = thing["metadata"]
    return {**_head(thing), "metadata": _with_owners(meta, "f:minReplicas", "f:minReplicaCount"), "spec": thing["spec"]}


def budget(thing: Thing) -> Thing:
    status = _of(thing.get("status") or {}, ("expectedPods", "disruptionsAllowed"))
    return {"metadata": _of(thing["metadata"], _POD_META), "spec": thing.get("spec") or {}, "status": status}


TRIMS: Mapping[str, Callable[[Thing], Thing]] = {
    "pods": pod,
    "horizontalpodautoscalers": autoscaler,
    "scaledobjects": autoscaler,
    "poddisruptionbudgets": budget,
}
"""By what is listed; a target is `scaled`."""


def _head(thing: Thing) -> Thing:
    return _of(thing, ("apiVersion", "kind"))


def _of(thing: Mapping[str, Any], names: tuple[str, ...]) -> Thing:
    return {name: thing[name] for name in names if name in thing}


def _with_owners(meta: Mapping[str, Any], *fields: str) -> Thing:
    """Managed fields are most of an object's size: of them only who owns one of these fields of the spec."""
    owning = []
    for entry in meta.get("managedFields") or []:
        owned: Thing = {f: {} for f in fields if f in ((entry.get("fieldsV1") or {}).get("f:spec") or {})}
        if owned:
            owning.append({**entry, "fieldsV1": {"f:spec": owned}})
    return {**_of(meta, _META), "managedFields": owning}


def _waiting(container: Mapping[str, Any]) -> Thing:
    waiting = (container.get("state") or {}).get("waiting") or {}
    return {"waiting": _of(waiting, ("reason",))} if waiting else {}
