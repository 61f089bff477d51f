"""The time that decisions are made at: our clock, unless the metrics servers disagree with it.

A sample's age is counted in the server's time. Between two answers time is carried on by a monotonic clock, so a
machine whose clock is set back or forward in between decides as if nothing had happened.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from autoscaler.ports.clock import Clock

TOLERATED_S = 2.0
ALARMING_S = 30.0
STEP_S = 1.0
"""A wall clock that went so much further or less far than the monotonic one was set."""
DOUBT_S = 900.0


def elapsed_s() -> float:
    """Seconds that only ever grow, with a suspended machine's sleep counted where the system can."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def agreed_skew_s(skews: Iterable[float | None]) -> float | None:
    """The median of the servers' times less ours; of two in the middle the one nearer to our clock. None = not told."""
    told = sorted(s for s in skews if s is not None and math.isfinite(s))
    if not told:
        return None
    middle = told[(len(told) - 1) // 2 : len(told) // 2 + 1]
    return min(middle, key=abs)


@dataclass(slots=True)
class ServerClock:
    """Implements ports.Clock. `hear` after each round of answers; `now` follows the servers past TOLERATED_S.

    skew_s: the servers' time less ours, as last known.
    """

    local: Clock
    elapsed: Callable[[], float] = elapsed_s
    skew_s: float | None = None
    _theirs: datetime | None = None
    _ours: datetime | None = None
    _at_s: float = 0.0
    _doubted_until_s: float = -math.inf

    def hear(self, skew_s: float | None) -> None:
        """skew_s: the servers' time less ours, as just measured; None leaves what was heard before.

        What is measured is a median over the newest answers. After our clock was set it lags behind, so for a while
        it counts only where it agrees with what the monotonic clock says.
        """
        if skew_s is None:
            return
        ours, at_s = self.local.now(), self.elapsed()
        theirs = ours + timedelta(seconds=skew_s)
        if self._theirs is not None and self._ours is not None:
            passed = timedelta(seconds=at_s - self._at_s)
            if abs((ours - self._ours - passed).total_seconds()) > STEP_S:
                self._doubted_until_s = at_s + DOUBT_S
            carried = self._theirs + passed
            if at_s < self._doubted_until_s and abs((theirs - carried).total_seconds()) > TOLERATED_S:
                theirs = carried
            else:
                self._doubted_until_s = -math.inf
        self._theirs, self._ours, self._at_s = theirs, ours, at_s
        self.skew_s = (theirs - ours).total_seconds()

    def now(self) -> datetime:
        ours = self.local.now()
        if self._theirs is None:
            return ours
        theirs = self._theirs + timedelta(seconds=self.elapsed() - self._at_s)
        return theirs if abs((theirs - ours).total_seconds()) > TOLERATED_S else ours

    @property
    def alarming(self) -> bool:
        return self.skew_s is not None and self.is_alarming(self.skew_s)

    @staticmethod
    def is_alarming(skew_s: float) -> bool:
        return abs(skew_s) > ALARMING_S
