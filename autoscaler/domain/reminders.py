"""Reminders of stops that have no end: at once, then every day, until somebody ends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.policy import NEVER

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class OpenPause:
    """A pause without an end that is in force. policy: "GuardPolicy stop". rule: where it stands.

    since_s, reminded_s: when it was seen first, and told last; seconds since the epoch.
    """

    policy: str
    rule: str
    owner: str
    reason: str
    direction: str
    workloads: int
    since_s: float
    reminded_s: float

    @property
    def words(self) -> str:
        """One sentence, with the way out."""
        since = datetime.fromtimestamp(self.since_s, UTC)
        return (
            f"{self.policy} has paused {self.workloads} workloads ({self.direction}) without an end since "
            f"{since:%Y-%m-%dT%H:%M:%SZ}, by {self.owner}: {self.reason}; write until, or remove it ({self.rule})"
        )


def open_pauses(
    fleet: Fleet, before: Mapping[str, OpenPause], now_s: float
) -> tuple[Mapping[str, OpenPause], tuple[OpenPause, ...]]:
    """By policy, the pauses without an end that are in force now; and those of which people are to be reminded.

    before: as it was at the last look. One that is gone is forgotten: put back, it is new.
    """
    found: dict[str, OpenPause] = {}
    due = []
    for pause, lanes in fleet.rules.pauses:
        if pause.pause.until != NEVER:
            continue
        policy, known = pause.origin.owner, before.get(pause.origin.owner)
        stop = OpenPause(
            policy, str(pause.origin), pause.pause.owner, pause.pause.reason, pause.pause.direction.value, len(lanes),
            now_s if known is None else known.since_s, now_s if known is None else known.reminded_s,
        )  # fmt: skip
        if known is None or now_s - known.reminded_s >= DAY_S:
            stop = replace(stop, reminded_s=now_s)
            due.append(stop)
        found[policy] = stop
    return found, tuple(due)
