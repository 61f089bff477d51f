"""When a source may be asked again: one budget for all workloads of a source. Knows no HTTP."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

LONGEST_WAIT_S = 900.0
"""A source that asks for more than this is asked again after it: a wrong Retry-After must not last for days."""


@dataclass(slots=True)
class RetryBudget:
    """A bucket of `burst` attempts, refilled by `per_s` a second, and the source's own wish to be left alone.

    base_s, cap_s: bounds of the exponential backoff; the wait is drawn evenly from zero up to it (full jitter),
    so that callers that failed together do not return together. clock: monotonic seconds.
    """

    burst: float = 10.0
    per_s: float = 0.5
    base_s: float = 0.1
    cap_s: float = 60.0
    clock: Callable[[], float] = time.monotonic
    rng: random.Random = field(default_factory=random.Random)
    _tokens: float = field(init=False)
    _filled_s: float = field(init=False)
    _quiet_until_s: float = field(init=False)
    _throttles: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._tokens = self.burst
        self._filled_s = self._quiet_until_s = self.clock()

    def pause_s(self, attempt: int) -> float | None:
        """Seconds to wait before retry number `attempt` (from 0); None when the budget is spent."""
        with self._lock:
            now = self.clock()
            self._tokens = min(self.burst, self._tokens + (now - self._filled_s) * self.per_s)
            self._filled_s = now
            if self._tokens < 1:
                return None
            self._tokens -= 1
            return self.rng.uniform(0, self._backoff_s(attempt, self.base_s))

    def throttled(self, retry_after_s: float | None) -> float:
        """The source asked us to slow down: nobody asks it before this many seconds have passed.

        Its Retry-After is the least; jitter comes on top. Without one, backoff doubles from a second on. Answers
        to queries that were under way together count once.
        """
        with self._lock:
            now = self.clock()
            if now >= self._quiet_until_s:
                self._throttles += 1
            if retry_after_s is not None and retry_after_s > 0:
                wait_s = retry_after_s + self.rng.uniform(0, min(1.0, retry_after_s / 10))
            else:
                most_s = self._backoff_s(self._throttles - 1, 1.0)
                wait_s = most_s / 2 + self.rng.uniform(0, most_s / 2)
            wait_s = min(wait_s, LONGEST_WAIT_S)
            self._quiet_until_s = max(self._quiet_until_s, now + wait_s)
            return self._quiet_until_s - now

    def answered(self) -> None:
        """The source answers again: the next throttle starts small."""
        with self._lock:
            if self.clock() >= self._quiet_until_s:
                self._throttles = 0

    def quiet_s(self) -> float:
        """Seconds for which the source is to be left alone; zero when it may be asked."""
        with self._lock:
            return max(0.0, self._quiet_until_s - self.clock())

    def _backoff_s(self, attempt: int, base_s: float) -> float:
        return min(self.cap_s, base_s * 2.0 ** max(0, min(attempt, 30)))
