"""Workloads whose newest history is still being fetched: what stands of them is kept, for an hour at most.

After a lost record nobody remembers why a floor stands, and until the past is in, a forecast knows the last hours
alone. Following those down would take away what a week would have asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.series import Bools

MOST_S: Final = 3600.0
"""A past that has not come by then counts as one that does not come."""
WORDS: Final = (
    "its history is still being fetched: nothing comes down until the newest week is in, an hour after it was first "
    "asked for at most"
)


@dataclass(slots=True)
class Unfilled:
    """By key of a row, when it was first seen to lack its past, seconds since the epoch."""

    _since_s: dict[str, float] = field(default_factory=dict)

    def lanes(self, fleet: Fleet, lacking: Collection[str], now_s: float) -> Bools | None:
        """[lane], what stands counts as wanted; None = nowhere. lacking: keys of rows. A clock that was set back makes
        nobody wait longer.
        """
        self._since_s = {key: at for key, at in self._since_s.items() if key in lacking}
        if not lacking:
            return None
        keys = fleet.row_keys()
        rows = np.fromiter((key in lacking for key in keys), dtype=np.bool_, count=len(keys))
        for row in np.flatnonzero(rows).tolist():
            since_s = self._since_s.setdefault(keys[row], now_s)
            rows[row] = 0 <= now_s - since_s < MOST_S
        return fleet.any_over_rows(rows) if rows.any() else None


def unfilled_notes(lanes: Bools | None) -> Mapping[int, tuple[Note, ...]]:
    """By lane."""
    if lanes is None:
        return {}
    return {lane: (Note(Condition.BACKFILL_PENDING, WORDS),) for lane in np.flatnonzero(lanes).tolist()}
