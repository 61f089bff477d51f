"""When detection learns from history, and the values for it: copied a few rows at a time, never a fleet's at once.

Two weeks of ten thousand rows are 1.6 GB. What a job is handed is copied in turns, one in each tick and more between
ticks, so that memory is that of a few parts however large the fleet is. A job that failed is begun again after a
minute, five, fifteen, an hour, and then every six hours, as one that hits its limits takes an hour of a processor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import sleep
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.bootstrap.anomaly_learning import Done, Learner, Order
from autoscaler.detection import fitting
from autoscaler.detection.engine import DAY_S
from autoscaler.domain.series import Floats, Ints
from autoscaler.pipeline.detecting import Watch

LOOK_S: Final = 600
"""Whether history has grown is looked at so often."""
GROWN_S: Final = 2 * DAY_S
"""Once so much older history of a row has come in, it is lived through again."""
LEAST_S: Final = DAY_S
ALONE_S: Final = 3600
"""Rows that are fewer than half of all wait so long after the last life."""
RETRY_S: Final = (60, 300, 900, 3600, 21_600)
"""Pauses after failures in a row; the last one stays."""
PART_VALUES: Final = 4 * 1024**2
"""Copied at once: 32 MB, some 30 ms."""
SPARE_S: Final = 0.5
"""Left free before the next tick."""
WAIT_S: Final = 0.02
_LONG_AGO: Final = -(1 << 40)
NEVER: Final = np.iinfo(np.int64).max
Copy = Callable[[Watch, int, int], Floats]
"""Values [row, step] of the rows of a watch, over steps [first, end)."""


def retry_after_s(failures: int) -> int:
    """Seconds until what has failed so often in a row is tried again."""
    return RETRY_S[min(failures, len(RETRY_S)) - 1]


@dataclass(slots=True)
class LearningTurns:
    """Belongs to the thread that ticks. fitted_day: of the last refit that succeeded.

    lived_from: [row], the first step that was known when a row's history was lived through; NEVER.
    """

    learner: Learner
    step_s: int
    fitted_day: int = -1
    keys: tuple[str, ...] = ()
    lived_from: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    failures: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    """In a row, of lives and of refits."""
    _retry_at: dict[bool, int] = field(default_factory=lambda: {True: _LONG_AGO, False: _LONG_AGO})
    _order: Order | None = None
    _known: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    _waiting: list[Watch] = field(default_factory=list)
    _not_before: int = _LONG_AGO
    _lived_at: int = _LONG_AGO

    @property
    def filling(self) -> bool:
        """Whether the job under way still lacks values."""
        return bool(self._waiting) and self.learner.filling

    def adopt(self, watch: Watch) -> None:
        """Other rows: a job whose values are not all there is dropped, and those that stay keep what they lived."""
        was = dict(zip(self.keys, self.lived_from.tolist(), strict=True))
        self.keys = watch.watched.keys
        self.lived_from = np.array([was.get(key, NEVER) for key in self.keys], dtype=np.int64)
        if self.filling:
            self.learner.abandon()
            self._waiting, self._order, self._not_before = [], None, _LONG_AGO

    def lived_all(self, first_step: int) -> None:
        """As if history from this step on had been lived through."""
        self.lived_from = np.full(len(self.keys), first_step, dtype=np.int64)

    def missed(self) -> None:
        """More has passed than a tick can look at: it has to be lived through."""
        self.lived_from = np.full(len(self.keys), NEVER, dtype=np.int64)
        self._lived_at = _LONG_AGO

    def due(self, step: int) -> bool:
        """Whether it is time to look; cheap."""
        return not self.learner.busy and step >= self._not_before

    def look(self, watch: Watch, known: Ints, step: int, next_step: int) -> None:
        """Begin a job where there is a reason to. known: [row], the first step of which anything is known, within what
        is learned from; NEVER. next_step: the end of what is learned from.
        """
        self._not_before = step + max(1, LOOK_S // self.step_s)
        long_enough = known <= next_step - LEAST_S // self.step_s
        if not long_enough.any():
            return
        never = self.lived_from == NEVER
        gained = np.where(never, np.where(long_enough, GROWN_S, 0), (self.lived_from - known) * self.step_s)
        grown = int((long_enough & (gained >= GROWN_S)).sum())
        lives = 2 * grown >= watch.rows or (grown > 0 and (step - self._lived_at) * self.step_s >= ALONE_S)
        lives = lives and step >= self._retry_at[True]
        other_day = next_step * self.step_s // DAY_S != self.fitted_day
        if not lives and not (other_day and step >= self._retry_at[False]):
            return
        first = int(known.min())
        order = Order(watch, self.step_s, first, next_step - first, lives)
        if self.learner.begin(order):
            self._order, self._known = order, np.where(long_enough, known, NEVER)
            self._waiting = watch.parts(max(1, PART_VALUES // order.steps))
            if lives:
                self._lived_at = step

    def give(self, copy: Copy) -> None:
        """One part, if the job can take it now; all of them where it runs in this thread."""
        while self._order is not None and self.filling and self.learner.wants:
            part = self._waiting.pop(0)
            self.learner.add(copy(part, self._order.first_step, self._order.first_step + self._order.steps))
            if self.learner.own_process:
                return

    def work(self, copy: Copy, left_s: Callable[[], float]) -> None:
        """Between ticks. left_s: seconds until the next one."""
        while self.filling and left_s() > SPARE_S:
            if self.learner.wants:
                self.give(copy)
            else:
                sleep(WAIT_S)  # the part before is on its way to the disk

    def ended(self, done: Done, step: int) -> None:
        """What a job came to."""
        order, self._order, self._waiting = self._order, None, []
        if done.failed is not None:
            self.failures[done.lives] += 1
            again_s = retry_after_s(self.failures[done.lives])
            self._retry_at[done.lives] = step + max(1, again_s // self.step_s)
            self._not_before = step + max(1, min(again_s, LOOK_S) // self.step_s)
            self.learner.trouble = f"{done.failed}; tried again in {again_s // 60} min"
            return
        self.failures[done.lives] = 0
        self.fitted_day = done.end_step * self.step_s // DAY_S
        if done.lives and order is not None:
            now = dict(zip(order.watch.watched.keys, self._known.tolist(), strict=True))
            pairs = zip(self.keys, self.lived_from.tolist(), strict=True)
            self.lived_from = np.array([now.get(key, before) for key, before in pairs], dtype=np.int64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "day": np.array([self.fitted_day], dtype=np.int64),
            "key": np.array([key.encode() for key in self.keys], dtype=bytes),
            "from": self.lived_from.copy(),
        }

    def restore(self, saved: Mapping[str, NDArray[Any]], next_step: int) -> None:
        """An older version kept nothing of this: then all that is there counts as lived through."""
        if not saved:
            self.lived_all(next_step - fitting.HISTORY_S // self.step_s)
            return
        self.fitted_day = int(saved["day"][0])
        was = dict(zip((bytes(key) for key in saved["key"].tolist()), saved["from"].tolist(), strict=True))
        self.lived_from = np.array([was.get(key.encode(), NEVER) for key in self.keys], dtype=np.int64)
