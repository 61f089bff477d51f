"""Answers that look like numbers and are not: a frozen exporter, a changed unit.

Stands between the history and a metrics reader, sees every value once in the order of time, and takes back those
that are suspicious: the workload holds, and nothing is learned from them. State is a few numbers per row.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.series import LAST_VALUED, Bools, Codes, DataVerdict, Floats, Ints, SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.ports.metrics import MetricsReader

REMEMBERED = 64
"""Steps whose finding is kept, for samples that are read again because they may have come late."""


@dataclass(frozen=True, slots=True)
class SuspicionRules:
    """stuck_s: a value that has not moved for this long, and three times longer than it ever did, is stuck.
    basis_s: history that a row needs before it can be called stuck. factors: ratios between units in use
    (percent, milli, kibi, hours, mega, giga); `slack` is the relative distance that still counts as one.
    accepted_s: a new level that lasts this long is the new normal. judged_s: of the first long read, the newest part
    that is judged; the rest is only learned from.
    """

    stuck_s: int = 1800
    basis_s: int = 86400
    factors: tuple[float, ...] = (100.0, 1000.0, 1024.0, 3600.0, 1e6, 1e9)
    slack: float = 0.25
    accepted_s: int = 86400
    judged_s: int = 2 * 86400
    half_life_steps: int = 15


@dataclass(slots=True)
class _Rows:
    """What is remembered of each row: all [row]."""

    next_step: int
    last: Floats
    run: Ints
    longest: Ints
    known: Ints
    log_level: Floats
    off_since: Ints
    found: Codes

    @staticmethod
    def fresh(rows: int, first_step: int) -> _Rows:
        zero = np.zeros(rows, dtype=np.int64)
        return _Rows(
            first_step, np.full(rows, np.nan), zero.copy(), zero.copy(), zero.copy(), np.full(rows, np.nan),
            np.full(rows, -1, dtype=np.int64), np.zeros((rows, REMEMBERED), dtype=np.uint8),
        )  # fmt: skip


@dataclass(slots=True)
class Suspicions:
    """Implements ports.MetricsReader over another reader. Safe to call from several threads."""

    reader: MetricsReader
    rules: SuspicionRules = field(default_factory=SuspicionRules)
    _demands: tuple[Demand, ...] = ()
    _rows: _Rows | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        """What the reader answers, without what is suspicious."""
        batch = self.reader.load(demands, first_step, end_step, step_s)
        with self._lock:
            where = self._known(tuple(demands), first_step)
            return self._judged(batch, where, _capacities(demands))

    def prime(self, demands: Sequence[Demand], kept: SeriesBatch) -> None:
        """Live through what was kept of these demands before a restart, findings included; once, before any load."""
        with self._lock:
            if self._rows is None and kept.values.size:
                where = self._known(tuple(demands), kept.first_step)
                self._judged(kept, where, _capacities(demands))

    def _known(self, demands: tuple[Demand, ...], first_step: int) -> Ints:
        """[row of the batch], its row in the memory; new ones are added, nothing is forgotten for a subset."""
        if self._rows is None:
            self._demands, self._rows = demands, _Rows.fresh(len(demands), first_step)
        index = {d: i for i, d in enumerate(self._demands)}
        new = tuple(dict.fromkeys(d for d in demands if d not in index))
        if new:
            old, more = self._rows, _Rows.fresh(len(new), self._rows.next_step)
            self._rows = _Rows(
                old.next_step,
                *(
                    np.concatenate([getattr(old, name), getattr(more, name)])
                    for name in ("last", "run", "longest", "known", "log_level", "off_since", "found")
                ),
            )
            self._demands += new
            index = {d: i for i, d in enumerate(self._demands)}
        return np.array([index[d] for d in demands], dtype=np.int64)

    def _judged(self, batch: SeriesBatch, where: Ints, capacity: Floats) -> SeriesBatch:
        state = self._rows
        assert state is not None  # noqa: S101 - _known has made it
        codes = np.zeros(batch.values.shape, dtype=np.uint8)
        if state.next_step == batch.first_step:  # a long past is learned from at once, and judged where it is recent
            recent = batch.end_step - self.rules.judged_s // batch.step_s
            state.next_step = max(state.next_step, recent)
        fresh = max(0, state.next_step - batch.first_step)
        for column in range(min(fresh, batch.values.shape[1])):
            step = batch.first_step + column
            if step >= state.next_step - REMEMBERED:
                codes[:, column] = state.found[where, step % REMEMBERED]
        past = min(batch.values.shape[1], fresh)
        wholly = batch.end_step <= state.next_step - REMEMBERED
        self._learn_older(state, batch, past, where, np.full(len(where), wholly) | (state.known[where] == 0))
        for column in range(fresh, batch.values.shape[1]):
            codes[:, column] = self._step(state, batch, where, column, capacity)
        state.next_step = max(state.next_step, batch.end_step)
        if not codes.any():
            return batch
        taken = (codes > 0) & (batch.verdicts <= LAST_VALUED)
        values = np.where(taken, np.nan, batch.values)
        return SeriesBatch(
            batch.step_s,
            batch.first_step,
            values,
            np.where(taken, codes, batch.verdicts),
            self._noted(batch, taken, where),
        )

    def _step(self, state: _Rows, batch: SeriesBatch, where: Ints, column: int, capacity: Floats) -> Codes:
        """Judge one step of all rows in turn and remember it; [row] codes, 0 = nothing suspicious."""
        rules, step_s, step = self.rules, batch.step_s, batch.first_step + column
        value = batch.values[:, column]
        told = batch.verdicts[:, column]
        seen = told <= LAST_VALUED
        last, run = state.last[where], state.run[where]
        same = (seen & (value == last)) | (told == DataVerdict.STUCK)  # found so before a restart
        ended = seen & ~same
        basis = state.known[where] * step_s >= rules.basis_s
        normal = ended & (~basis | (last == 0) | (run <= self._stuck_at(state.longest[where], step_s)))
        state.longest[where] = np.where(normal, np.maximum(state.longest[where], run), state.longest[where])
        run = np.where(same, run + 1, np.where(ended, 1, run))
        stuck = same & basis & (value > 0) & (run > self._stuck_at(state.longest[where], step_s))

        level = np.exp(state.log_level[where])
        off = self._off_by_unit(value, level, capacity, state.off_since[where] >= 0) & seen
        since = np.where(off, np.where(state.off_since[where] < 0, step, state.off_since[where]), -1)
        accepted = off & ((step - since) * step_s >= rules.accepted_s)
        off &= ~accepted
        since = np.where(seen, np.where(accepted, -1, since), state.off_since[where])
        since = np.where((told == DataVerdict.UNIT_CHANGE) & (since < 0), step, since)

        taken = (told == DataVerdict.OK) & (value > 0) & ~off & ~stuck
        gain = 1 - 0.5 ** (1 / rules.half_life_steps)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_value = np.log(value)
        before = state.log_level[where]
        jump = np.isnan(before) | accepted
        state.log_level[where] = np.where(
            taken, np.where(jump, log_value, before + gain * (log_value - before)), before
        )
        state.last[where], state.run[where] = np.where(seen, value, last), run
        state.known[where] += seen | (told == DataVerdict.STUCK)
        state.off_since[where] = since
        codes = np.where(off, DataVerdict.UNIT_CHANGE, np.where(stuck, DataVerdict.STUCK, 0)).astype(np.uint8)
        codes = np.where((told == DataVerdict.STUCK) | (told == DataVerdict.UNIT_CHANGE), told, codes)
        state.found[where, step % REMEMBERED] = codes
        return codes

    def _stuck_at(self, longest: Ints, step_s: int) -> Ints:
        """[row], the longest run of one value that is still believed."""
        return np.maximum(self.rules.stuck_s // step_s, 3 * longest)

    def _off_by_unit(self, value: Floats, level: Floats, capacity: Floats, already: Bools) -> Bools:
        """[row], whether the value stands to the level as one unit to another, at a level that matters.

        Once found, it lasts until a value comes back near the level: noise does not end a change of unit.
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = np.maximum(value / level, level / value)
            near = np.zeros(len(value), dtype=np.bool_)
            for factor in self.rules.factors:
                near |= np.abs(np.log(ratio / factor)) < np.log1p(self.rules.slack)
            near |= already & (ratio > min(self.rules.factors) ** 0.5)
        return near & (level >= 0.1 * capacity) & (value > 0)

    def _learn_older(self, state: _Rows, batch: SeriesBatch, end: int, where: Ints, rows: Bools) -> None:
        """Columns before `end` of some rows: older history tells how long one value may last, and is a basis."""
        if not end:
            return
        for row in np.flatnonzero(rows).tolist():
            known = batch.values[row, :end][batch.verdicts[row, :end] == DataVerdict.OK]
            if len(known):
                at = int(where[row])
                edges = np.flatnonzero(np.diff(known) != 0)
                runs = np.diff(np.concatenate(([-1], edges, [len(known) - 1])))
                state.longest[at] = max(int(state.longest[at]), int(runs.max()))
                state.known[at] += len(known)

    def _noted(self, batch: SeriesBatch, taken: Bools, where: Ints) -> dict[int, str]:
        state, notes = self._rows, dict(batch.notes)
        assert state is not None  # noqa: S101 - as above
        for row in np.flatnonzero(taken[:, -1]).tolist():
            value, at = float(batch.values[row, -1]), int(where[row])
            if state.off_since[at] >= 0:
                notes[row] = f"{value:.4g} where the level was {np.exp(state.log_level[at]):.4g}: another unit?"
            else:
                minutes = int(state.run[at]) * batch.step_s // 60
                longest = int(state.longest[at]) * batch.step_s // 60
                notes[row] = f"exactly {value:.4g} for {minutes} min; never longer than {longest} min before"
        return notes


def _capacities(demands: Sequence[Demand]) -> Floats:
    """[row], 0 where a capacity is not known yet: then any level matters."""
    return np.array([d.capacity_per_replica or 0.0 for d in demands], dtype=np.float64)
