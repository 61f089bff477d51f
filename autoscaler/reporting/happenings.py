"""Which changes of a status are worth an event: a fixed list, documented in docs/operator.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from autoscaler.domain.notes import UNWRITTEN


class Heard(NamedTuple):
    """One event. warning: somebody should look."""

    reason: str
    words: str
    warning: bool


_TURNS: dict[tuple[str, str], tuple[str, bool]] = {
    ("Stalled", "True"): ("InvalidSpec", True),
    ("Stalled", ""): ("SpecAccepted", False),
    ("MetricsAvailable", "False"): ("MetricsUnavailable", True),
    ("MetricsAvailable", "True"): ("MetricsRestored", False),
    ("Held", "True"): ("Held", False),
    ("Held", "False"): ("HoldEnded", False),
    ("Fallback", "True"): ("FallbackActivated", True),
    ("Fallback", "False"): ("FallbackEnded", False),
    ("Conflict", "True"): ("OwnershipConflict", True),
    ("Conflict", "False"): ("ConflictEnded", False),
    ("Paused", "True"): ("Paused", False),
    ("Paused", "False"): ("Resumed", False),
}
_FIRST = frozenset({("Stalled", "True"), ("Conflict", "True")})
"""Told of a new object too; all else is only news as a change from a known answer."""
_MOVES = {True: ("FloorRaised", "FloorLowered"), False: ("ScaledUp", "ScaledDown")}
_STUCK, _FREE = "NotWriting", "WritesAgain"
_UNWRITTEN = frozenset(condition.value for condition in UNWRITTEN)
REASONS = frozenset(
    {_STUCK, _FREE} | {reason for reason, _ in _TURNS.values()} | {r for pair in _MOVES.values() for r in pair}
)


def happenings(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Heard]:
    """From one shown status to the next."""
    old, new = _by_type(before), _by_type(after)
    for (kind, status), (reason, warning) in _TURNS.items():
        was, now = old.get(kind, {}).get("status", ""), new.get(kind, {}).get("status", "")
        if now != status or was == now:
            continue
        if was in {"True", "False"} or (kind, status) in _FIRST:
            words = new[kind]["message"] if kind in new else "what is written is valid again and in force"
            yield Heard(reason, words, warning)
    stuck, now_stuck = _stuck(old), _stuck(new)
    if now_stuck and not stuck:
        yield Heard(_STUCK, now_stuck, True)
    elif stuck and not now_stuck:
        yield Heard(_FREE, "no write is refused any more", False)
    last = after.get("lastDecision")
    if last and last != before.get("lastDecision"):
        floor = after.get("actuation") != "Scale"
        up, down = _MOVES[floor]
        what = "floor" if floor else "replicas"
        yield Heard(
            up if last["to"] >= last["from"] else down,
            f"{what} {last['from']} to {last['to']}: {last['reason']}",
            False,
        )


def _by_type(status: Mapping[str, Any]) -> dict[str, Any]:
    """Of an older object that has the target the Conflict tells: that spec is not wrong."""
    found = {c["type"]: c for c in status.get("conditions") or []}
    if found.get("Stalled", {}).get("reason") == "Conflict":
        del found["Stalled"]
    return found


def _stuck(conditions: Mapping[str, Any]) -> str:
    """Why what is to be written cannot be, of the conditions by their type; empty while it can."""
    for kind in ("Acting", "Ready"):
        one = conditions.get(kind, {})
        if one.get("status") == "False" and one.get("reason") in _UNWRITTEN:
            return str(one["message"])
    return ""
