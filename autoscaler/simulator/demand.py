"""A demand store in memory: what the SQLite file keeps, for tests and for services that keep nothing on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.errors import Retryable
from autoscaler.domain.series import Codes, Floats
from autoscaler.ports.history import UNASKED, KeptDemand, overlaid


@dataclass(slots=True)
class MemoryDemandStore:
    """Implements ports.DemandKeeper. failing: every call is Retryable, as on a full disk. saves: calls that worked."""

    failing: bool = False
    saves: int = 0
    _rows: dict[tuple[int, str], tuple[int, Floats, Codes]] = field(default_factory=dict)
    _begins: dict[tuple[int, str], int] = field(default_factory=dict)

    def load(self, keys: Sequence[str], step_s: int, first_step: int, end_step: int) -> KeptDemand:
        self._may_fail()
        values = np.full((len(keys), max(0, end_step - first_step)), np.nan)
        marks = np.full(values.shape, UNASKED, dtype=np.uint8)
        for i, key in enumerate(keys):
            first, held, codes = self._rows.get((step_s, key), (first_step, values[i], marks[i]))
            low, high = max(first, first_step), min(first + len(codes), end_step)
            if low < high:
                values[i, low - first_step : high - first_step] = held[low - first : high - first]
                marks[i, low - first_step : high - first_step] = codes[low - first : high - first]
        begins = {key: self._begins[step_s, key] for key in keys if (step_s, key) in self._begins}
        return KeptDemand(tuple(keys), step_s, first_step, values, marks, begins)

    def save(self, pieces: Sequence[KeptDemand]) -> None:
        self._may_fail()
        for piece in pieces:
            for i, key in enumerate(piece.keys):
                self._overlay(piece, i, (piece.step_s, key))
            self._begins |= {(piece.step_s, key): at for key, at in piece.begins.items()}
        self.saves += 1

    def close(self) -> None:
        """Nothing to let go of."""

    def _overlay(self, piece: KeptDemand, i: int, row: tuple[int, str]) -> None:
        old_first, old_values, old_marks = self._rows.get(row, (piece.first_step, piece.values[i], piece.marks[i]))
        first = min(old_first, piece.first_step)
        end = max(old_first + len(old_marks), piece.end_step)
        values, marks = np.full(end - first, np.nan), np.full(end - first, UNASKED, dtype=np.uint8)
        values[old_first - first : old_first - first + len(old_marks)] = old_values
        marks[old_first - first : old_first - first + len(old_marks)] = old_marks
        put = slice(piece.first_step - first, piece.end_step - first)
        values[put], marks[put] = overlaid(values[put], marks[put], piece.values[i], piece.marks[i])
        self._rows[row] = (first, values, marks)

    def _may_fail(self) -> None:
        if self.failing:
            raise Retryable("no space left on device")
