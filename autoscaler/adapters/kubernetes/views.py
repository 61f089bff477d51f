"""What one look at the cluster says about one workload, from plain dicts; no call is made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autoscaler.actuation.ceiling import floor_ceiling
from autoscaler.adapters.kubernetes.claims import HPA, SCALED_OBJECT, Claim, FloorField, claim_of, set_by_other
from autoscaler.adapters.kubernetes.pods import PodFacts, facts
from autoscaler.adapters.kubernetes.selectors import matches, parsed
from autoscaler.domain.fleet import NO_LIMIT
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.workload import Actuation, Target, Workload

Thing = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NamespaceView:
    """What was listed of one namespace. targets: per (group and version, kind). None = could not be read.

    faults: what was asked → why there is no answer.
    """

    targets: Mapping[tuple[str, str], Mapping[str, Thing]]
    hpas: Sequence[Thing] | None
    scaled_objects: Sequence[Thing] | None
    budgets: Sequence[Thing] | None
    pods: Sequence[Thing] | None
    faults: Mapping[str, Note] = field(default_factory=dict)
    _found: dict[str, dict[Any, list[Thing]]] = field(default_factory=dict, compare=False, repr=False)

    def aiming(self, at: Target, which: str) -> list[Thing]:
        """Those of `hpas` or `scaled_objects` that scale the target, found once for all lanes."""
        by_target = self._found.get(which)
        if by_target is None:
            by_target = self._found[which] = {}
            for thing in getattr(self, which) or ():
                by_target.setdefault(_aim(thing["spec"]["scaleTargetRef"]), []).append(thing)
        return by_target.get((at.api_version.rpartition("/")[0], at.kind, at.name), [])

    def pods_of(self, selector: Mapping[str, Any]) -> list[Thing]:
        """Those that it matches; looked for among the pods that share its rarest label."""
        by_label = self._found.get("pods")
        if by_label is None:
            by_label = self._found["pods"] = {}
            for pod in self.pods or ():
                for pair in (pod["metadata"].get("labels") or {}).items():
                    by_label.setdefault(pair, []).append(pod)
        near = [by_label.get(pair, []) for pair in (selector.get("matchLabels") or {}).items()]
        among = min(near, key=len) if near else self.pods or ()
        return [pod for pod in among if matches(selector, pod["metadata"].get("labels") or {})]


@dataclass(frozen=True, slots=True)
class LaneView:
    """One workload as it stands. floor_field, holder: the object that carries the floor; None under Scale.

    foreign: the floor was set by somebody else since we wrote it. overridden_s: when what stands there was set by hand.
    """

    known: bool
    desired: int = 0
    ready: int = 0
    floor: int = 0
    ceiling: int = NO_LIMIT
    own_floor: int = 0
    least: int = 0
    raised_s: float = float("-inf")
    overridden_s: float = float("-inf")
    yielded: bool = False
    stuck: bool = False
    target: Thing | None = None
    floor_field: FloorField | None = None
    holder: Thing | None = None
    claim: Claim | None = None
    foreign: bool = False
    pods: PodFacts | None = None
    notes: tuple[Note, ...] = ()


def look(load: Workload, seen: NamespaceView, now_s: float, patience_s: float) -> LaneView:
    """now_s: of the cluster's clock. patience_s: how long pods may wait for a node before more are of no use."""
    target = seen.targets.get((load.target.api_version, load.target.kind), {}).get(load.target.name)
    if target is None:
        fault = seen.faults.get(f"{load.target.api_version} {load.target.kind}")
        missing = Note(Condition.TARGET_NOT_FOUND, f"there is no {load.target} in {load.ref.namespace}")
        return LaneView(known=False, notes=(fault or missing,))
    desired = target.get("spec", {}).get("replicas")
    desired = 1 if desired is None else int(desired)
    mine = _pods_of(target, seen)
    told = None if mine is None else facts(mine, now_s)
    ready = desired if told is None else min(told.ready, desired)
    base = LaneView(
        known=True, desired=desired, ready=ready, floor=desired, target=target, pods=told,
        least=_least(target, desired, mine, seen),
    )  # fmt: skip
    stuck = _stuck(target, told, patience_s)
    notes = (stuck,) if stuck else ()
    if load.actuation.is_floor:
        return _with_floor(load, base, seen, notes, stuck=stuck is not None)
    rival = _rival_of(load, seen)
    if isinstance(rival, Note) and rival.condition is not Condition.RIVAL:
        return LaneView(known=False, notes=(rival,))
    if rival is not None:
        notes = (*notes, rival)
    return replace(base, yielded=rival is not None, stuck=stuck is not None, notes=notes)


def _with_floor(
    load: Workload, base: LaneView, seen: NamespaceView, notes: tuple[Note, ...], *, stuck: bool
) -> LaneView:
    found = _holder(load, seen)
    if isinstance(found, Note):
        known = found.condition is Condition.RIVAL
        return replace(base, known=known, yielded=known, notes=(*notes, found))
    kind, holder = found
    live = kind.floor_of(holder)
    written = live if live is not None else 1 if kind is HPA else 0
    claim = claim_of(holder)
    foreign = claim is not None and (written != claim.floor or set_by_other(holder, kind, claim))
    own = written if claim is None or foreign else claim.own if claim.own is not None else 1 if kind is HPA else 0
    ceiling = int(floor_ceiling(kind.max_of(holder), own))
    return replace(
        base,
        floor=written,
        ceiling=ceiling,
        own_floor=own,
        raised_s=float("-inf") if claim is None else claim.raised_s,
        stuck=stuck,
        floor_field=kind,
        holder=holder,
        claim=claim,
        foreign=foreign,
        notes=notes,
    )


