"""Label selectors as the API has them, matched here: a list per namespace serves all its workloads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """metav1.LabelSelector: an empty one matches everything, none at all matches nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(each, labels) for each in selector.get("matchExpressions") or [])


def _holds(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = requirement["key"], requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


def parsed(text: str) -> dict[str, Any] | None:
    """A selector in the words of a scale subresource (`a=b,tier in (x,y),!old`); None for one that cannot be read."""
    labels: dict[str, str] = {}
    expressions: list[dict[str, Any]] = []
    for part in filter(None, (p.strip() for p in re.split(r",(?![^()]*\))", text))):
        if listed := re.fullmatch(r"([\w./-]+)\s+(in|notin)\s+\(([^)]*)\)", part):
            operator = "In" if listed[2] == "in" else "NotIn"
            values = [v.strip() for v in listed[3].split(",")]
            expressions.append({"key": listed[1], "operator": operator, "values": values})
        elif equal := re.fullmatch(r"([\w./-]+)\s*==?\s*([\w.-]*)", part):
            labels[equal[1]] = equal[2]
        elif unequal := re.fullmatch(r"([\w./-]+)\s*!=\s*([\w.-]*)", part):
            expressions.append({"key": unequal[1], "operator": "NotIn", "values": [unequal[2]]})
        elif bare := re.fullmatch(r"(!?)([\w./-]+)", part):
            expressions.append({"key": bare[2], "operator": "DoesNotExist" if bare[1] else "Exists"})
        else:
            return None
    return {"matchLabels": labels, "matchExpressions": expressions}
