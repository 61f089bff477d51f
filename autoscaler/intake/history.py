"""The history that a running service keeps in memory: what is new is read by the tick, the rest comes beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Codes, DataVerdict, Floats, Ints, Panel, SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.intake.handover import Handover, Piece, Roster
from autoscaler.intake.taken_back import Taken, TakenBack, mask
from autoscaler.ports.history import told
from autoscaler.ports.metrics import MetricsReader

FOUND_POINTS = 4_000_000
"""Values of the back-fill that one tick takes in (about 0.1 s); the others wait for the next."""


@dataclass(slots=True)
class History:
    """Demand of the fleet's rows over the last `keep_steps` steps.

    late_steps: newest steps that are asked for again, so that samples which came late are not lost; grows to the
        largest maxDataAge of the fleet, as whatever is late and would still be used must be able to arrive.
    recent_steps: most that one tick asks for; what is older comes from a back-fill through `handover`.
    None = everything at once, for simulators and for sources that cost nothing.
    taken_back: what is not to be learned from, whenever and by whomever it is told.
    """

    step_s: int
    keep_steps: int
    late_steps: int = 5
    recent_steps: int | None = None
    handover: Handover | None = None
    taken_back: TakenBack = field(default_factory=TakenBack)
    _older: dict[str, None] = field(default_factory=dict)
    _fleet: Fleet | None = None
    _keys: tuple[str, ...] = ()
    _at: dict[str, int] = field(default_factory=dict)
    _first: int = 0
    _end: int = 0
    _told: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # [row], steps before it were handed over
    _values: Floats = field(default_factory=lambda: np.empty((0, 0)))
    _verdicts: Codes = field(default_factory=lambda: np.empty((0, 0), dtype=np.uint8))
    _notes: dict[int, str] = field(default_factory=dict)

    def collect(self, reader: MetricsReader, fleet: Fleet, now_step: int) -> Panel:
        """Bring every row up to the last completed step before `now_step` and return the whole view.

        New rows (a new workload, or a demand whose query changed) are read over the recent window; known ones
        only over what is new. A row that cannot be read is UNREACHABLE, never zero and never dropped.
        """
        start = now_step - self.keep_steps
        floor = start if self.recent_steps is None else max(start, now_step - self.recent_steps)
        self._skip_to(floor)
        fresh: list[int] | None = None
        if fleet is not self._fleet:
            self.late_steps = max(self.late_steps, int(fleet.max_data_age_s.max(initial=0) // self.step_s) + 1)
            fresh = self._adopt(fleet, start, now_step)
        if now_step > self._end:
            self._roll(start, now_step)
        first = max(floor, self._end - self.late_steps)
        news = now_step > self._end
        covered = self._take_found(now_step, everything=fresh is not None)
        if fresh is not None:
            self._read_changed(reader, fresh, covered, (first, floor), now_step)
        elif news:
            self._read(reader, None, first, now_step)
        self._hand_over(self._end - self.late_steps)
        return self.panel()

    def panel(self) -> Panel:
        """A read-only view of what is kept; valid until the next `collect`."""
        width = self._end - self._first
        values, verdicts = self._values[:, :width], self._verdicts[:, :width]
        return Panel(self.step_s, self._first, values, verdicts, dict(self._notes))

    def older(self) -> tuple[str, ...]:
        """Keys of rows of which the back-fill has brought older demand since this was asked last: what was learned
        before did not know it.
        """
        found, self._older = tuple(self._older), {}
        return found

    @property
    def lacking(self) -> frozenset[str]:
        """Keys of rows whose newest week is still being fetched, and has not been taken in."""
        if self.handover is None:
            return frozenset()
        lacking = self.handover.lacking  # first: who is answered meanwhile is found below
        return lacking.union(*(piece.awaited for piece in list(self.handover.found)))

    def take_back(self, taken: Taken) -> None:
        """What stands there is not to be learned from, now and when it is told again."""
        self.taken_back.add(taken)
        self._mask(taken)

    def _mask(self, taken: Taken) -> None:
        low, high = max(taken.first, self._first), min(taken.end, self._end)
        row = self._at.get(taken.key)
        if row is not None and low < high:
            mask(self._values, self._verdicts, row, slice(low - self._first, high - self._first), taken.code)

    def _adopt(self, fleet: Fleet, start: int, now_step: int) -> list[int] | None:
        """Re-order to a new fleet, keeping what is known; the rows that are not, or None if no row changed."""
        keys, self._fleet = fleet.row_keys(), fleet
        if keys == self._keys:
            return None
        old, kept = self.panel(), self._at
        room = self.keep_steps + self._slack
        values = np.full((len(keys), room), np.nan)
        verdicts = np.full((len(keys), room), DataVerdict.UNREACHABLE, dtype=np.uint8)
        told_to = np.full(len(keys), start, dtype=np.int64)
        same = [(i, kept[key]) for i, key in enumerate(keys) if key in kept]
        before = min(max(start, self._end), now_step)
        if same:
            here, there = [i for i, _ in same], np.array([j for _, j in same])
            values[here, : before - start] = old.columns(start, before, there)
            verdicts[here, : before - start] = old.faults(start, before)[there]
            told_to[here] = np.minimum(self._told[there], before)
        self._keys, self._at = keys, {key: i for i, key in enumerate(keys)}
        self._first, self._end = start, before if same else start if keys else now_step
        self._values, self._verdicts, self._told = values, verdicts, told_to
        self._notes = {i: self._notes[j] for i, j in same if j in self._notes}
        if self.handover is not None:
            self.handover.settled.append(Roster(dict(zip(keys, fleet.demands, strict=True)), now_step))
        return [i for i, key in enumerate(keys) if key not in kept]

    def _read_changed(
        self, reader: MetricsReader, fresh: list[int], covered: dict[int, int], starts: tuple[int, int], now_step: int
    ) -> None:
        """After a change of the fleet. starts: for known rows, for new ones; restored rows go on where they ended."""
        new, (known, floor) = set(fresh), starts
        old = [i for i in range(len(self._keys)) if i not in new]
        back = [i for i in fresh if covered.get(i, floor) - self.late_steps > floor]
        begin = min((covered[i] for i in back), default=0) - self.late_steps
        rest = [i for i in fresh if i not in set(back)]
        groups = ((rest, floor), (back, begin), (old, known))
        for which, first in groups:
            if which and which is not old:
                self._told[which] = first
            if which and first < now_step:
                self._read(reader, which, first, now_step)

    def _read(self, reader: MetricsReader, which: list[int] | None, first: int, now_step: int) -> None:
        """Ask for some rows, None = all, over [first, now_step) and keep the answer."""
        demands: Sequence[Demand] = self._fleet.demands if self._fleet is not None else ()
        asked = demands if which is None else [demands[i] for i in which]
        batch = answer_of(reader, asked, first, now_step, self.step_s)
        self._merge(slice(None) if which is None else _rows(which), batch, now_step)
        if which is None:
            self._notes = dict(batch.notes)
        elif self._notes or batch.notes:
            gone = set(which)
            self._notes = {i: note for i, note in self._notes.items() if i not in gone}
            self._notes |= {which[row]: note for row, note in batch.notes.items()}

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
            self.taken_back.cut(self._first)

    def _take_found(self, now_step: int, *, everything: bool) -> dict[int, int]:
        """Merge what the back-fill found; row → end of what it knew of it. With a new fleet all of it at once, as
        that is what a restart begins with; later at most FOUND_POINTS a tick.
        """
        covered: dict[int, int] = {}
        room = FOUND_POINTS
        while self.handover is not None and self.handover.found and (everything or room > 0):
            piece = self.handover.found.popleft()
            room -= piece.points
            here = [(row, self._at[key]) for row, key in enumerate(piece.keys) if key in self._at]
            if not here:
                continue
            rows, which = np.array([row for row, _ in here]), [i for _, i in here]
            values, verdicts = piece.values, piece.verdicts
            if len(here) < len(piece.keys):
                values, verdicts = values[rows], verdicts[rows]
            batch = SeriesBatch(self.step_s, piece.first_step, values, verdicts)
            self._merge(_rows(which), batch, max(now_step, self._end))  # the clock may have been set back
            self._older |= dict.fromkeys(self._keys[i] for i in which)
            if everything:
                asked = verdicts != DataVerdict.UNREACHABLE
                ends = piece.first_step + asked.shape[1] - asked[:, ::-1].argmax(axis=1)
                covered |= {i: int(end) for i, end, any_ in zip(which, ends, asked.any(axis=1), strict=True) if any_}
        return covered

    def _merge(self, rows: Ints | slice, batch: SeriesBatch, limit: int) -> None:
        """Write a batch in, as far as it is inside what is kept and before the step `limit`."""
        low, high = max(batch.first_step, self._first), min(batch.end_step, limit)
        if low >= high:
            return
        take = slice(low - batch.first_step, high - batch.first_step)
        values, new = batch.values[:, take], batch.verdicts[:, take]
        columns = slice(low - self._first, high - self._first)
        have = self._verdicts[rows, columns]
        news = told(have, new)
        self._values[rows, columns] = np.where(news, values, self._values[rows, columns])
        self._verdicts[rows, columns] = np.where(news, new, have)
        self._end = max(self._end, high)
        for taken in self.taken_back.within(low, high, self._named(rows)):
            self._mask(taken)

    def _named(self, rows: Ints | slice) -> Sequence[str] | None:
        """Keys of some rows; None = of all."""
        if isinstance(rows, slice):
            return None if rows == slice(None) else self._keys[rows]
        return [self._keys[row] for row in rows.tolist()]

    def _skip_to(self, floor: int) -> None:
        """Steps before `floor` are not asked for by a tick any more: hand over what is known of them."""
        if self.handover is not None and len(self._told) and int(self._told.min()) < floor:
            self._hand_over(min(floor, self._end))
            np.maximum(self._told, floor, out=self._told)

    def _hand_over(self, upto: int) -> None:
        """Give the back-fill a copy of the steps before `upto` that it was not given."""
        if self.handover is None or not len(self._told) or upto <= int(self._told.min()):
            return
        for first in np.unique(self._told[self._told < upto]).tolist():
            rows = np.flatnonzero(self._told == first)
            columns = slice(max(first, self._first) - self._first, upto - self._first)
            keys = self._keys if len(rows) == len(self._keys) else tuple(self._keys[i] for i in rows.tolist())
            piece = Piece(keys, self._first + columns.start, self._values[rows, columns], self._verdicts[rows, columns])
            self.handover.settled.append(piece)
            self._told[rows] = upto

    @property
    def _slack(self) -> int:
        return max(64, self.keep_steps // 16)


def _rows(which: list[int]) -> Ints | slice:
    """Rows side by side as a slice, which is several times faster to write to."""
    if which and which == list(range(which[0], which[0] + len(which))):
        return slice(which[0], which[0] + len(which))
    return np.array(which, dtype=np.int64)


def answer_of(reader: MetricsReader, demands: Sequence[Demand], first: int, end: int, step_s: int) -> SeriesBatch:
    """Ask the reader; one that raises or answers another grid costs this request's data, nothing else."""
    try:
        batch = reader.load(demands, first, end, step_s)
        fits = batch.step_s == step_s and batch.first_step == first and batch.end_step <= end
        if fits and batch.values.shape[0] == len(demands):
            return batch
    except Exception:  # noqa: BLE001 - whatever the source did, the answer is "unknown"
        batch = None
    raw = np.full((len(demands), end - first), np.nan)
    return SeriesBatch.judge(step_s, first, raw, DataVerdict.UNREACHABLE)
