"""What a service learns between two ticks: rows whose history came all at once, few at a time, never into a tick."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final, Protocol

log = logging.getLogger("foresail")
MOST_IN_TICK: Final = 32
"""Rows that learn within a tick: a tenth of a second, and more than thousands need once all have learned."""
SPARE_S: Final = 0.5
"""Left free before the next tick, beside twice what a few rows took lately."""
FORGOTTEN: Final = 0.9
"""Of that, from tick to tick: a pause of the machine passes."""


class Turns(Protocol):
    """waiting: rows whose turn has not come."""

    @property
    def waiting(self) -> int: ...

    def work_one(self) -> int:
        """Let a few of them learn; how many."""
        ...


@dataclass(slots=True)
class BetweenTicks:
    """Belongs to the thread that ticks. longest_s: a few rows at once took, lately."""

    turns: Turns
    clock_s: Callable[[], float] = monotonic
    longest_s: float = 0.0
    _told: int = 0

    def work(self, left_s: Callable[[], float]) -> None:
        """After a tick. left_s: seconds until the next one is due. Raises nothing: who cannot be learned waits on."""
        began_s = at_s = self.clock_s()
        rows = 0
        self.longest_s *= FORGOTTEN
        while self.turns.waiting and left_s() > SPARE_S + 2 * self.longest_s:
            try:
                rows += self.turns.work_one()
            except Exception:
                log.exception("not_learned: these rows wait for the next tick")
            at_s, before_s = self.clock_s(), at_s
            self.longest_s = max(self.longest_s, at_s - before_s)
        waiting = self.turns.waiting
        if rows or waiting != self._told:
            self._told = waiting
            log.info("learned rows=%d in %.1f s, %d wait", rows, at_s - began_s, waiting)
