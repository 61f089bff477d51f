"""Taking, moving and handing back the floor of an HPA or ScaledObject.

The first write is a server-side apply with force (even a defaulted field conflicts), under the UID and the
resourceVersion that was looked at; later ones are unforced, so that a 409 names whoever has set the field since.
Handing back: apply the owner's value, then a patch of managedFields alone under the resourceVersion
returns the field to its owner; giving up ownership alone would reset it to its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.adapters.kubernetes.claims import (
    ANNOTATION,
    HPA,
    MANAGER,
    Claim,
    FloorField,
    claim_of,
    handed_back,
    is_ours,
    is_written_over,
    owners_of,
    set_by_other,
)
from autoscaler.adapters.kubernetes.connection import APPLY, JSON_PATCH, Connection
from autoscaler.adapters.kubernetes.faults import ApiFault

TRIES = 4


@dataclass(frozen=True, slots=True)
class Wish:
    """workload: NAMESPACE/NAME of the PredictiveAutoscaler. now_s: of the service's clock."""

    workload: str
    floor: int
    now_s: float


@dataclass(frozen=True, slots=True)
class Floors:
    """installation: our identity on the objects that we hold."""

    connection: Connection
    installation: str

    def write(
        self,
        field: FloorField,
        holder: Mapping[str, Any],
        before: Claim | None,
        wish: Wish,
        *,
        foreign: bool,
    ) -> dict[str, Any]:
        """The holder with its new floor. ApiFault with `rivals` when another manager has set it since.

        before: our claim as it stands. foreign: what stands there is somebody else's, and becomes the owner's.
        """
        workload, floor, now_s = wish.workload, wish.floor, wish.now_s
        live = field.floor_of(holder)
        risen = before is None or foreign or floor > before.floor
        raised_s = now_s if risen or before is None else before.raised_s
        if before is None or foreign or before.by != self.installation:
            claim = Claim(self.installation, workload, floor, live, owners_of(holder, field.least), raised_s)
            return self._apply(field, holder, {field.least: floor}, claim, force=True)
        claim = Claim(before.by, workload, floor, before.own, before.owners, raised_s)
        return self._apply(field, holder, {field.least: floor}, claim, force=False)

    def hand_back(self, field: FloorField, holder: Mapping[str, Any]) -> bool:
        """Whether the field was ours to give; either way nothing of ours is left on the object afterwards.

        ApiFault when the API does not let us; the claim then still stands, and the call may be made again.
        """
        meta = holder["metadata"]
        path = field.path(meta["namespace"], meta["name"])
        gave = False
        last: ApiFault | None = None
        for _ in range(TRIES):
            live = self.connection.get(path)
            if live["metadata"]["uid"] != meta["uid"]:
                return gave
            claim = claim_of(live)
            if claim is not None and _stands(field, live, claim):
                try:
                    live = self._restore(field, live, claim)
                except ApiFault as fault:
                    if not fault.conflict:
                        raise
                    last = fault
                    continue
                gave = True
            try:
                self._forget(field, live, claim)
            except ApiFault as fault:
                if not fault.conflict:
                    raise
                last = fault
            else:
                return gave
        raise last or ApiFault(409, "the object changed under every try to hand its floor back")

    def _restore(self, field: FloorField, live: Mapping[str, Any], claim: Claim) -> dict[str, Any]:
        """The owner's value, still in our name. A maximum that was lowered since is the limit for it."""
        wiped = not is_ours(live, field.least)  # an object without managers conflicts with every apply
        if claim.own is None and not wiped:
            return self._apply(field, live, {}, claim, force=False)
        default = 1 if field is HPA else 0
        own = min(default if claim.own is None else claim.own, field.max_of(live))
        return self._apply(field, live, {field.least: own}, claim, force=wiped)

    def _forget(self, field: FloorField, live: Mapping[str, Any], claim: Claim | None) -> None:
        """Take our name off, in one step with the field's return to its owner."""
        meta = live["metadata"]
        owners = claim.owners if claim is not None and is_ours(live, field.least) and claim.own is not None else ()
        patch: list[dict[str, Any]] = [
            # not "test": one that fails is a bare 422, while a version that is out of date is a 409
            {"op": "replace", "path": "/metadata/resourceVersion", "value": meta["resourceVersion"]},
            {"op": "replace", "path": "/metadata/managedFields", "value": handed_back(live, field.least, owners)},
        ]
        if ANNOTATION in (meta.get("annotations") or {}):
            key = ANNOTATION.replace("~", "~0").replace("/", "~1")
            patch.append({"op": "remove", "path": f"/metadata/annotations/{key}"})
        self.connection.call(
            "PATCH", field.path(meta["namespace"], meta["name"]), patch, JSON_PATCH, {"fieldManager": MANAGER}
        )

    def _apply(
        self, field: FloorField, holder: Mapping[str, Any], spec: Mapping[str, int], claim: Claim, *, force: bool
    ) -> dict[str, Any]:
        meta = holder["metadata"]
        identity = {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}
        # whoever owns our annotation decides nothing by it; whoever has set the floor is still named by a 409
        stands = claim_of(holder) or claim
        force = force or (is_written_over(holder) and not set_by_other(holder, field, stands))
        if force:  # what is overwritten must be what was looked at, for it is what will be handed back
            identity["resourceVersion"] = meta["resourceVersion"]
        body = {
            "apiVersion": field.api_version,
            "kind": field.kind,
            "metadata": {**identity, "annotations": {ANNOTATION: claim.text()}},
            **({"spec": dict(spec)} if spec else {}),
        }
        query = {"fieldManager": MANAGER, "force": "true" if force else "false"}
        path = field.path(meta["namespace"], meta["name"])
        answer: dict[str, Any] = self.connection.call("PATCH", path, body, APPLY, query)
        return answer


def _stands(field: FloorField, live: Mapping[str, Any], claim: Claim) -> bool:
    """Whether what stands there is what we wrote: nobody else has set it, even if our name was wiped off it."""
    ours = is_ours(live, field.least) or field.floor_of(live) == claim.floor
    return ours and not set_by_other(live, field, claim)
