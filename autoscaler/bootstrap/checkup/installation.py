"""What is looked at of a Foresail in a cluster: its kinds, its leader, its API, its objects, and what they scale.

Everything is read, under the rights of whoever asks; what he may not see is a note, for it says nothing about Foresail.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from autoscaler.adapters.kubernetes.claims import HPA, SCALED_OBJECT
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.lease import LEASES
from autoscaler.adapters.kubernetes.objects import GROUP, POLICIES, SOURCES, autoscaler_path
from autoscaler.adapters.kubernetes.permissions import OPERATOR
from autoscaler.adapters.kubernetes.reading import Kinds
from autoscaler.bootstrap.checkup.asking import Notes, span_text
from autoscaler.bootstrap.checkup.cluster import look_at_api, look_at_namespaces
from autoscaler.bootstrap.checkup.rights import may
from autoscaler.bootstrap.onlooker import Onlooker
from autoscaler.domain.workload import Workload
from autoscaler.reporting.doctor import Finding
from autoscaler.spec.crd import RESOURCES, crd
from autoscaler.spec.fleet import judge
from autoscaler.spec.objects import document_of, object_name

Thing = Mapping[str, Any]
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
UNDECIDED_S = 300.0
"""An object without a decision for so long is one that nobody decides about."""
RIVALS = frozenset({"Conflict", "RivalAutoscaler"})


@dataclass(frozen=True, slots=True)
class Installed:
    """installation: also the name of its Lease. ours: whether we are the operator's own account, in its pod."""

    installation: str
    ours: bool


def look_at_installation(view: Onlooker, installed: Installed, now: datetime | None = None) -> list[Finding]:
    """Of a server that does not answer, the rest is left alone."""
    at = now or datetime.now(UTC)
    notes = Notes("kubernetes")
    if not look_at_api(notes, view.connection, time.time()):
        return notes.found
    found = notes.found
    try:
        kinds = Kinds(view.connection)
        if not _kinds(found, view):
            return found
        _operator(found, view, installed, at)
        if installed.ours:
            _rights(found, view)
        loads = _objects(found, view, at)
        keda = kinds.of(SCALED_OBJECT.api_version, SCALED_OBJECT.kind) is not None
        if kinds.of(HPA.api_version, HPA.kind) is not None:
            name, ours = installed.installation, installed.ours
            found += look_at_namespaces(view.connection, kinds, name, loads, keda=keda, rights=ours)
    except ApiFault as fault:
        late = Notes("kubernetes")
        late.fail("reachable", f"it stopped answering while we looked: {fault}", "ask again", away=True)
        found += late.found
    return found


def _kinds(found: list[Finding], view: Onlooker) -> bool:
    """Whether the cluster knows our kinds at all."""
    notes = Notes("custom resources")
    known = True
    way = "`foresail crds | kubectl apply --server-side -f -`, or upgrade the chart"
    for kind, resource in RESOURCES.items():
        name = f"{resource.plural}.foresail.dev"
        try:
            there = view.connection.get(f"{CRDS}/{name}")
        except ApiFault as fault:
            if fault.forbidden:
                notes.note("crds", f"whether {name} is current cannot be told: {fault.said}")
                continue
            if not fault.gone:
                raise
            known = False
            notes.fail("crds", f"{name} is not installed", way)
            continue
        if _schema(there) == _schema(crd(kind)):
            notes.ok("crds", f"{name} is what this version makes")
        else:
            notes.warn("crds", f"{name} is of another version than this command", way)
    found += notes.found
    return known


def _schema(definition: Thing) -> Any:
    version: Thing = next((v for v in definition["spec"]["versions"] if v["name"] == "v1alpha1"), {})
    return version.get("schema", {}).get("openAPIV3Schema")


def _operator(found: list[Finding], view: Onlooker, installed: Installed, now: datetime) -> None:
    home = view.api.namespace
    notes = Notes(f"operator (namespace {home})")
    _leader(notes, view, f"{LEASES.format(home)}/{installed.installation}", now)
    try:
        view.api.get("workloads", limit="1")
        notes.ok("api", f"its API answers as {view.api.proxied}")
    except ApiFault as fault:
        if fault.forbidden:
            notes.note("api", fault.said)
        elif fault.status == 404 and "no record" in fault.said:
            notes.warn("api", f"it has decided nothing yet: {fault.said}")
        else:
            notes.fail("api", fault.said, away=True)
    found += notes.found


