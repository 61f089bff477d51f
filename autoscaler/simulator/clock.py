"""A clock that moves only when told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True)
class VirtualClock:
    """Implements ports.Clock."""

    at: datetime

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError(f"{self.at!r} has no time zone; pass an aware datetime")

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> datetime:
        """Move forward; never back."""
        if seconds < 0:
            raise ValueError(f"time only moves forward, not by {seconds} s")
        self.at += timedelta(seconds=seconds)
        return self.at
