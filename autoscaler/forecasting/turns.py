"""Who learns within a tick, and who waits for the time between two of them.

History that arrives at once for a whole fleet is learned in a time that no tick has. So a tick teaches a few rows,
those that know least first, then those that learned longest ago; the others are served by what they learned before, or
by what begins rows, and learn after the decision, few at a time, until the next tick is near. What a row learns depends
on its history and its anchor alone: it is the same whenever its turn comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.series import Ints

AT_ONCE = 16
"""Rows that learn together: their numbers stay in a core's own cache, and a turn ends within a tenth of a second."""

Learn = Callable[[Ints], None]
"""Bring some members of a team to what they must have learned."""


@dataclass(slots=True)
class Turns:
    """most: rows that learn within one call for a single origin; None = all that must. A server that has learned
    nothing yet learns all, as a start that brings its history with it decides by it at once.
    """

    most: int | None = None
    _room: int | None = None
    _later: deque[tuple[Ints, Learn]] = field(default_factory=deque)

    def begin(self, *, first: bool) -> None:
        """A new call: who waited is asked for anew."""
        self.forget()
        self._room = None if first else self.most

    def forget(self) -> None:
        """The panel changes: who waited would learn from steps that are no longer where they were."""
        self._later.clear()

    def take(self, members: Ints, learned_at: Ints, learn: Learn) -> None:
        """Let as many of the members learn as there is room for, lowest `learned_at` [member] first."""
        now = members
        if self._room is not None and len(members) > self._room:
            order = members[np.argsort(learned_at, kind="stable")]
            now = order[: self._room]
            self._later.extend((some, learn) for some in pieces(order[self._room :]))
        if self._room is not None:
            self._room -= len(now)
        if len(now):
            learn(now)

    @property
    def waiting(self) -> int:
        """Rows whose turn has not come."""
        return sum(len(members) for members, _ in self._later)

    def work_one(self) -> int:
        """Between two calls: let a few of those learn that wait; how many, 0 when none does.

        The panel of the newest call must still be as it was.
        """
        if not self._later:
            return 0
        members, learn = self._later.popleft()
        learn(members)
        return len(members)


def pieces(members: Ints) -> list[Ints]:
    """In nearly equal parts of at most AT_ONCE."""
    return np.array_split(members, -(-len(members) // AT_ONCE)) if len(members) else []
