"""Which changes of a status are worth an event: a fixed list, documented in docs/operator.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


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
REASONS = frozenset({reason for reason, _ in _TURNS.values()} | {r for pair in _MOVES.values() for r in pair})


def happenings(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Heard]:
    """From one shown status to the next."""
    old = {c["type"]: c for c in before.get("conditions") or []}
    new = {c["type"]: c for c in after.get("conditions") or []}
    for (kind, status), (reason, warning) in _TURNS.items():
        was, now = old.get(kind, {}).get("status", ""), new.get(kind, {}).get("status", "")
        if now != status or was == now:
            continue
        if was in {"True", "False"} or (kind, status) in _FIRST:
            words = new[kind]["message"] if kind in new else "what is written is valid again and in force"
            yield Heard(reason, words, warning)
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
