"""Handing floors back without a running service: found by the claims on the objects, not by anything remembered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.adapters.kubernetes.claims import ANNOTATION, HPA, SCALED_OBJECT, Claim, FloorField, claim_of
from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.floors import Floors
from autoscaler.adapters.kubernetes.reading import Kinds

log = logging.getLogger("foresail")


@dataclass(frozen=True, slots=True)
class Held:
    """An object whose floor some installation holds."""

    field: FloorField
    thing: dict[str, Any]
    claim: Claim

    @property
    def namespace(self) -> str:
        return str(self.thing["metadata"]["namespace"])

    @property
    def name(self) -> str:
        return f"{self.field.kind} {self.namespace}/{self.thing['metadata']['name']}"


@dataclass(frozen=True, slots=True)
class Released:
    """own: the floor that stands again, None = the default. failed: why it could not be handed back."""

    held: Held
    gave: bool
    failed: str | None = None

    @property
    def words(self) -> str:
        claim = self.held.claim
        if self.failed is not None:
            return f"{self.held.name}: not handed back: {self.failed}"
        if not self.gave:
            return f"{self.held.name}: somebody else had set the floor already; our mark is taken off"
        own = "its default" if claim.own is None else str(claim.own)
        owner = f", owned by {', '.join(o.manager for o in claim.owners)} again" if claim.owners else ""
        return f"{self.held.name}: {self.held.field.least} {claim.floor} → {own}{owner} (of {claim.workload})"


def _warn(words: str) -> None:
    log.warning("floor_not_handed_back %s", words)


def held(
    connection: Connection, kinds: Kinds, installation: str, namespaces: Sequence[str] = (),
    unreadable: Callable[[str], None] = _warn,
) -> list[Held]:  # fmt: skip
    """What this installation holds, in the whole cluster or in `namespaces`. ApiFault when it cannot be listed.

    A mark that somebody has made unreadable says neither whose the floor is nor what it was: it is told, and left.
    """
    found = []
    for field in (HPA, SCALED_OBJECT):
        if field is SCALED_OBJECT and kinds.of(field.api_version, field.kind) is None:
            continue
        base = f"/apis/{field.api_version}"
        paths = [field.path(n) for n in namespaces] or [f"{base}/{field.plural}"]
        for path in paths:
            for thing in connection.items(path):
                if _copied(thing):
                    continue
                claim = claim_of(thing)
                if claim is None and ANNOTATION in (thing["metadata"].get("annotations") or {}):
                    unreadable(_unreadable(field, thing))
                if claim is not None and claim.by == installation:
                    found.append(Held(field, thing, claim))
    return found


def _unreadable(field: FloorField, thing: dict[str, Any]) -> str:
    meta, floor = thing["metadata"], thing["spec"].get(field.least)
    return (
        f"{field.kind} {meta['namespace']}/{meta['name']}: not handed back: its annotation {ANNOTATION} cannot be "
        f"read, somebody has edited it; {field.least} is {floor}: set it to what it should be and remove the annotation"
    )


def _copied(thing: dict[str, Any]) -> bool:
    """KEDA copies the annotations of a ScaledObject to the HPA that it makes: the claim is on the former."""
    return any(o.get("kind") == SCALED_OBJECT.kind for o in thing["metadata"].get("ownerReferences") or [])


def release(floors: Floors, those: Iterable[Held], told: Callable[[Released], None] = lambda _: None) -> list[Released]:
    """Hand each back; one that fails never stops the others."""
    done = []
    for one in those:
        try:
            outcome = Released(one, floors.hand_back(one.field, one.thing))
        except ApiFault as fault:
            outcome = Released(one, gave=False, failed=None if fault.gone else str(fault))
            if fault.gone:
                continue
        except Exception as error:
            log.exception("release_failed object=%s", one.name)
            outcome = Released(one, gave=False, failed=f"{type(error).__name__}: {error}")
        told(outcome)
        done.append(outcome)
    return done
