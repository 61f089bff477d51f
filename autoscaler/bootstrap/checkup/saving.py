"""Whether a floor can save anything under the HPA's present target. It cannot while the HPA keeps capacity free:

the HPA alone already asks for more than the load needs, and a floor only adds. What is not in the same unit as
capacity is not compared, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autoscaler.bootstrap.checkup.asking import Notes
from autoscaler.domain.notes import Condition
from autoscaler.domain.workload import Demand, Workload

Thing = Mapping[str, Any]
REMEDY = (
    "`foresail advise` computes which target keeps the risk; as it is the floor is meant to add safety, and `foresail "
    "simulate` shows whether it does"
)
_UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_UNITS |= {f"{unit}i": 1024.0 ** (power + 1) for power, unit in enumerate("KMGTPE")}
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]{0,2})")
_SHAPES = {"pods": "Pods", "object": "Object", "external": "External"}


def look_at_saving(notes: Notes, load: Workload, hpa: Thing, scaled: Thing | None) -> None:
    """Notes only: a floor for safety, without a saving, is what many want. scaled: the ScaledObject of the HPA."""
    name = f"HPA {hpa['metadata']['name']}"
    known = _same_queries(load, scaled)
    for index, metric in enumerate(hpa["spec"].get("metrics") or []):
        resource = metric.get("resource") or metric.get("containerResource")
        if resource is not None:
            _resource(notes, name, resource)
            continue
        shape = next((s for s in _SHAPES if s in metric), None)
        if shape is not None:
            label = str((metric[shape].get("metric") or {}).get("name"))
            average = quantity((metric[shape].get("target") or {}).get("averageValue"))
            _average(notes, load, f"{label} of {name}", average, known.get(_trigger(label, index)))


def _resource(notes: Notes, name: str, told: Thing) -> None:
    resource, target = told.get("name"), told.get("target") or {}
    percent = target.get("averageUtilization")
    if percent is None:
        words = f"whether a saving is possible cannot be told: {name} holds {resource} at an amount per pod"
        notes.note("saving", f"{words}, and capacity is in another unit", REMEDY)
    elif percent < 100:
        words = f"{name} keeps {100 - percent} % of the requested {resource} free all the time (target {percent} %); a"
        words += " floor only adds to that: no saving is possible until its target is raised"
        notes.note("saving", f"{words} ({Condition.SAVING_NEEDS_HIGHER_TARGET})", REMEDY)
    else:
        words = f"{name} keeps nothing of the requested {resource} free (target {percent} %): it may run hot"
        notes.ok("saving", f"{words}, and the floor is what has replicas ready ahead of a rise")


def _average(notes: Notes, load: Workload, metric: str, value: float | None, same: Demand | None) -> None:
    """same: the demand that the metric is for certain; else it is compared with the only one, on a condition."""
    demand = same if same is not None else load.demands[0] if len(load.demands) == 1 else None
    if demand is not None and demand.capacity_per_replica is None:
        notes.note("saving", "whether a saving is possible cannot be told: no capacity is known yet", REMEDY)
        return
    if value is None or demand is None or value <= 0:
        why = "is compared as a whole, not per replica" if value is None else "may be any of our demands, or none"
        notes.note("saving", f"whether a saving is possible cannot be told: {metric} {why}", REMEDY)
        return
    capacity = demand.known_capacity
    words = f"one replica is wanted per {value:.4g} of {metric}, and one serves {capacity:.4g} of {demand.name}"
    words += ":" if same is not None else "; if both count the same (that cannot be told from here),"
    if value < capacity:
        words += f" {(1 - value / capacity) * 100:.0f} % of capacity is kept free all the time; a floor only adds to"
        words += f" that: no saving is possible until its target is raised ({Condition.SAVING_NEEDS_HIGHER_TARGET})"
        notes.note("saving", words, REMEDY)
    elif same is not None:
        notes.ok("saving", f"{words} no capacity is kept free, and the floor has replicas ready ahead of a rise")
    else:
        notes.note("saving", f"{words} no capacity is kept free, and the floor has replicas ready ahead of a rise")


def _same_queries(load: Workload, scaled: Thing | None) -> dict[str, Demand]:
    """Index of a ScaledObject's trigger → the demand with the very same query: the only proof of a common unit."""
    triggers = (scaled or {}).get("spec", {}).get("triggers") or []
    found = {}
    for index, trigger in enumerate(triggers):
        query = "".join(str((trigger.get("metadata") or {}).get("query", "")).split())
        same = next((d for d in load.demands if "".join(d.query.split()) == query), None)
        if same is not None:
            found[str(index)] = same
    return found


def _trigger(label: str, index: int) -> str:
    """KEDA names the metric of its trigger N sN-…; without such a name they come in the order of the triggers."""
    named = re.match(r"s(\d+)-", label)
    return named[1] if named else str(index)


def quantity(told: object) -> float | None:
    """A Kubernetes quantity: 10, 250m, 1k, 1.5Gi; None where it is none."""
    found = _QUANTITY.fullmatch(str(told))
    if found is None or found[2] not in _UNITS:
        return None
    try:
        return float(found[1]) * _UNITS[found[2]]
    except ValueError:
        return None
