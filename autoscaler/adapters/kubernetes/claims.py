"""What we leave on an object whose floor we raised, and who owns the field: values out of plain dicts.

Everything that is needed to give the floor back is on the object itself: the owner's value, the field managers
that had set it, and which installation holds it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MANAGER = "foresail"
ANNOTATION = "foresail.dev/floor"


@dataclass(frozen=True, slots=True)
class FloorField:
    """Which kind of object carries a floor, and under which names. most: default of its maximum, None = required."""

    group: str
    version: str
    kind: str
    plural: str
    least: str
    greatest: str
    most: int | None

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}"

    def path(self, namespace: str, name: str = "") -> str:
        base = f"/apis/{self.group}/{self.version}/namespaces/{namespace}/{self.plural}"
        return f"{base}/{name}" if name else base

    def floor_of(self, thing: Mapping[str, Any]) -> int | None:
        value = thing.get("spec", {}).get(self.least)
        return None if value is None else int(value)

    def max_of(self, thing: Mapping[str, Any]) -> int:
        value = thing.get("spec", {}).get(self.greatest)
        return int(value if value is not None else self.most or 1)


HPA = FloorField(
    "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "minReplicas", "maxReplicas", None
)
SCALED_OBJECT = FloorField(
    "keda.sh", "v1alpha1", "ScaledObject", "scaledobjects", "minReplicaCount", "maxReplicaCount", 100
)


@dataclass(frozen=True, slots=True)
class Owner:
    """A field manager that has set the floor by itself."""

    manager: str
    operation: str
    api_version: str

    def owns(self, entry: Mapping[str, Any]) -> bool:
        return (
            entry.get("manager", "") == self.manager
            and entry.get("operation", "Update") == self.operation
            and entry.get("apiVersion", "") == self.api_version
            and not entry.get("subresource")
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """by: the installation. workload: NAMESPACE/NAME of the PredictiveAutoscaler. floor: what we wrote last.

    own: the owner's floor before ours, None = it was not set. raised_s: of the last rise, seconds since the epoch.
    """

    by: str
    workload: str
    floor: int
    own: int | None
    owners: tuple[Owner, ...]
    raised_s: float

    def text(self) -> str:
        told = {
            "by": self.by,
            "for": self.workload,
            "floor": self.floor,
            "own": self.own,
            "owners": [[o.manager, o.operation, o.api_version] for o in self.owners],
            "raisedAt": round(self.raised_s, 3),
        }
        return json.dumps(told, separators=(",", ":"))


def claim_of(thing: Mapping[str, Any]) -> Claim | None:
    """The claim on an object; None where there is none, or one that is not ours to read (somebody edited it)."""
    text = (thing["metadata"].get("annotations") or {}).get(ANNOTATION)
    if text is None:
        return None
    try:
        told = json.loads(text)
        own = told["own"]
        return Claim(
            by=str(told["by"]),
            workload=str(told["for"]),
            floor=int(told["floor"]),
            own=None if own is None else int(own),
            owners=tuple(Owner(*map(str, one)) for one in told["owners"]),
            raised_s=float(told["raisedAt"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def owners_of(thing: Mapping[str, Any], field: str) -> tuple[Owner, ...]:
    """Managers other than us that own spec.`field`."""
    return tuple(
        Owner(e.get("manager", ""), e.get("operation", "Update"), e.get("apiVersion", ""))
        for e in _setting(thing, field)
        if e.get("manager") != MANAGER
    )


def is_ours(thing: Mapping[str, Any], field: str) -> bool:
    """Whether we own spec.`field`, alone or with others."""
    return any(e.get("manager") == MANAGER for e in _setting(thing, field))


def is_written_over(thing: Mapping[str, Any]) -> bool:
    """Whether somebody else owns our annotation: a restored backup, or an export of the object that was applied."""
    return bool(_annotating(thing))


def set_by_other(thing: Mapping[str, Any], field: FloorField, claim: Claim) -> bool:
    """Whether spec.`field` has somebody else's word in it.

    Whoever has set it together with a claim that says the same number has restored what we had written, no more.
    """
    owners = set(owners_of(thing, field.least))
    if not owners:
        return False
    live = field.floor_of(thing)
    return live != claim.floor or not owners <= _annotating(thing)


def _annotating(thing: Mapping[str, Any]) -> set[Owner]:
    """Managers other than us that own our annotation."""
    return {
        Owner(e.get("manager", ""), e.get("operation", "Update"), e.get("apiVersion", ""))
        for e in thing["metadata"].get("managedFields") or []
        if e.get("manager") != MANAGER
        and f"f:{ANNOTATION}" in (((e.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations") or {})
    }


def last_set(thing: Mapping[str, Any], field: str) -> str:
    """When and by whom else the field was set last: a mark that changes with every such change."""
    marks = [f"{e.get('time')} {e.get('manager')}" for e in _setting(thing, field) if e.get("manager") != MANAGER]
    return max(marks, default="")


def handed_back(thing: Mapping[str, Any], field: str, owners: tuple[Owner, ...]) -> list[dict[str, Any]]:
    """ManagedFields without us, and with the field as its owners' again. An owner that is gone gets an entry anew."""
    entries = [
        {**e, "fieldsV1": json.loads(json.dumps(e.get("fieldsV1", {})))}
        for e in thing["metadata"].get("managedFields") or []
        if e.get("manager") != MANAGER
    ]
    for owner in owners:
        entry = next((e for e in entries if owner.owns(e)), None)
        if entry is None:
            entry = {
                "manager": owner.manager,
                "operation": owner.operation,
                "apiVersion": owner.api_version,
                "fieldsType": "FieldsV1",
                "fieldsV1": {},
            }
            entries.append(entry)
        entry["fieldsV1"].setdefault("f:spec", {}).setdefault(f"f:{field}", {})
    return entries


def _setting(thing: Mapping[str, Any], field: str) -> Iterator[Mapping[str, Any]]:
    for entry in thing["metadata"].get("managedFields") or []:
        owned = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        if f"f:{field}" in owned and not entry.get("subresource"):
            yield entry
