"""Telling people what they may have forgotten."""

from typing import Protocol

from autoscaler.domain.reminders import OpenPause


class Reminders(Protocol):
    """Somewhere that people look at. May raise: the tick goes on, and the same is told a day later."""

    def remind(self, pause: OpenPause) -> None: ...
