"""Which destinations take nothing: who stands in for them hears, and one that refuses us is not asked for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from autoscaler.ports.alerts import Delivery, Outcome

DEAD_AFTER_S: Final = 300.0
FIRST_PAUSE_S: Final = 300.0
LONGEST_PAUSE_S: Final = 900.0
GIVE_UP_S: Final = 86_400.0


@dataclass(slots=True)
class Health:
    """Shared by all destinations of one file; each tells of itself. Times are those of alerts."""

    dead_after_s: float = DEAD_AFTER_S
    _since_s: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, name: str, now_s: float) -> None:
        with self._lock:
            self._since_s.setdefault(name, now_s)

    def well(self, name: str) -> None:
        with self._lock:
            self._since_s.pop(name, None)

    def dead(self, name: str, now_s: float) -> bool:
        with self._lock:
            since_s = self._since_s.get(name)
        return since_s is not None and now_s - since_s >= self.dead_after_s


@dataclass(slots=True)
class Shut:
    """A destination that refuses us: asked more and more seldom, after a day not at all until its secret changes."""

    since_s: float | None = None
    words: str = ""
    secrets: str = ""
    pause_s: float = FIRST_PAUSE_S

    def still(self, secrets_now: Callable[[], str], now_s: float) -> Delivery | None:
        """What to answer without asking; None = ask."""
        if self.since_s is None or now_s - self.since_s < GIVE_UP_S:
            return None
        if secrets_now() != self.secrets:
            self.opened()
            return None
        words = f"{self.words}; given up after a day of refusals: mend its secret, or restart after a change"
        return Delivery(Outcome.SHUT, words, LONGEST_PAUSE_S)

    def after(self, delivery: Delivery, secrets_now: Callable[[], str], now_s: float) -> Delivery:
        """The delivery, with a pause that grows as long as it refuses."""
        if delivery.outcome is not Outcome.SHUT:
            self.opened()
            return delivery
        if self.since_s is None:
            self.since_s, self.secrets = now_s, secrets_now()
        self.words = delivery.words
        pause_s = max(self.pause_s, delivery.retry_after_s or 0.0)
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S)
        return Delivery(Outcome.SHUT, delivery.words, pause_s)

    def opened(self) -> None:
        self.since_s, self.words, self.pause_s = None, "", FIRST_PAUSE_S
