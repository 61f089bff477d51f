"""What a service is started with, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """step_s: grid of the history. tick_s: how often we decide. store: file of the record.
    listen: host and port of /metrics and /healthz, None = off. replay_from: run on a past clock from there,
    `speed` times as fast as time passes. history_days: demand kept in memory.
    """

    fleet: tuple[Path, ...]
    store: Path
    step_s: int = 60
    tick_s: float = 15.0
    listen: tuple[str, int] | None = ("127.0.0.1", 9464)
    replay_from: datetime | None = None
    speed: float = 1.0
    history_days: int = 16

    @property
    def real_tick_s(self) -> float:
        """Seconds of machine time between ticks; a replay ticks `speed` times as often."""
        return self.tick_s / self.speed
