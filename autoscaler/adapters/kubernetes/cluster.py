"""The replicas of a fleet on a real cluster: implements ports.Cluster."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from autoscaler.adapters.kubernetes.claims import Claim, FloorField, is_ours, last_set, owners_of
from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.floors import Floors
from autoscaler.adapters.kubernetes.hands import hand_on
from autoscaler.adapters.kubernetes.overlaps import overlapping
from autoscaler.adapters.kubernetes.reading import Kept, Kinds, Reader
from autoscaler.adapters.kubernetes.reverts import Reverts, ignore_rule
from autoscaler.adapters.kubernetes.views import LaneView, NamespaceView, Thing, look
from autoscaler.adapters.kubernetes.writing import Throttle, Writer
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.replicas import PodStart, ReplicaStatus, ScaleRequest
from autoscaler.domain.workload import Mode, Workload, WorkloadRef
from autoscaler.ports.clock import Clock

log = logging.getLogger("foresail")

PATIENCE_S = 300.0
"""How long new pods may wait for a node before more of them are of no use; autoscaled nodes take minutes."""
AT_ONCE = 8


@dataclass(slots=True)
class KubernetesCluster:
    """speed: how much faster the service's clock runs than the cluster's (a replay); 1 in production.

    kept: a copy that watches keep up, in place of a list at each look; what is written is then read right before, and
    before replicas are taken away all that speaks against it.
    """

    connection: Connection
    installation: str
    clock: Clock
    speed: float = 1.0
    wall_s: Callable[[], float] = time.time
    kept: Kept | None = None
    kinds: Kinds = field(init=False)
    floors: Floors = field(init=False)
    _reader: Reader = field(init=False)
    _writer: Writer = field(init=False)
    _reverts: Reverts = field(default_factory=Reverts)
    _views: dict[WorkloadRef, LaneView] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _written: dict[str, int] = field(default_factory=dict)
    _claims: dict[str, Claim] = field(default_factory=dict)
    _replaced: dict[str, int] = field(default_factory=dict)
    _by_hand: dict[str, tuple[tuple[str, float, int], float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kinds = Kinds(self.connection)
        self.floors = Floors(self.connection, self.installation)
        self._reader = Reader(self.connection, self.kinds, self.kept)
        throttle = Throttle(time.monotonic)
        self._writer = Writer(
            self.connection, self.kinds, self.floors, throttle, lambda: self.clock.now().timestamp(),
            looks=self.kept is not None,
        )  # fmt: skip

    def observe(self, fleet: Fleet) -> ReplicaStatus:
        """One look; a lane that cannot be read is not known, with the reason in its notes."""
        seen = self._reader.look(fleet.workloads)
        wall_s, now_s = self.wall_s(), self.clock.now().timestamp()
        views = [self._viewed(load, seen[load.ref.namespace], wall_s, now_s) for load in fleet.workloads]
        for lane, note in overlapping(fleet.workloads, [v.target if v.known else None for v in views]).items():
            views[lane] = replace(views[lane], yielded=True, notes=(*views[lane].notes, note))
        self._views = {load.ref: view for load, view in zip(fleet.workloads, views, strict=True)}
        self._forget()
        return ReplicaStatus(
            known=np.array([v.known for v in views], dtype=np.bool_),
            desired=np.array([v.desired for v in views], dtype=np.int64),
            ready=np.array([v.ready for v in views], dtype=np.int64),
            floor=np.array([v.floor for v in views], dtype=np.int64),
            ceiling=np.array([v.ceiling for v in views], dtype=np.int64),
            yielded=np.array([v.yielded for v in views], dtype=np.bool_),
            stuck=np.array([v.stuck for v in views], dtype=np.bool_),
            least=np.array([v.least for v in views], dtype=np.int64),
            own_floor=np.array([v.own_floor for v in views], dtype=np.int64),
            raised_s=np.array([v.raised_s for v in views], dtype=np.float64),
            overridden_s=np.array([v.overridden_s for v in views], dtype=np.float64),
            notes={lane: v.notes for lane, v in enumerate(views) if v.notes},
            starts=tuple(self._starts(views, wall_s, now_s)),
        )

    def apply(self, fleet: Fleet, requests: Sequence[ScaleRequest], now_s: float) -> Mapping[int, tuple[Note, ...]]:  # noqa: ARG002
        """now_s is the tick's; expiry is judged by the clock right before each write."""
        told = self._speaking_against(fleet, requests) if self.kept is not None else {}
        requests = [request for request in requests if request.lane not in told]
        if not requests:
            return {lane: (note,) for lane, note in told.items()}
        with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="foresail-write") as pool:
            outcomes = list(pool.map(lambda request: self._write(fleet.workloads[request.lane], request), requests))
        told |= {request.lane: outcome for request, outcome in zip(requests, outcomes, strict=True)}
        return {lane: (note,) for lane, note in told.items()}

    def close(self) -> None:
        self.connection.close()

    def _speaking_against(self, fleet: Fleet, requests: Sequence[ScaleRequest]) -> dict[int, Note]:
        """By lane, why replicas are not taken away: the server itself says otherwise than what was kept of it."""
        fewer = {}
        for request in requests:
            view = self._views.get(fleet.workloads[request.lane].ref)
            if view is not None and view.floor_field is None and request.replicas < view.desired:
                fewer[request.lane] = (request, view)
        if not fewer:
            return {}
        seen = Reader(self.connection, self.kinds).look([fleet.workloads[lane] for lane in fewer])
        told, wall_s = {}, self.wall_s()
        for lane, (request, before) in fewer.items():
            load = fleet.workloads[lane]
            live = look(load, seen[load.ref.namespace], wall_s, PATIENCE_S / self.speed)
            if not live.known or live.yielded:
                told[lane] = live.notes[-1]
            elif live.least > request.replicas and live.least > before.least:
                words = f"a disruption budget asks for {live.least} now: decided anew at the next tick"
                told[lane] = Note(Condition.WRITE_CONFLICT, words)
        return told

    def _viewed(self, load: Workload, seen: NamespaceView, wall_s: float, now_s: float) -> LaneView:
        """One lane; an object that is not built as we think costs its own lane alone."""
        try:
            view = self._judged(load, look(load, seen, wall_s, PATIENCE_S / self.speed), now_s)
            return self._with_hand(load, view, wall_s, now_s)
        except Exception as error:
            log.exception("lane_not_understood workload=%s", load.ref)
            words = f"what the cluster says of {load.ref} is not understood: {type(error).__name__}: {error}"
            return LaneView(known=False, notes=(Note(Condition.CLUSTER_UNREACHABLE, words),))

    def _write(self, load: Workload, request: ScaleRequest) -> Note:
        view = self._views.get(load.ref)
        if view is None or not view.known:
            return Note(Condition.TARGET_NOT_FOUND, f"{load.ref} was not looked at")
        try:
            outcome = self._writer.write(load, view, request)
        except Exception as error:
            log.exception("write_failed workload=%s", load.ref)
            return Note(Condition.WRITE_FAILED, f"{type(error).__name__}: {error}")
        if outcome.condition is Condition.WRITTEN and view.floor_field is None and view.target is not None:
            self._written[view.target["metadata"]["uid"]] = request.replicas
            self._replaced.pop(view.target["metadata"]["uid"], None)
        return outcome

    def _judged(self, load: Workload, view: LaneView, now_s: float) -> LaneView:
        """With what only memory can tell: whether somebody keeps setting our field back."""
        if not view.known:
            return view
        thing, path, kind, group = self._ours(load, view)
        if thing is None:
            return view
        if view.floor_field is not None:
            view = self._with_claim(view, thing, view.floor_field)
        if view.yielded:
            return view
        if view.claim is not None and view.claim.by != self.installation:
            words = f"the Foresail installation {view.claim.by!r} holds the floor of {thing['metadata']['name']}"
            note = Note(Condition.RIVAL, f"{words} (for {view.claim.workload}): release it there first")
            return replace(view, yielded=True, notes=(*view.notes, note))
        uid = thing["metadata"]["uid"]
        if view.foreign and view.claim is not None:
            field_name = path.rpartition(".")[2]
            names = ", ".join(o.manager for o in owners_of(thing, field_name)) or "somebody"
            mark = (
                f"{last_set(thing, field_name)} {view.floor} {view.claim.raised_s}"  # what of theirs undid what of ours
            )
            self._reverts.note(uid, mark, names, now_s)
            words = f"{names} has set {path} to {view.floor} (we had {view.claim.floor}): it is the new own floor"
            view = replace(view, notes=(*view.notes, Note(Condition.CHANGED_BY_OTHER, words)))
        elif view.floor_field is None and self._written.get(uid, view.desired) != view.desired:
            names = ", ".join(o.manager for o in owners_of(thing, "replicas")) or "somebody"
            self._reverts.note(uid, f"after ours, seen at {now_s}", names, now_s)
            words = f"{names} has set spec.replicas to {view.desired} (we had {self._written.pop(uid)})"
            self._replaced[uid] = view.desired
            view = replace(view, notes=(*view.notes, Note(Condition.CHANGED_BY_OTHER, words)))
        stopped = self._reverts.stopped(uid, now_s)
        if stopped is None:
            return view
        words = (
            f"{stopped} set {path} of {kind} {thing['metadata']['name']} back three times in ten minutes: "
            f"nothing is written for an hour. {ignore_rule(kind, path, group)}"
        )
        return replace(view, yielded=True, notes=(*view.notes, Note(Condition.CONFLICT, words)))

    def _with_hand(self, load: Workload, view: LaneView, wall_s: float, now_s: float) -> LaneView:
        """With when somebody set by hand what stands there now. Advice overrules nobody, so nobody overrules it.

        Of replicas only what came through the scale subresource is told apart without memory: that is nobody's
        manifest. Anything else was by hand if it replaced what we had written.
        """
        thing, path, _, _ = self._ours(load, view)
        if load.mode is not Mode.ACT or not view.known or thing is None:
            return view
        hand = hand_on(thing, path.rpartition(".")[2])
        uid, floor = thing["metadata"]["uid"], view.floor_field is not None
        replaced = view.foreign if floor else self._replaced.get(uid) == view.desired
        if hand is None or not (replaced or (hand.scaled and not floor)):
            return view
        mark = (hand.manager, hand.at_s, view.floor if floor else view.desired)
        known = self._by_hand.get(uid)
        if known is None or known[0] != mark:
            at_s = min(now_s - (wall_s - hand.at_s) * self.speed, now_s)
            known = self._by_hand[uid] = (mark, at_s if np.isfinite(at_s) else now_s)
        return replace(view, overridden_s=known[1])

    def _with_claim(self, view: LaneView, holder: Thing, kind: FloorField) -> LaneView:
        """What we hold must have its claim; our own value is never taken for the owner's."""
        uid = holder["metadata"]["uid"]
        if view.claim is not None:
            self._claims[uid] = view.claim
            return view
        if not is_ours(holder, kind.least):
            self._claims.pop(uid, None)
            return view
        name, known = f"{kind.kind} {holder['metadata']['name']}", self._claims.get(uid)
        if known is None:
            words = f"we own spec.{kind.least} of {name}, and the annotation that tells whose value it was is gone"
            note = Note(Condition.CONFLICT, f"{words}: set the field by hand, then it is theirs again")
            return replace(view, yielded=True, notes=(*view.notes, note))
        note = Note(Condition.CHANGED_BY_OTHER, f"our annotation on {name} was removed; the next write puts it back")
        own = known.own if known.own is not None else view.own_floor
        foreign = view.floor != known.floor or bool(owners_of(holder, kind.least))
        return replace(
            view, claim=known, own_floor=view.floor if foreign else own, raised_s=known.raised_s, foreign=foreign,
            notes=(*view.notes, note),
        )  # fmt: skip

    def _ours(self, load: Workload, view: LaneView) -> tuple[Thing | None, str, str, str]:
        """The object that we write for the lane, the field, and the names that a GitOps rule needs."""
        if view.floor_field is not None:
            field_ = view.floor_field
            return view.holder, f"spec.{field_.least}", field_.kind, field_.group
        return view.target, "spec.replicas", load.target.kind, load.target.api_version.rpartition("/")[0]

    def _starts(self, views: Sequence[LaneView], wall_s: float, now_s: float) -> list[PodStart]:
        """Pods that are Ready for the first time, in seconds of the service's clock."""
        found = []
        for lane, view in enumerate(views):
            for start in view.pods.starts if view.pods else ():
                if start.uid in self._told:
                    continue
                created, placed, ready = (
                    now_s - (wall_s - at_s) * self.speed for at_s in (start.created_s, start.placed_s, start.ready_s)
                )
                found.append(PodStart(lane, start.uid, created, placed, ready))
        told = self._told | {start.uid for start in found}
        if all(view.pods is not None for view in views if view.known):  # a pod that was not listed is not gone
            told &= frozenset().union(*(view.pods.living for view in views if view.pods))
        self._told = told
        return found

    def _forget(self) -> None:
        """Memory of objects that are gone."""
        here = {t["metadata"]["uid"] for v in self._views.values() for t in (v.holder, v.target) if t is not None}
        self._reverts.forget_all_but(here)
        for memory in (self._written, self._claims, self._replaced, self._by_hand):
            for uid in memory.keys() - here:
                del memory[uid]
