"""Demand that is on its way to the store: joined, bounded, and kept while the disk cannot take it."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.errors import AutoscalerError
from autoscaler.ports.history import DemandKeeper, KeptDemand

log = logging.getLogger("foresail")
FLUSH_POINTS = 2_000_000
MOST_POINTS = 20_000_000
"""180 MB. A disk that stays full for so long costs the oldest of it: it is asked of the source after a restart."""


@dataclass(slots=True)
class Pending:
    """points: values that wait. error: why the last attempt to write failed. dropped: values given up."""

    points: int = 0
    error: str | None = None
    dropped: int = 0
    _pieces: deque[KeptDemand] = field(default_factory=deque)
    _since_s: float | None = None

    def add(self, piece: KeptDemand, now_s: float) -> None:
        self._pieces.append(piece)
        self.points += piece.values.size
        self._since_s = now_s if self._since_s is None else self._since_s
        while self.points > MOST_POINTS and len(self._pieces) > 1:
            lost = self._pieces.popleft().values.size
            self.points -= lost
            self.dropped += lost

    def due(self, now_s: float, flush_s: float) -> bool:
        """Time to write: by age, or before much would be lost; after a failure by age only."""
        if self._since_s is None:
            return False
        return now_s >= self._since_s + flush_s or (self.error is None and self.points >= FLUSH_POINTS)

    def write(self, store: DemandKeeper, now_s: float) -> bool:
        """All of it in one transaction; on failure it waits for the next turn."""
        if not self._pieces:
            return True
        pieces = _joined(self._pieces)
        self._pieces.clear()
        try:
            store.save(pieces)
        except (AutoscalerError, OSError) as why:
            self._pieces.extend(pieces)
            self._since_s = now_s
            if self.error is None:
                log.warning("demand_store_failed: %s; it is kept in memory and tried again", why)
            self.error = str(why)
            return False
        if self.error is not None:
            log.info("demand_store_ok")
        self.points, self.error, self._since_s = 0, None, None
        return True


def _joined(pieces: deque[KeptDemand]) -> list[KeptDemand]:
    """Ticks hand over a step at a time; what follows on for the same rows becomes one piece."""
    chains: dict[tuple[tuple[str, ...], int, int], list[KeptDemand]] = {}
    done: list[list[KeptDemand]] = []
    for piece in pieces:
        chain = chains.pop((piece.keys, piece.step_s, piece.first_step), None)
        if chain is None:
            done.append(chain := [])
        chain.append(piece)
        chains[piece.keys, piece.step_s, piece.end_step] = chain
    return [_side_by_side(chain) for chain in done]


def _side_by_side(chain: list[KeptDemand]) -> KeptDemand:
    first = chain[0]
    if len(chain) == 1:
        return first
    begins = {key: at for piece in chain for key, at in piece.begins.items()}
    values = np.concatenate([piece.values for piece in chain], axis=1)
    marks = np.concatenate([piece.marks for piece in chain], axis=1)
    return KeptDemand(first.keys, first.step_s, first.first_step, values, marks, begins)
