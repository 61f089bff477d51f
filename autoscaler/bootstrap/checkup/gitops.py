"""Whether Argo CD or Flux sets back what we, or the HPA under us, set: by field managers, labels and annotations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.adapters.kubernetes.claims import Claim, owners_of
from autoscaler.adapters.kubernetes.reverts import ignore_rule
from autoscaler.bootstrap.checkup.asking import Notes, span_text

MANAGERS = {"argocd-controller": "Argo CD", "kustomize-controller": "Flux", "helm-controller": "Flux"}
MARKS = {
    "argocd.argoproj.io/instance": "Argo CD",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LEFT_ALONE_S = 1800.0
"""A floor that has stood for so long is not set back: they look every 3 to 10 minutes, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Written:
    """A field that we or the HPA write. claim: what we left on the object, where the floor is ours and stands."""

    thing: Mapping[str, Any]
    kind: str
    group: str
    field: str
    claim: Claim | None = None

    @property
    def path(self) -> str:
        return f"spec.{self.field}"

    @property
    def name(self) -> str:
        return f"{self.kind} {self.thing['metadata']['name']}"


def look_at_gitops(notes: Notes, written: Written, now_s: float) -> None:
    thing, path = written.thing, written.path
    rule = ignore_rule(written.kind, path, written.group)
    owning = sorted({o.manager for o in owners_of(thing, written.field)} & MANAGERS.keys())
    if owning:
        tools = " and ".join(sorted({MANAGERS[m] for m in owning}))
        words = f"{tools} ({', '.join(owning)}) sets {path} of {written.name}, and sets it back when it syncs"
        notes.warn("gitops", words, rule)
        return
    marked = _mark(thing)
    if marked is None:
        return
    mark, tool = marked
    managed = f"{tool} manages {written.name} ({mark})"
    if written.claim is not None and now_s - written.claim.raised_s > LEFT_ALONE_S:
        stood = span_text(now_s - written.claim.raised_s)
        notes.ok("gitops", f"{managed} and has left our {written.claim.floor} in {path} alone for {stood}")
    elif owners_of(thing, written.field) or _applied(thing, written.field):
        notes.warn("gitops", f"{managed}, and its manifest sets {path}: it is set back when that syncs", rule)
    else:
        words = f"{managed}; whether its manifest sets {path} cannot be seen from here: if it does, it is set back"
        notes.note("gitops", words, rule)


def _mark(thing: Mapping[str, Any]) -> tuple[str, str] | None:
    meta = thing["metadata"]
    names = {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}
    return next(((mark, tool) for mark, tool in MARKS.items() if mark in names), None)


def _applied(thing: Mapping[str, Any], field: str) -> bool:
    """Whether the manifest that was applied from the client's side has the field."""
    text = (thing["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    try:
        return field in json.loads(text or "{}").get("spec", {})
    except (ValueError, AttributeError, TypeError):
        return False