def _leader(notes: Notes, view: Onlooker, path: str, now: datetime) -> None:
    name = path.rpartition("/")[2]
    try:
        spec = view.connection.get(path)["spec"]
    except ApiFault as fault:
        if fault.forbidden:
            notes.note("leader", f"who leads cannot be told: {fault.said}")
            return
        if not fault.gone:
            raise
        remedy = "install the chart, or name its place with --operator-namespace and --installation"
        notes.fail("leader", f"there is no Lease {name}: no operator ever led here", remedy)
        return
    holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
    remedy = f"look at the operator's pods: kubectl -n {view.api.namespace} get pods, and their logs"
    if not holder or not renewed:
        notes.fail("leader", f"nobody holds the Lease {name}: nothing is written", remedy)
        return
    age_s = (now - datetime.fromisoformat(renewed)).total_seconds()
    if age_s > 2 * float(spec.get("leaseDurationSeconds") or 15):
        notes.fail("leader", f"{holder} has not renewed the Lease for {span_text(age_s)}: nothing is written", remedy)
    else:
        notes.ok("leader", f"{holder} leads, and renewed its Lease {span_text(max(0.0, age_s))} ago")


def _rights(found: list[Finding], view: Onlooker) -> None:
    notes = Notes("rights of the operator")
    refused = [
        f"{verb} {rule.resource}"
        for rule in OPERATOR
        for verb in rule.verbs
        if not may(view.connection, view.namespace, rule, verb)
    ]
    if refused:
        notes.fail(
            "permissions", f"we may not: {', '.join(refused)}", "grant what docs/operator.md lists, or the chart"
        )
    else:
        notes.ok("permissions", f"we may do all that an operator does with its objects ({len(OPERATOR)} rules)")
    found += notes.found


def _objects(found: list[Finding], view: Onlooker, now: datetime) -> Sequence[Workload]:
    """What each object says of itself; the workloads that are valid."""
    things: list[Thing] = []
    for path in (f"{GROUP}/{SOURCES}", f"{GROUP}/{POLICIES}", autoscaler_path(view.namespace)):
        try:
            items = view.connection.items(path)
        except ApiFault as fault:
            if not fault.forbidden:
                raise
            notes = Notes("objects")
            notes.note("objects", fault.said)
            found += notes.found
            continue
        kind = next(k for k, r in RESOURCES.items() if path.endswith(r.plural))
        things += [{"apiVersion": "foresail.dev/v1alpha1", "kind": kind, **item} for item in items]
    notes = Notes("objects")
    fine = sum(not _object(notes, thing, now) for thing in things)
    if fine:
        notes.ok("objects", f"{fine} of {len(things)} objects say that all is well")
    elif not things:
        notes.warn("objects", "there is none of ours that you may see", "foresail advise prints some to begin with")
    found += notes.found
    return judge([document_of(thing) for thing in things]).fleet.compile() if things else ()


def _object(notes: Notes, thing: Thing, now: datetime) -> bool:
    """Whether there was something to say."""
    name, meta, status = object_name(thing), thing["metadata"], thing.get("status") or {}
    told = {c["type"]: c for c in status.get("conditions") or []}
    ready, stalled = told.get("Ready", {}), told.get("Stalled", {})
    age_s = (now - datetime.fromisoformat(meta["creationTimestamp"])).total_seconds()
    before = len(notes.found)
    if stalled.get("status") == "True":
        notes.fail("stalled", f"{name}: {stalled['message']}", "mend the field that it names")
    elif ready.get("status") == "False":
        check = "conflict" if ready["reason"] in RIVALS else "source" if ready["reason"] == "Unreachable" else "ready"
        notes.fail(check, f"{name} is not ready, {ready['reason']}: {ready['message']}")
    elif ready.get("status") != "True" and age_s > UNDECIDED_S:
        remedy = "look at the operator, and whether it looks into this namespace (--namespace)"
        notes.fail("ready", f"{name} is {span_text(age_s)} old and nobody has decided about it", remedy)
    else:
        _lesser(notes, name, told)
    if ready and status.get("observedGeneration") not in {None, meta.get("generation")}:
        notes.note("generation", f"{name}: its newest edit is not in its status yet")
    return len(notes.found) > before


def _lesser(notes: Notes, name: str, told: Mapping[str, Thing]) -> None:
    """What a ready object has to say all the same."""
    for kind in ("Conflict", "Fallback", "Paused"):
        if told.get(kind, {}).get("status") == "True":
            notes.warn(kind.lower(), f"{name}: {told[kind]['message']}")
    if told.get("Acting", {}).get("reason") == "Forbidden":
        notes.fail("permissions", f"{name}: {told['Acting']['message']}")
