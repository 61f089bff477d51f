"""The machine's clock."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class SystemClock:
    """Implements ports.Clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ReplayClock:
    """Starts at a past moment and runs `speed` times as fast as the machine's monotonic clock."""

    start: datetime
    speed: float = 1.0
    _zero_s: float = field(default_factory=time.monotonic)

    @staticmethod
    def shared(start: datetime, speed: float, since: datetime) -> ReplayClock:
        """One that stood at `start` when it was `since`: all who are told the same share it, whenever they begin."""
        return ReplayClock(start, speed, time.monotonic() - (datetime.now(UTC) - since).total_seconds())

    def now(self) -> datetime:
        return self.start + timedelta(seconds=(time.monotonic() - self._zero_s) * self.speed)
