"""What is looked at of one workload in its cluster: its target, who scales it, and who else writes where we would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.adapters.kubernetes.claims import HPA, SCALED_OBJECT
from autoscaler.adapters.kubernetes.views import LaneView, NamespaceView
from autoscaler.bootstrap.checkup.asking import Notes
from autoscaler.bootstrap.checkup.gitops import Written, look_at_gitops
from autoscaler.bootstrap.checkup.hpa import look_at_hpa, look_at_limits
from autoscaler.bootstrap.checkup.saving import look_at_saving
from autoscaler.bootstrap.checkup.vertical import look_at_vertical
from autoscaler.domain.notes import Condition
from autoscaler.domain.workload import Workload

Thing = Mapping[str, Any]
PAUSED = ("autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas")

_CHECKS = {
    Condition.TARGET_NOT_FOUND: ("target", "mend spec.target, or create it"),
    Condition.TARGET_NOT_SCALABLE: ("target", "name something with a scale subresource, such as a Deployment"),
    Condition.FORBIDDEN: ("permissions", "add the rules that are named for its namespace"),
    Condition.NO_AUTOSCALER: ("autoscaler", None),
    Condition.RIVAL: ("rivals", None),
    Condition.CLUSTER_UNREACHABLE: ("readable", "ask again, and look at the API server"),
    Condition.PODS_PENDING: ("pods", "give the cluster room, or lower the requests: more replicas are of no use now"),
    Condition.PODS_REFUSED: ("pods", "mend what the message names, often a quota or a missing service account"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A workload, what the cluster says of it, all that was listed of its namespace, and the VPAs there."""

    load: Workload
    lane: LaneView
    seen: NamespaceView
    vertical: Sequence[Thing] = ()

    @property
    def scaled_object(self) -> Thing | None:
        return self.lane.holder if self.lane.floor_field is SCALED_OBJECT else None

    @property
    def hpa(self) -> Thing | None:
        """The HPA that moves the target under our floor: the one that carries it, or KEDA's."""
        scaled = self.scaled_object
        if scaled is None:
            return self.lane.holder
        uid = scaled["metadata"]["uid"]
        return next((h for h in self.seen.hpas or () if uid in _owners(h)), None)


def look_at_workload(notes: Notes, case: Case, installation: str, now_s: float) -> None:
    load, lane = case.load, case.lane
    for note in lane.notes:
        check, remedy = _CHECKS.get(note.condition, (note.condition.value, None))
        if check == "pods":
            notes.warn(check, note.words, remedy)
        else:
            notes.fail(check, note.words, remedy, away=note.condition is Condition.CLUSTER_UNREACHABLE)
    if lane.target is None:
        return
    _target(notes, case)
    if lane.holder is not None and lane.floor_field is not None:
        name = lane.holder["metadata"]["name"]
        kind = "HPA" if lane.floor_field is HPA else lane.floor_field.kind
        if lane.claim is not None and lane.claim.by != installation:
            words = f"the Foresail installation {lane.claim.by!r} holds the floor of {kind} {name}"
            remedy = "release it there first, or give --installation as the service has it"
            notes.fail("rivals", f"{words} (for {lane.claim.workload})", remedy)
        else:
            held = "" if lane.claim is None else f"; we hold its floor at {lane.claim.floor}"
            notes.ok("autoscaler", f"{kind} {name} is the only one that scales {load.target}{held}")
        look_at_limits(notes, load, lane)
    elif not load.actuation.is_floor and lane.known and not lane.yielded:
        notes.ok("autoscaler", f"nothing else scales {load.target}")
    if case.scaled_object is not None:
        _keda(notes, case.scaled_object, case.hpa)
    if case.hpa is not None:
        look_at_hpa(notes, case.hpa)
        look_at_saving(notes, load, case.hpa, case.scaled_object)
    look_at_vertical(notes, load, lane.target, case.hpa, case.vertical)
    for written in _written(case):
        look_at_gitops(notes, written, now_s)


def _target(notes: Notes, case: Case) -> None:
    lane, target = case.lane, case.load.target
    ready = "" if lane.pods is None else f", {lane.ready} Ready"
    words = f"{target} has {lane.desired} replica{'' if lane.desired == 1 else 's'}{ready}"
    if lane.desired == 0:
        words = f"{target} is scaled to zero: nothing of ours wakes it"
        notes.warn("target", words, "scale it to one by hand, or leave it to KEDA's activation")
    else:
        notes.ok("target", words)


def _keda(notes: Notes, scaled: Thing, hpa: Thing | None) -> None:
    name = f"ScaledObject {scaled['metadata']['name']}"
    annotations = scaled["metadata"].get("annotations") or {}
    paused = next((mark for mark in PAUSED if annotations.get(mark) not in {None, "false"}), None)
    if paused is not None:
        words = f"{name} is paused ({paused}: {annotations[paused]}): a floor has no effect"
        notes.warn("keda", words, "take the annotation off")
    elif hpa is None:
        words = f"{name} has no HPA: KEDA has not taken it up, or cannot"
        notes.fail("keda", words, "look at its conditions and at the log of keda-operator")


def _written(case: Case) -> Iterator[Written]:
    """The field that we write; and under a floor spec.replicas too, which the HPA writes for us.

    Of a target that is known by its scale alone nobody can tell who else writes it.
    """
    lane, target = case.lane, case.load.target
    if lane.holder is not None and lane.floor_field is not None:
        field = lane.floor_field
        yield Written(lane.holder, field.kind, field.group, field.least, None if lane.foreign else lane.claim)
    if lane.target is not None and lane.target.get("kind") != "Scale":
        yield Written(lane.target, target.kind, target.api_version.rpartition("/")[0], "replicas")


def _owners(thing: Thing) -> set[str]:
    return {str(owner.get("uid")) for owner in thing["metadata"].get("ownerReferences") or []}
