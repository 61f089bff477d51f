"""What many HPAs remember, as arrays: ring of recommendations and slots of scale events. Knows no rule of scaling.

Counts are whole numbers in float64, so that ±inf can stand for "nothing recorded"; time is in seconds and never
runs back.
"""

from collections import deque

import numpy as np

from autoscaler.domain.series import Bools, Floats


class RecommendationRing:
    """Highest (or lowest) recommendation of the last `window_s` seconds, for each lane.

    Rows are syncs, shared by all lanes; a lane that recommended nothing has the neutral value in that row.
    inclusive: does a recommendation exactly `window_s` old still count (only without `behavior`)?
    """

    def __init__(self, lanes: int, window_s: float, *, highest: bool, inclusive: bool = False) -> None:
        self._window_s = window_s
        self._inclusive = inclusive
        self._reduce = np.maximum if highest else np.minimum
        self._neutral = -np.inf if highest else np.inf
        self._rows: Floats = np.full((24, lanes), self._neutral)
        self._times: deque[float] = deque()
        self._oldest = 0

    def extreme(self, now_s: float, newest: Floats) -> Floats:
        """The extreme of [lane] over the window and `newest`; older rows are forgotten."""
        self.forget(now_s)
        if not self._times:
            return newest
        return np.asarray(self._reduce(self._reduce.reduce(self._rows, axis=0), newest))

    def forget(self, now_s: float) -> None:
        """What is older than the window."""
        cutoff_s = now_s - self._window_s
        while self._times and (self._times[0] < cutoff_s or (not self._inclusive and self._times[0] == cutoff_s)):
            self._times.popleft()
            self._rows[self._oldest] = self._neutral
            self._oldest = (self._oldest + 1) % len(self._rows)

    def at(self, later_s: float, newest: Floats) -> Floats:
        """The extreme of [lane] as it will be at `later_s` if only `newest` is recorded until then."""
        cutoff_s = later_s - self._window_s
        gone = sum(1 for at_s in self._times if at_s < cutoff_s or (not self._inclusive and at_s == cutoff_s))
        kept = (self._oldest + np.arange(gone, len(self._times))) % len(self._rows)
        return np.asarray(self._reduce(self._reduce.reduce(self._rows[kept], axis=0, initial=self._neutral), newest))

    def record(self, now_s: float, recommended: Floats, lanes: Bools) -> None:
        """recommended: [lane], remembered only where `lanes` is true."""
        if self._window_s <= 0 and not self._inclusive:
            return
        if len(self._times) == len(self._rows):
            in_order = np.roll(self._rows, -self._oldest, axis=0)
            self._rows = np.concatenate([in_order, np.full_like(in_order, self._neutral)])
            self._oldest = 0
        row = self._rows[(self._oldest + len(self._times)) % len(self._rows)]
        np.copyto(row, recommended, where=lanes)
        self._times.append(now_s)


class EventSlots:
    """Scale events of one direction, with upstream's reuse of slots: the last stale one gives way, for each lane."""

    def __init__(self, lanes: int, longest_period_s: float) -> None:
        self._longest_period_s = longest_period_s
        self._times: Floats = np.full((4, lanes), np.inf)
        self._changes: Floats = np.zeros((4, lanes))
        self._used = np.zeros(lanes, dtype=np.intp)
        self._newest_s = -np.inf

    def since(self, cutoff_s: float) -> Floats | float:
        """Sum of the changes after `cutoff_s`, [lane] or a plain 0."""
        if self._newest_s <= cutoff_s:
            return 0.0
        total: Floats = np.add.reduce(self._changes, axis=0, where=self._times > cutoff_s)
        return total

    def store(self, now_s: float, changes: Floats, changed: Bools) -> None:
        """changes: [lane], positive where `changed`."""
        lanes = np.flatnonzero(changed)
        if not lanes.size:
            return
        stale = self._times[:, lanes] < now_s - self._longest_period_s
        reused = stale.any(axis=0)
        slot = np.where(reused, len(stale) - 1 - stale[::-1].argmax(axis=0), self._used[lanes])
        if slot.max() >= len(self._times):
            self._times = np.concatenate([self._times, np.full_like(self._times, np.inf)])
            self._changes = np.concatenate([self._changes, np.zeros_like(self._changes)])
        self._times[slot, lanes] = now_s
        self._changes[slot, lanes] = changes[lanes]
        self._used[lanes] += ~reused
        self._newest_s = now_s
