"""What passes between the tick's History and the back-fill beside it: whole pieces by queue, no shared arrays.

Both ends append on one side and pop on the other; a deque does that safely between two threads.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from autoscaler.domain.series import Codes, Floats
from autoscaler.domain.workload import Demand


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Demand of some rows from first_step on. values, verdicts: [row, step]; nobody writes to them any more.

    awaited: keys of those whose newest week was lacking before it.
    """

    keys: tuple[str, ...]
    first_step: int
    values: Floats
    verdicts: Codes
    awaited: frozenset[str] = frozenset()

    @property
    def end_step(self) -> int:
        return self.first_step + int(self.values.shape[1])

    @property
    def points(self) -> int:
        return int(self.values.size)


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """The rows that History holds from `now_step` on, by key."""

    demands: dict[str, Demand]
    now_step: int


@dataclass(slots=True)
class Handover:
    """settled: from History, steps that ticks do not ask for again, and who is there. found: to History.

    lacking: keys of rows whose newest week was not answered yet; replaced as a whole.
    """

    settled: deque[Piece | Roster] = field(default_factory=deque)
    found: deque[Piece] = field(default_factory=deque)
    lacking: frozenset[str] = frozenset()
