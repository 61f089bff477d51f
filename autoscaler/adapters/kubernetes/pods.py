"""What the pods of one workload tell: how many serve, who started when, and who finds no room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

OLDEST_START_S = 86_400.0
"""Starts longer ago than this say little about the next one, and their conditions may have moved since."""


@dataclass(frozen=True, slots=True)
class Start:
    """One pod's way to Ready, in seconds since the epoch of the cluster's clock."""

    uid: str
    created_s: float
    placed_s: float
    ready_s: float


@dataclass(frozen=True, slots=True)
class PodFacts:
    """waiting_s: how long the longest waiting pod has had no node, 0 = none waits. why: the scheduler's words.

    living: uids of all pods that are not on their way out.
    """

    ready: int
    waiting: int
    waiting_s: float
    why: str | None
    starts: tuple[Start, ...]
    living: frozenset[str] = frozenset()


def facts(pods: Sequence[Mapping[str, Any]], now_s: float) -> PodFacts:
    """now_s: of the cluster's clock."""
    living = [p for p in pods if "deletionTimestamp" not in p["metadata"]]
    waiting = [(now_s - since, why) for p in living if (told := _without_node(p)) for since, why in [told]]
    longest = max(waiting, key=lambda w: w[0], default=None)
    return PodFacts(
        ready=sum(1 for p in living if _since(p, "Ready") is not None),
        waiting=len(waiting),
        waiting_s=0.0 if longest is None else max(0.0, longest[0]),
        why=None if longest is None else longest[1],
        starts=tuple(_starts(living, now_s)),
        living=frozenset(p["metadata"]["uid"] for p in living),
    )


def _starts(pods: Iterable[Mapping[str, Any]], now_s: float) -> Iterable[Start]:
    """Pods that went to Ready without a restart; one that crashed on its way says nothing about a start."""
    for pod in pods:
        ready_s, created_s = _since(pod, "Ready"), seconds(pod["metadata"].get("creationTimestamp"))
        if ready_s is None or created_s is None or now_s - created_s > OLDEST_START_S:
            continue
        statuses = pod.get("status", {}).get("containerStatuses") or []
        if any(each.get("restartCount", 0) for each in statuses):
            continue
        placed_s = _since(pod, "PodScheduled") or created_s
        yield Start(pod["metadata"]["uid"], created_s, min(placed_s, ready_s), max(ready_s, created_s))


def _without_node(pod: Mapping[str, Any]) -> tuple[float, str] | None:
    """Since when, and why, the scheduler finds no node for it."""
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            since_s = seconds(pod["metadata"].get("creationTimestamp"))
            return (since_s or 0.0, str(condition.get("message") or condition.get("reason") or "no node"))
    return None


def _since(pod: Mapping[str, Any], kind: str) -> float | None:
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition.get("type") == kind and condition.get("status") == "True":
            return seconds(condition.get("lastTransitionTime"))
    return None


def seconds(text: str | None) -> float | None:
    """RFC 3339 as the API server writes it; whole seconds for most fields."""
    if not text:
        return None
    return datetime.fromisoformat(text).timestamp()