def _holder(load: Workload, seen: NamespaceView) -> tuple[FloorField, Thing] | Note:
    """The one object whose floor we write, or why there is none."""
    hpas, scaled = seen.hpas, seen.scaled_objects
    if hpas is None:
        return seen.faults["horizontalpodautoscalers"]
    theirs = seen.aiming(load.target, "hpas")
    if load.actuation is Actuation.KEDA_FLOOR:
        if scaled is None:
            return seen.faults.get("scaledobjects") or Note(
                Condition.NO_AUTOSCALER, "KedaFloor needs KEDA, and this cluster does not know ScaledObjects"
            )
        objects = seen.aiming(load.target, "scaled_objects")
        names = {o["metadata"]["name"] for o in objects}
        others = [h for h in theirs if _keda_owner(h) not in names]
        if len(objects) == 1 and not others:
            return SCALED_OBJECT, objects[0]
        if not objects:
            return Note(
                Condition.NO_AUTOSCALER, f"no ScaledObject scales {load.target}: KedaFloor raises the floor of one"
            )
        return _rivals(load.target, [("ScaledObject", o) for o in objects] + [("HPA", h) for h in others])
    if len(theirs) == 1:
        if (owner := _keda_owner(theirs[0])) is not None:
            words = f"KEDA restores the HPA of ScaledObject {owner} whenever it differs: use actuation: KedaFloor"
            return Note(Condition.RIVAL, words)
        return HPA, theirs[0]
    if not theirs:
        words = f"no HPA scales {load.target}: HpaFloor raises the floor of one; create it, or use actuation: Scale"
        return Note(Condition.NO_AUTOSCALER, words)
    return _rivals(load.target, [("HPA", hpa) for hpa in theirs])


def _rival_of(load: Workload, seen: NamespaceView) -> Note | None:
    """Who else scales the target of a Scale actuation; what cannot be looked at is not taken for absent."""
    if seen.hpas is None:
        return seen.faults["horizontalpodautoscalers"]
    found = [("HPA", h) for h in seen.aiming(load.target, "hpas")]
    found += [("ScaledObject", o) for o in seen.aiming(load.target, "scaled_objects")]
    if not found:
        return seen.faults.get("scaledobjects")
    kind, thing = found[0]
    words = (
        f"{kind} {thing['metadata']['name']} scales {load.target} too: Scale is for targets without another one; "
        f"use actuation: {'HpaFloor' if kind == 'HPA' else 'KedaFloor'}, or delete it"
    )
    return Note(Condition.RIVAL, words)


def _rivals(target: Target, found: Sequence[tuple[str, Thing]]) -> Note:
    names = " and ".join(f"{kind} {thing['metadata']['name']}" for kind, thing in found)
    return Note(Condition.RIVAL, f"{names} all scale {target}: they fight each other; keep one")


def _keda_owner(hpa: Thing) -> str | None:
    for owner in hpa["metadata"].get("ownerReferences") or []:
        if owner.get("kind") == "ScaledObject":
            return str(owner["name"])
    return None


def _aim(reference: Thing) -> tuple[str, str, str]:
    """Group, kind and name; a ScaledObject may leave kind and group out and means a Deployment."""
    version = reference.get("apiVersion") or "apps/v1"
    return version.rpartition("/")[0], str(reference.get("kind") or "Deployment"), str(reference["name"])


def _pods_of(target: Thing, seen: NamespaceView) -> list[Thing] | None:
    selector = target.get("spec", {}).get("selector")
    if selector is None and (words := target.get("status", {}).get("selector")):
        selector = parsed(words)
    if seen.pods is None or not isinstance(selector, Mapping):
        return None
    return seen.pods_of(selector)


def _least(target: Thing, desired: int, pods: Sequence[Thing] | None, seen: NamespaceView) -> int:
    """What the tightest budget over the target's pods allows; without an answer no shrink is allowed."""
    if seen.budgets is None:
        return desired
    labels = target.get("spec", {}).get("template", {}).get("metadata", {}).get("labels")
    if labels is None:  # of a kind that we know by its scale alone
        labels = pods[0]["metadata"].get("labels") or {} if pods else {}
    least = 0
    for budget in seen.budgets:
        status = budget.get("status") or {}
        if status.get("expectedPods") and matches(budget.get("spec", {}).get("selector"), labels):
            least = max(least, desired - int(status.get("disruptionsAllowed") or 0))
    return least


def _stuck(target: Thing, told: PodFacts | None, patience_s: float) -> Note | None:
    for condition in target.get("status", {}).get("conditions") or []:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return Note(Condition.PODS_REFUSED, f"pods are refused: {str(condition.get('message'))[:300]}")
    if told is not None and told.waiting and told.waiting_s > patience_s:
        words = f"{told.waiting} pods have had no node for {told.waiting_s:.0f} s: {str(told.why)[:300]}"
        return Note(Condition.PODS_PENDING, words)
    return None
