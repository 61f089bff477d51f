"""The history that a running service keeps in memory: read once, then only what is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Codes, DataVerdict, Floats, Panel, SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.ports.metrics import MetricsReader


@dataclass(slots=True)
class History:
    """Demand of the fleet's rows over the last `keep_steps` steps.

    late_steps: newest steps that are asked for again, at least as far back as maxDataAge, so that samples which
        came late are not lost.
    """

    step_s: int
    keep_steps: int
    late_steps: int = 16
    _demands: tuple[tuple[str, Demand], ...] = ()
    _first: int = 0
    _end: int = 0
    _values: Floats = field(default_factory=lambda: np.empty((0, 0)))
    _verdicts: Codes = field(default_factory=lambda: np.empty((0, 0), dtype=np.uint8))

    def collect(self, reader: MetricsReader, fleet: Fleet, now_step: int) -> Panel:
        """Bring every row up to the last completed step before `now_step` and return the whole view.

        New rows (a new workload, or a demand whose query changed) are read over the whole kept window; known
        ones only over what is new. A row that cannot be read is UNREACHABLE, never zero and never dropped.
        """
        rows = tuple(zip(fleet.row_keys(), fleet.demands, strict=True))
        start = now_step - self.keep_steps
        if rows != self._demands:
            self._adopt(reader, rows, start, now_step, self._reread(fleet))
        elif now_step > self._end:
            self._roll(start, now_step)
            first = max(start, self._end - self._reread(fleet))
            self._merge(list(range(len(rows))), _read(reader, fleet.demands, first, now_step, self.step_s), now_step)
        return self.panel()

    def panel(self) -> Panel:
        """A read-only view of what is kept; valid until the next `collect`."""
        width = self._end - self._first
        values, verdicts = self._values[:, :width], self._verdicts[:, :width]
        return Panel(self.step_s, self._first, values, verdicts)

    def _adopt(
        self, reader: MetricsReader, rows: tuple[tuple[str, Demand], ...], start: int, now_step: int, late: int
    ) -> None:
        """Re-order to a new set of rows, keeping what is known, and read what is not."""
        old, kept = self.panel(), {row: i for i, row in enumerate(self._demands)}
        room = self.keep_steps + self._slack
        values = np.full((len(rows), room), np.nan)
        verdicts = np.full((len(rows), room), DataVerdict.UNREACHABLE, dtype=np.uint8)
        same = [(i, kept[row]) for i, row in enumerate(rows) if row in kept]
        before = min(max(start, self._end), now_step)
        if same:
            here, there = [i for i, _ in same], np.array([j for _, j in same])
            values[here, : before - start] = old.columns(start, before, there)
            verdicts[here, : before - start] = old.faults(start, before)[there]
        self._demands, self._first, self._end = rows, start, before if same else start if rows else now_step
        self._values, self._verdicts = values, verdicts
        fresh = [i for i, row in enumerate(rows) if row not in kept]
        for which, first in ((fresh, start), ([i for i, _ in same], max(start, before - late))):
            if which and first < now_step:
                batch = _read(reader, [rows[i][1] for i in which], first, now_step, self.step_s)
                self._merge(which, batch, now_step)

    def _roll(self, start: int, now_step: int) -> None:
        """Make room up to now_step and forget what is before start."""
        if now_step - self._first > self._values.shape[1]:
            gone = min(start - self._first, self._end - self._first)
            left = self._end - self._first - gone
            room = self.keep_steps + self._slack
            values = np.full((self._values.shape[0], room), np.nan)
            verdicts = np.full(values.shape, DataVerdict.UNREACHABLE, dtype=np.uint8)
            values[:, :left] = self._values[:, gone : gone + left]
            verdicts[:, :left] = self._verdicts[:, gone : gone + left]
            self._values, self._verdicts, self._first = values, verdicts, self._first + gone
            if left == 0:
                self._first = self._end = start

    def _merge(self, which: list[int], batch: SeriesBatch, now_step: int) -> None:
        """Write a batch in: usable samples always, a fault where nothing usable stands, silence over nothing."""
        low = batch.first_step - self._first
        high = low + batch.values.shape[1]
        at = np.ix_(np.array(which, dtype=np.int64), np.arange(low, high))
        have = self._verdicts[at]
        new = batch.verdicts == DataVerdict.OK
        told = new | ((have != DataVerdict.OK) & (batch.verdicts != DataVerdict.UNREACHABLE))
        self._values[at] = np.where(new, batch.values, self._values[at])
        self._verdicts[at] = np.where(told, batch.verdicts, have)
        self._end = max(self._end, min(now_step, batch.end_step))

    def _reread(self, fleet: Fleet) -> int:
        """Newest steps to ask for again: whatever is late and would still be used must be able to arrive."""
        return max(self.late_steps, int(fleet.max_data_age_s.max(initial=0) // self.step_s) + 1)

    @property
    def _slack(self) -> int:
        return max(64, self.keep_steps // 16)


def _read(reader: MetricsReader, demands: Sequence[Demand], first: int, end: int, step_s: int) -> SeriesBatch:
    """Ask the reader; one that raises or answers another grid costs this tick's data, not the tick."""
    try:
        batch = reader.load(demands, first, end, step_s)
        fits = batch.step_s == step_s and batch.first_step == first and batch.end_step <= end
        if fits and batch.values.shape[0] == len(demands):
            return batch
    except Exception:  # noqa: BLE001 - whatever the source did, the answer is "unknown"
        batch = None
    raw = np.full((len(demands), end - first), np.nan)
    return SeriesBatch.judge(step_s, first, raw, DataVerdict.UNREACHABLE)
