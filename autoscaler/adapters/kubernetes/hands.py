"""Who set a field by hand, told from field managers: people use clients that update, tools apply or run in a loop."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoscaler.adapters.kubernetes.claims import MANAGER

TOOLS = re.compile(
    r"controller|operator|argocd|flux|helm|terraform|pulumi|ansible|kustomize|keda|autoscaler|crossplane|-apply$|^before-first-apply$",
    re.IGNORECASE,
)
"""Managers that set a field without anybody deciding it at that moment; whoever they are, `Conflict` stops a fight."""


@dataclass(frozen=True, slots=True)
class Hand:
    """scaled: through the scale subresource, as `kubectl scale` does. at_s: of the cluster's clock, since the epoch."""

    manager: str
    at_s: float
    scaled: bool


def hand_on(thing: Mapping[str, Any], field: str) -> Hand | None:
    """The newest change of spec.`field` by hand, where it stands: neither we nor a tool own the field now."""
    newest: Hand | None = None
    for entry in thing["metadata"].get("managedFields") or []:
        if f"f:{field}" not in ((entry.get("fieldsV1") or {}).get("f:spec") or {}):
            continue
        manager = str(entry.get("manager", ""))
        if manager == MANAGER or entry.get("operation", "Update") != "Update" or TOOLS.search(manager):
            return None
        hand = Hand(manager, _moment(entry.get("time")), entry.get("subresource") == "scale")
        newest = hand if newest is None or hand.at_s >= newest.at_s else newest
    return newest


def _moment(text: object) -> float:
    """Seconds since the epoch; -inf where it is not told."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return float("-inf")
