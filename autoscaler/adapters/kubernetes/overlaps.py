"""Workloads whose selectors take each other's pods: what belongs to whom can then not be told by anybody.

A selector that is wider than its own pods counts strangers as its own: their readiness, their starts, and in most
queries their load too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autoscaler.adapters.kubernetes.selectors import matches
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.workload import Target, Workload

Pair = tuple[str, str]


def overlapping(loads: Sequence[Workload], targets: Sequence[Mapping[str, Any] | None]) -> dict[int, Note]:
    """By place in `loads`, why a workload is refused. targets: in the same order, None = not known."""
    by_namespace: dict[str, list[int]] = {}
    for lane, (load, target) in enumerate(zip(loads, targets, strict=True)):
        if target is not None and isinstance(target.get("spec", {}).get("selector"), Mapping):
            by_namespace.setdefault(load.ref.namespace, []).append(lane)
    found: dict[int, Note] = {}
    for lanes in by_namespace.values():
        for one, other in _pairs(lanes, targets):
            for mine, theirs in ((one, other), (other, one)):
                found.setdefault(mine, _note(loads[mine], loads[theirs]))
    return found


def _pairs(lanes: Sequence[int], targets: Sequence[Mapping[str, Any] | None]) -> Iterable[tuple[int, int]]:
    """Lanes of which the first one's selector takes pods of the second; looked for by the rarest label."""
    labels = {lane: _labels(targets[lane] or {}) for lane in lanes}
    wearing: dict[Pair, list[int]] = {}
    for lane, worn in labels.items():
        for pair in worn.items():
            wearing.setdefault(pair, []).append(lane)
    for lane in lanes:
        selector = (targets[lane] or {})["spec"]["selector"]
        near = [wearing.get(pair, []) for pair in (selector.get("matchLabels") or {}).items()]
        for other in min(near, key=len) if near else lanes:
            if other != lane and matches(selector, labels[other]):
                yield lane, other


def _labels(target: Mapping[str, Any]) -> Mapping[str, str]:
    template = target.get("spec", {}).get("template") or {}
    return (template.get("metadata") or {}).get("labels") or {}


def _note(mine: Workload, theirs: Workload) -> Note:
    words = (
        f"the selectors of {_of(mine.target)} and of {_of(theirs.target)} (PredictiveAutoscaler {theirs.ref}) take the "
        "same pods: whose they are cannot be told; give each its own labels"
    )
    return Note(Condition.CONFLICT, words)


def _of(target: Target) -> str:
    return f"{target.kind} {target.name}"
