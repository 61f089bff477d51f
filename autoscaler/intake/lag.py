"""How late each workload's data usually is, learned from samples as they arrive.

Late data and lost data look alike at first: the newest steps are not there. A sample that arrives tells how late
it was; a source that is away sends nothing, so an outage is never taken for lateness.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import LAST_VALUED, Ints, Panel

REMEMBERED = 16
MOST_STEPS = 15
"""A lag up to here is followed whatever maxDataAge says; beyond both, the workload holds on stale data anyway."""


@dataclass(slots=True)
class DataLag:
    """Per row: the latest of its last arrivals. Rows keep their memory while the fleet changes around them."""

    _keys: tuple[str, ...] = ()
    _newest: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    _seen: Ints = field(default_factory=lambda: np.empty((REMEMBERED, 0), dtype=np.int64))

    def observe(self, panel: Panel, fleet: Fleet, now_step: int) -> Ints:
        """[lane], how many of the newest completed steps are usually not in yet; bounded.

        A lane is as late as the latest of its demands.
        """
        if not len(fleet):
            return np.zeros(0, dtype=np.int64)
        most = np.maximum(fleet.max_data_age_s // panel.step_s, MOST_STEPS).astype(np.int64)[fleet.row_lane]
        reach = int(most.max(initial=0)) + 1
        known = panel.faults(now_step - reach, now_step) <= LAST_VALUED
        late = np.where(known.any(axis=1), np.argmax(known[:, ::-1], axis=1), reach)
        self._adopt(fleet.row_keys())
        newest = np.where(late <= most, now_step - 1 - late, -1)
        arrived = (newest > self._newest) & (self._newest >= 0)
        if arrived.any():
            self._seen[1:, arrived] = self._seen[:-1, arrived]
            self._seen[0, arrived] = late[arrived]
        self._newest = np.maximum(self._newest, newest)
        said = max(0, now_step - panel.end_step)  # what the reader itself says is not in yet is no outage
        return fleet.most_over_rows(np.minimum(np.maximum(self._seen.max(axis=0), said), most))

    def _adopt(self, keys: tuple[str, ...]) -> None:
        if keys == self._keys:
            return
        where = {key: row for row, key in enumerate(self._keys)}
        newest = np.full(len(keys), -1, dtype=np.int64)
        seen = np.zeros((REMEMBERED, len(keys)), dtype=np.int64)
        for row, key in enumerate(keys):
            if key in where:
                newest[row], seen[:, row] = self._newest[where[key]], self._seen[:, where[key]]
        self._keys, self._newest, self._seen = keys, newest, seen
