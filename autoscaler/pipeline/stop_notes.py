"""What stops a workload that people may have forgotten, and the announcement of its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from autoscaler.domain.decision import Decisions
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.policy import NEVER, UNGUARDED


def stop_notes(decisions: Decisions, before_s: float) -> Mapping[int, tuple[Note, ...]]:
    """Pauses without an end while they last; changes by hand while they stand, and once when their time is over.

    before_s: the tick before this one, seconds since the epoch.
    """
    found: dict[int, list[Note]] = defaultdict(list)
    for pause, lanes in decisions.fleet.rules.pauses:
        if pause.pause.until == NEVER:
            words = f"paused by {pause.pause.owner} without an end: {pause.pause.reason} ({pause.origin})"
            for lane in lanes.tolist():
                found[lane].append(Note(Condition.OPEN_ENDED_PAUSE, f"{words}; write until, or remove it"))
    changed_s = decisions.status.overridden_s
    if len(changed_s) and changed_s.max() > -np.inf:
        _by_hand(decisions, before_s, found)
    return {lane: tuple(notes) for lane, notes in found.items()}


def _by_hand(decisions: Decisions, before_s: float, found: dict[int, list[Note]]) -> None:
    changed_s, hold_s = decisions.status.overridden_s, decisions.fleet.rules.override_s
    ends_s = changed_s + hold_s
    over = (ends_s > before_s) & (ends_s <= decisions.now_s) & (hold_s > 0)
    for lane in np.flatnonzero(np.isfinite(ends_s) & (decisions.proposals.overridden | over)).tolist():
        guarded = decisions.fleet.workloads[lane].guarded or UNGUARDED
        rule = str(guarded.override.origin) if guarded.override else "built-in default"
        when = f"set by hand at {_time(changed_s[lane])}"
        if over[lane]:
            words = f"{when}: its {hold_s[lane]:g} s are over ({rule}), deciding again"
            found[lane].append(Note(Condition.RESUMED, words))
        else:
            words = f"{when}: left alone until {_time(ends_s[lane])} ({rule}); pause it for longer"
            found[lane].append(Note(Condition.OVERRIDDEN, words))


def _time(at_s: float) -> str:
    return f"{datetime.fromtimestamp(float(at_s), UTC):%Y-%m-%dT%H:%M:%SZ}"
