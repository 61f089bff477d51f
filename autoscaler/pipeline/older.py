"""When rows of which older demand has come in are calibrated again: at once, then not more often than is worth it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

RELEARN_S = 60.0
"""History comes newest first, in pieces: a row learns from the first at once, and from all that come soon after it
together.
"""


@dataclass(slots=True)
class Older:
    """By key of a row."""

    _learned_s: dict[str, float] = field(default_factory=dict)
    _heard: dict[str, None] = field(default_factory=dict)

    def due(self, heard: Iterable[str], now_s: float) -> tuple[str, ...]:
        """Whom to calibrate again now, once each. heard: rows of which older demand has come in since the last call.

        A clock that was set back makes nobody wait longer than RELEARN_S.
        """
        self._heard |= dict.fromkeys(heard)
        ready = tuple(key for key in self._heard if self._rested(key, now_s))
        for key in ready:
            del self._heard[key]
        if ready:
            self._learned_s = {key: at for key, at in self._learned_s.items() if not self._rested(key, now_s)}
            self._learned_s |= dict.fromkeys(ready, now_s)
        return ready

    def _rested(self, key: str, now_s: float) -> bool:
        at = self._learned_s.get(key)
        return at is None or not 0 <= now_s - at < RELEARN_S
