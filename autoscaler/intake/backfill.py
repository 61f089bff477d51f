"""Fills the past of every row beside the ticks: from the store first, then from the source, politely.

A tick reads only what is recent. This reads the rest: newest first, many rows of a source in one request, one
request at a time with a pause after each, and goes on after a restart where it stopped, because what was asked is
kept with the data. It knows neither a source nor a file; time comes from an injected monotonic clock.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.errors import AutoscalerError
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import LAST_VALUED, Bools, DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.intake.backfill_progress import TOLD_FAILURES, BackfillLimits, BackfillProgress
from autoscaler.intake.gaps import SILENT, RowPast
from autoscaler.intake.handover import Handover, Piece, Roster
from autoscaler.intake.history import History, answer_of
from autoscaler.intake.pending import Pending
from autoscaler.ports.history import FINAL, UNASKED, DemandKeeper, KeptDemand
from autoscaler.ports.metrics import MetricsReader

log = logging.getLogger("foresail")
LOOKUP_POINTS = 1_000_000
"""Rows × steps that are read from the store at once."""
WAITING_PIECES = 16
"""Pieces that wait for a tick; with more of them nothing is asked, as ticks are stuck or rare."""
COUNT_EVERY_S = 10.0
TELL_EVERY_S = 60.0
AFTER_ERROR_S = 60.0
NEWEST_S = 7 * 86_400
"""What a forecast needs to know a week: while it lacks, what stands is kept."""


@dataclass(slots=True)
class _Source:
    """next_at_s: when it may be asked again. turn: number of the request that it was asked by last."""

    next_at_s: float = 0.0
    turn: int = 0
    failures: int = 0
    why: str | None = None


@dataclass(slots=True)
class Backfill:
    """`work_once` by hand, or `start` and `stop` a thread that does it. One of the two, never both.

    reader: asked from this thread while ticks ask theirs; give it its own, or one that stands that.
    """

    history: History
    reader: MetricsReader
    store: DemandKeeper
    limits: BackfillLimits = field(default_factory=BackfillLimits)
    clock: Callable[[], float] = time.monotonic
    progress: BackfillProgress = field(default_factory=BackfillProgress)
    _link: Handover = field(default_factory=Handover)
    _rows: dict[str, RowPast] = field(default_factory=dict)
    _open: dict[str, None] = field(default_factory=dict)  # keys, in order, of rows of which something is wanted
    _unread: deque[tuple[str, Demand, int]] = field(default_factory=deque)  # rows to be looked up in the store
    _sources: dict[str, _Source] = field(default_factory=dict)
    _pending: Pending = field(default_factory=Pending)
    _turn: int = 0
    _chunks_done: int = 0
    _restored: int = 0
    _began_s: float | None = None
    _counted_s: float = -np.inf
    _told_s: float = -np.inf
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        if self.history.handover is None:
            self.history.handover = self._link
        self._link = self.history.handover

    def restore(self, fleet: Fleet, now_step: int, most_points: int = 50_000_000) -> int:
        """Before the first tick, and before `start`: what the store has of the fleet, ready for that tick.

        Returns the rows that were known. With more than `most_points` values (450 MB) the rest follows beside the
        ticks.
        """
        self._admit(Roster(dict(zip(fleet.row_keys(), fleet.demands, strict=True)), now_step))
        points = 0
        while self._unread and points < most_points:
            points += self._look_up()
        self._count()
        return self._restored

    def work_once(self) -> float:
        """Listen to the ticks, ask for at most one thing, write if it is time; seconds until there is more to do."""
        wait_s = self._listen()
        if wait_s is None:
            wait_s = self._ask()
        if self._pending.due(self.clock(), self.limits.flush_s):
            self.flush()
        if self._link.lacking:  # whoever lacks no more is not kept waiting for the next count
            self._link.lacking = frozenset(self._lacking(self._link.lacking))
        if self.clock() >= self._counted_s + COUNT_EVERY_S:
            self._count()
        return wait_s

    def flush(self) -> bool:
        """Write what is not in the store yet; False when it cannot be written now: it is kept and tried again."""
        return self._pending.write(self.store, self.clock())

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="foresail-backfill", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Let the request under way end, write what is left. May be called twice."""
        self._stop.set()
        if self._thread is None:
            self._listen()
            self.flush()
        else:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                wait_s = self.work_once()
            except Exception:
                log.exception("backfill_failed")
                wait_s = AFTER_ERROR_S
            self._stop.wait(wait_s)
        try:
            self._listen()
        finally:
            self.flush()

    def _listen(self) -> float | None:
        """Take in what ticks handed over. Seconds to wait while rows are still looked up in the store, else None."""
        while True:
            if self._unread:
                if len(self._link.found) >= WAITING_PIECES:
                    return self.limits.idle_s
                self._look_up()
                if self._unread:
                    return 0.0
            if not self._link.settled:
                return None
            item = self._link.settled.popleft()
            if isinstance(item, Roster):
                self._admit(item)
            else:
                self._live(item)

    def _admit(self, roster: Roster) -> None:
        """Rows that left are forgotten here (the store keeps them); new ones are looked up in the store."""
        waiting = {key for key, _, _ in self._unread}
        self._rows = {key: row for key, row in self._rows.items() if key in roster.demands}
        for row in self._rows.values():
            row.forgotten_from(roster.now_step)
        self._open = {key: None for key in self._open if key in roster.demands}
        self._unread = deque(each for each in self._unread if each[0] in roster.demands)
        new = [key for key in roster.demands if key not in self._rows and key not in waiting]
        if new and self._pending.points:
            self.flush()
        self._unread.extend((key, roster.demands[key], roster.now_step) for key in new)

    def _look_up(self) -> int:
        """Load one batch of rows from the store and hand it to History; points that it took."""
        reach = self.limits.reach(self.history.step_s)
        most = max(1, LOOKUP_POINTS // max(1, reach.reach_steps))
        now_step = self._unread[0][2]
        batch = [self._unread.popleft() for _ in range(min(most, len(self._unread)))]
        keys = tuple(key for key, _, _ in batch)
        self._rows |= {key: RowPast(demand, reach, now_step) for key, demand, _ in batch}
        try:
            kept = self.store.load(keys, self.history.step_s, now_step - reach.reach_steps, now_step)
        except AutoscalerError as why:
            log.warning("demand_store_unreadable: %s", why)
            return 0
        asked, verdicts, final = kept.asked, kept.verdicts, kept.final
        for key in keys:
            self._rows[key].begins = kept.begins.get(key)
        known = np.flatnonzero(asked.any(axis=1)).tolist()
        for i in known:
            self._rows[keys[i]].restored(kept.first_step, verdicts[i], asked[i], final[i])
        self._restored += len(known)
        if known:
            low = max(0, reach.reach_steps - self.history.keep_steps)
            values, verdicts = kept.values[known, low:], verdicts[known, low:]
            found = tuple(keys[i] for i in known)
            self._link.found.append(Piece(found, kept.first_step + low, values, verdicts, frozenset(found)))
        return len(known) * reach.reach_steps

    def _live(self, piece: Piece) -> None:
        """Steps that ticks are done with: to be kept, and perhaps with holes."""
        faulty = np.asarray((piece.verdicts > LAST_VALUED).any(axis=1))
        for i, key in enumerate(piece.keys):
            row = self._rows.get(key)
            if row is not None:
                row.lived(piece.first_step, piece.end_step, piece.verdicts[i] if faulty[i] else None)
                if row.gaps or row.holes:
                    self._open[key] = None
        self._pending.add(
            KeptDemand(piece.keys, self.history.step_s, piece.first_step, piece.values, piece.verdicts), self.clock()
        )

    def _ask(self) -> float:
        """One request for the newest steps that many rows want, of the source that waited longest."""
        now_s, wait_s = self.clock(), self.limits.idle_s
        if len(self._link.found) >= WAITING_PIECES:
            return wait_s
        groups: dict[tuple[str, int, int], list[str]] = {}
        for key in list(self._open):
            row = self._rows[key]
            source = self._sources.setdefault(row.demand.source, _Source())
            next_at_s = max(row.retry_at_s, source.next_at_s)
            if next_at_s > now_s:
                wait_s = min(wait_s, next_at_s - now_s)
                continue
            want = row.want()
            if want is not None:
                groups.setdefault((row.demand.source, *want), []).append(key)
            elif not row.open:
                del self._open[key]
        if not groups:
            return wait_s
        name, first, end = min(groups, key=lambda g: (self._sources[g[0]].turn, -g[2], g[1]))
        keys = groups[name, first, end][: max(1, self.limits.request_points // (end - first))]
        self._request(self._sources[name], keys, first, end)
        return min((max(0.0, s.next_at_s - self.clock()) for s in self._sources.values()), default=0.0)

    def _request(self, source: _Source, keys: list[str], first: int, end: int) -> None:
        step_s, began_s = self.history.step_s, self.clock()
        self._began_s = began_s if self._began_s is None else self._began_s
        batch = answer_of(self.reader, [self._rows[key].demand for key in keys], first, end, step_s)
        now_s = self.clock()
        self._turn += 1
        source.turn, source.next_at_s = self._turn, now_s + max(self.limits.pause_s, now_s - began_s)
        verdicts = np.full((len(keys), end - first), DataVerdict.UNREACHABLE, dtype=np.uint8)
        verdicts[:, : batch.values.shape[1]] = batch.verdicts
        awaited = frozenset(self._lacking(keys))
        taken = np.stack([self._rows[key].answered(first, verdicts[i]) for i, key in enumerate(keys)])
        self._judge(source, keys, batch, np.asarray(taken.any(axis=1)), now_s)
        self._keep(tuple(keys), batch, taken[:, : batch.values.shape[1]], awaited)

    def _judge(self, source: _Source, keys: list[str], batch: SeriesBatch, answered: Bools, now_s: float) -> None:
        """Who was not answered is asked later: the source if it was silent to several rows, else those rows alone."""
        limits = self.limits
        if len(keys) > 1 and SILENT[batch.verdicts].all():
            source.failures, source.why = source.failures + 1, self._worst(batch, 0)
            source.next_at_s = now_s + limits.pause_after(source.failures)
            return
        source.failures, source.why = 0, None
        for i, key in enumerate(keys):
            row = self._rows[key]
            row.failures, row.why = (0, None) if answered[i] else (row.failures + 1, self._worst(batch, i))
            row.retry_at_s = now_s + limits.pause_after(row.failures)
        if not answered.any():
            source.next_at_s = max(source.next_at_s, now_s + limits.pause_after(1))
        self._chunks_done += int(answered.sum())

    def _worst(self, batch: SeriesBatch, row: int) -> str:
        code = int(batch.verdicts[row].max(initial=0)) or int(DataVerdict.UNREACHABLE)
        return batch.notes.get(row) or DataVerdict(code).words

    def _keep(self, keys: tuple[str, ...], batch: SeriesBatch, taken: Bools, awaited: frozenset[str]) -> None:
        """To History, as far back as it reaches, and to the store; only what was wanted of the answer."""
        if not taken.any():
            return
        values = np.where(taken, batch.values, np.nan)
        verdicts = np.where(taken, batch.verdicts, np.uint8(DataVerdict.UNREACHABLE)).astype(np.uint8)
        oldest = max((self._rows[key].live_end or 0 for key in keys), default=0) - self.history.keep_steps
        if batch.end_step > oldest:
            low = max(0, oldest - batch.first_step)
            self._link.found.append(Piece(keys, batch.first_step + low, values[:, low:], verdicts[:, low:], awaited))
        unknown = np.where(verdicts > LAST_VALUED, np.uint8(FINAL), np.uint8(0))
        marks = np.where(taken, verdicts | unknown, np.uint8(UNASKED)).astype(np.uint8)
        begins = {key: at for key in keys if (at := self._rows[key].begins) is not None}
        self._pending.add(KeptDemand(keys, batch.step_s, batch.first_step, values, marks, begins), self.clock())

    def _lacking(self, keys: Iterable[str]) -> Iterator[str]:
        """Of these rows those whose newest week is not in; one that was not looked up yet lacks it."""
        week = NEWEST_S // self.history.step_s
        for key in keys:
            row = self._rows.get(key)
            if row is None or row.lacks(week):
                yield key

    def _unanswered(self) -> Iterator[tuple[str, str]]:
        for key in self._open:
            row = self._rows[key]
            source = self._sources.get(row.demand.source) or _Source()
            if max(row.failures, source.failures) >= TOLD_FAILURES:
                yield key, row.why or source.why or DataVerdict.UNREACHABLE.words

    def _count(self) -> None:
        """Renew `progress`, and log it now and then while there is something to do."""
        now_s, was_done = self.clock(), self.progress.done
        lefts = [self._rows[key].chunks_left for key in self._open]
        left = sum(lefts)
        failing = [row for key in self._open if (row := self._rows[key]).failures]
        whys = {row.demand.source: row.why for row in failing if row.why is not None}
        whys |= {name: source.why for name, source in self._sources.items() if source.why is not None}
        began_s = now_s if self._began_s is None else self._began_s
        self.progress = BackfillProgress(
            rows=len(self._rows) + len(self._unread),
            rows_done=sum(row.live_end is not None for row in self._rows.values()) - sum(n > 0 for n in lefts),
            rows_failing=len(failing),
            rows_restored=self._restored,
            chunks_done=self._chunks_done,
            chunks_left=left,
            eta_s=(now_s - began_s) / self._chunks_done * left if self._chunks_done else None,
            why=tuple(sorted(whys.items())),
            unanswered=tuple(self._unanswered()),
            unsaved_points=self._pending.points,
            store_error=self._pending.error,
        )
        self._link.lacking = frozenset(self._lacking([*self._rows, *(key for key, _, _ in self._unread)]))
        self._counted_s = now_s
        if (left and now_s >= self._told_s + TELL_EVERY_S) or (was_done != self.progress.done and self._chunks_done):
            self._told_s = now_s
            log.info("backfill %s", self.progress.words)
