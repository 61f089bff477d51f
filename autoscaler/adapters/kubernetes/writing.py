"""Carrying out what was decided, lane by lane: in time, over what was looked at, with its outcome in words."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from autoscaler.adapters.kubernetes.claims import HPA, MANAGER, claim_of, is_ours, owners_of
from autoscaler.adapters.kubernetes.connection import MERGE, Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.floors import Floors, Wish
from autoscaler.adapters.kubernetes.reading import Kinds, target_path
from autoscaler.adapters.kubernetes.views import LaneView
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.workload import Workload

TRIES = 5
"""A rollout writes a status several times a second, each of which makes what was read out of date."""


@dataclass(slots=True)
class Throttle:
    """Until when the server wants no writes; shared by all lanes, by a clock that only runs forward."""

    monotonic: Callable[[], float]
    _until_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, retry_after_s: float) -> None:
        with self._lock:
            self._until_s = max(self._until_s, self.monotonic() + retry_after_s)

    @property
    def left_s(self) -> float:
        with self._lock:
            return max(0.0, self._until_s - self.monotonic())


@dataclass(slots=True)
class Writer:
    """now_s: the service's clock at this moment, for expiry right before each call.

    looks: what was looked at is a copy that may be behind, so the object itself is read right before a write.
    """

    connection: Connection
    kinds: Kinds
    floors: Floors
    throttle: Throttle
    now_s: Callable[[], float]
    looks: bool = False

    def write(self, load: Workload, view: LaneView, request: ScaleRequest) -> Note:
        """What became of it. Never raises for the API: a lane's failed write is its own affair."""
        try:
            if self.looks:
                live = self._again(load, view)
                if _differs(view, live):
                    return Note(Condition.WRITE_CONFLICT, "it has changed a moment ago: decided anew at the next tick")
                view = live
            for _ in range(TRIES):
                if (left_s := self.throttle.left_s) > 0:
                    words = f"the API server asked for {left_s:.1f} s without writes: dropped, decided anew"
                    return Note(Condition.WRITE_THROTTLED, words)
                if self.now_s() > request.expires_s:
                    late_s = self.now_s() - request.expires_s
                    return Note(
                        Condition.WRITE_EXPIRED, f"the decision expired {late_s:.0f} s before its write: dropped"
                    )
                try:
                    return self._once(load, view, request)
                except ApiFault as fault:
                    if not fault.conflict or fault.rivals:
                        raise
                fresh = self._again(load, view)
                standing = self._standing(fresh)
                if standing != request.instead_of:
                    words = (
                        f"it was {request.instead_of} when decided and is {standing} now: decided anew at the next tick"
                    )
                    return Note(Condition.WRITE_CONFLICT, words)
                view = fresh
        except ApiFault as fault:
            return self._failed(load, fault)
        return Note(Condition.WRITE_CONFLICT, f"it changed under {TRIES} tries: decided anew at the next tick")

    def _once(self, load: Workload, view: LaneView, request: ScaleRequest) -> Note:
        if view.floor_field is not None and view.holder is not None:
            field_, holder = view.floor_field, view.holder
            wish = Wish(str(load.ref), request.replicas, self.now_s())
            self.floors.write(field_, holder, view.claim, wish, foreign=view.foreign)
            name = holder["metadata"]["name"]
            what = f"{'HPA' if field_ is HPA else field_.kind} {name} {field_.least}"
            return Note(Condition.WRITTEN, f"{what}: {view.floor} → {request.replicas}")
        target = view.target or {}
        meta = target["metadata"]
        body = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "spec": {"replicas": request.replicas}}
        resource = self.kinds.of(load.target.api_version, load.target.kind)
        if resource is None:
            raise ApiFault(404, f"the cluster does not know {load.target.kind} any more")
        path = target_path(load.target, resource, load.ref.namespace, load.target.name)
        self.connection.call("PATCH", f"{path}/scale", body, MERGE, {"fieldManager": MANAGER})
        return Note(Condition.WRITTEN, f"{load.target} replicas: {view.desired} → {request.replicas}")

    def _again(self, load: Workload, view: LaneView) -> LaneView:
        """The same object as it stands now. ApiFault when it is gone, or another one under its name."""
        if view.floor_field is not None and view.holder is not None:
            meta = view.holder["metadata"]
            live = self.connection.get(view.floor_field.path(meta["namespace"], meta["name"]))
            _same(live, view.holder)
            return replace(view, holder=live)
        resource = self.kinds.of(load.target.api_version, load.target.kind)
        if resource is None:
            raise ApiFault(404, f"the cluster does not know {load.target.kind} any more")
        path = target_path(load.target, resource, load.ref.namespace, load.target.name)
        live = self.connection.get(f"{path}/scale")
        _same(live, view.target or {})
        return replace(view, target=live)

    def _standing(self, view: LaneView) -> int:
        if view.floor_field is not None and view.holder is not None:
            floor = view.floor_field.floor_of(view.holder)
            return floor if floor is not None else 1 if view.floor_field is HPA else 0
        replicas = (view.target or {}).get("spec", {}).get("replicas")
        return 0 if replicas is None else int(replicas)

    def _failed(self, load: Workload, fault: ApiFault) -> Note:
        if fault.throttled:
            self.throttle.hear(fault.retry_after_s or 0.0)
            return Note(Condition.WRITE_THROTTLED, f"{fault}: dropped, decided anew at the next tick")
        if fault.rivals:
            names = ", ".join(fault.rivals)
            return Note(Condition.CHANGED_BY_OTHER, f"{names} has set the floor since: its value is the new own floor")
        if fault.forbidden:
            return Note(Condition.FORBIDDEN, f"not allowed to write for {load.ref}: {fault.said}")
        return Note(Condition.WRITE_FAILED, str(fault))


def _differs(before: LaneView, live: LaneView) -> bool:
    """Whether what a decision rests on is another now; versions alone move with every status."""
    if before.floor_field is None or before.holder is None or live.holder is None:
        return (live.target or {}).get("spec", {}).get("replicas") != before.desired
    least = before.floor_field.least

    def said(holder: Any) -> tuple[Any, ...]:
        return holder["spec"], claim_of(holder), owners_of(holder, least), is_ours(holder, least)

    return said(before.holder) != said(live.holder)


def _same(live: dict[str, Any], before: Any) -> None:
    if live["metadata"]["uid"] != before.get("metadata", {}).get("uid"):
        raise ApiFault(404, f"{live['metadata']['name']} was deleted and made anew: looked at anew at the next tick")
