"""Several sources as one MetricsReader: each in a thread of its own, so that none waits for another.

A source that misses the deadline, or whose reader reached nobody, costs its own rows only. From then on it is dark and
nobody waits for it; what it says late is used at the next load, and data within the deadline ends the darkness. Wide
reads (a back-fill) take longer than any tick: they belong to the sources' own readers, not here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from autoscaler.domain.series import Codes, DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.ports.metrics import MetricsReader


@dataclass(frozen=True, slots=True, eq=False)
class _Ask:
    demands: tuple[Demand, ...]
    first_step: int
    end_step: int
    step_s: int


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    ask: _Ask
    batch: SeriesBatch
    took_s: float


class Sources:
    """Implements ports.MetricsReader over sources by name. One load at a time.

    deadline_s: seconds for which a load waits for sources that are not dark. clock: monotonic seconds.

    The batch ends where the source that is furthest ends, or one step earlier if another that answered in time is
    less than a step behind it (clocks differ by fractions of a second, and nobody should hold for that). A source
    further behind has MISSING steps, and a note that says so, in its own rows only.
    """

    def __init__(
        self, readers: Mapping[str, MetricsReader], deadline_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.deadline_s = deadline_s
        self._clock = clock
        self._changed = threading.Condition()
        self._workers = {name: _Worker(name, reader, clock, self._changed) for name, reader in readers.items()}

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        """Rows in the order of `demands`, each from its own source."""
        rows: dict[str, list[int]] = {}
        for row, demand in enumerate(demands):
            rows.setdefault(demand.source, []).append(row)
        known = {name: which for name, which in rows.items() if name in self._workers}
        asks = {n: _Ask(tuple(demands[i] for i in w), first_step, end_step, step_s) for n, w in known.items()}
        for name, ask in asks.items():
            self._workers[name].begin(ask)
        self._wait(asks)
        with self._changed:
            answers = {name: self._workers[name].taken() for name in asks}
        ends = [a.batch.end_step for n, a in answers.items() if a is not None and a.ask is asks[n] and _heard(a.batch)]
        end = min((e for e in ends if e >= max(ends) - 1), default=end_step)
        merge = _Merge(len(demands), first_step, max(first_step, min(end, end_step)), step_s)
        for name, which in rows.items():
            if name not in known:
                merge.fill(which, DataVerdict.REFUSED, f"there is no MetricsSource {name}")
                continue
            worker, answer = self._workers[name], answers[name]
            merge.fill(which, DataVerdict.UNREACHABLE, worker.silence(self.deadline_s))
            if answer is not None:
                merge.take(which, answer, demands, late=answer.ask is not asks[name])
        return merge.batch()

    def dark(self) -> frozenset[str]:
        """Sources that nobody waits for, until they have answered in time."""
        with self._changed:
            return frozenset(name for name, worker in self._workers.items() if worker.dark)

    def close(self) -> None:
        """Let the threads end; one that still waits for its source is not waited for."""
        for worker in self._workers.values():
            worker.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _wait(self, asks: Mapping[str, _Ask]) -> None:
        """Until every source that is not dark has answered, or the deadline has passed for those that have not."""
        awaited = [(self._workers[name], ask) for name, ask in asks.items() if not self._workers[name].dark]
        deadline_s = self._clock() + self.deadline_s
        with self._changed:
            while any(not worker.has(ask) for worker, ask in awaited):
                left_s = deadline_s - self._clock()
                if left_s <= 0:
                    break
                self._changed.wait(left_s)
            for name in asks:
                self._workers[name].weigh(self.deadline_s)


class _Worker:
    """One source's thread, which is started when it is first asked. Fields are guarded by the shared condition."""

    def __init__(
        self, name: str, reader: MetricsReader, clock: Callable[[], float], changed: threading.Condition
    ) -> None:
        self.dark = False
        self._name, self._reader, self._clock, self._changed = name, reader, clock, changed
        self._ask: _Ask | None = None
        self._began_s = 0.0
        self._answer: _Answer | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False

    def begin(self, ask: _Ask) -> None:
        """Ask, unless the source still works on what it was asked before."""
        with self._changed:
            if self._thread is None:
                # a daemon: a source that hangs for ever must not keep the process from ending
                self._thread = threading.Thread(target=self._run, name=f"source-{self._name}", daemon=True)
                self._thread.start()
            if self._ask is None:
                self._ask, self._began_s = ask, self._clock()
                self._changed.notify_all()

    def has(self, ask: _Ask) -> bool:
        return self._answer is not None and self._answer.ask is ask

    def taken(self) -> _Answer | None:
        """The newest answer, in time or late; it is handed out once."""
        answer, self._answer = self._answer, None
        return answer

    def weigh(self, deadline_s: float) -> None:
        """Dark is who has not answered, or not in time, or without reaching anybody."""
        answer = self._answer
        self.dark = answer is None or answer.took_s > deadline_s or not _heard(answer.batch)

    def silence(self, deadline_s: float) -> str:
        """Says for how long the source has not answered."""
        with self._changed:
            asked_s = self._clock() - self._began_s if self._ask is not None else deadline_s
        return f"source {self._name} did not answer within {max(asked_s, 0.0):.1f} s; the others go on without it"

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ask is not None or self._stopped)
                ask = self._ask
                if ask is None or self._stopped:
                    return
            batch = _asked(self._reader, ask, self._name)
            with self._changed:
                self._answer = _Answer(ask, batch, self._clock() - self._began_s)
                self._ask = None
                self._changed.notify_all()


class _Merge:
    """Rows of several sources on one grid."""

    def __init__(self, rows: int, first_step: int, end_step: int, step_s: int) -> None:
        self._first, self._step_s = first_step, step_s
        self._values = np.full((rows, end_step - first_step), np.nan)
        self._verdicts: Codes = np.full(self._values.shape, DataVerdict.UNREACHABLE, dtype=np.uint8)
        self._notes: dict[int, str] = {}

    def fill(self, which: Sequence[int], verdict: DataVerdict, note: str) -> None:
        self._verdicts[list(which)] = verdict
        self._notes.update(dict.fromkeys(which, note))

    def take(self, which: Sequence[int], answer: _Answer, demands: Sequence[Demand], *, late: bool) -> None:
        """Write an answer in; of a late one the demands that are still asked, up to where it reaches."""
        batch = answer.batch
        if batch.step_s != self._step_s:
            return
        there = {demand: i for i, demand in enumerate(answer.ask.demands)}
        low, high = max(self._first, batch.first_step), min(self._end, batch.end_step)
        for row in which:
            source = there.get(demands[row])
            if source is None:
                continue
            if low < high:
                here, other = (
                    slice(low - self._first, high - self._first),
                    slice(low - batch.first_step, high - batch.first_step),
                )
                self._values[row, here] = batch.values[source, other]
                self._verdicts[row, here] = batch.verdicts[source, other]
            if late:
                if high > low and source in batch.notes and not _heard(batch):
                    self._notes[row] = batch.notes[source]
                continue
            self._verdicts[row, max(0, high - self._first) :] = DataVerdict.MISSING
            self._notes.pop(row)
            if batch.end_step < self._end:
                behind_s = (self._end - batch.end_step) * self._step_s
                self._notes[row] = f"source {demands[row].source} is {behind_s} s behind the others"
            elif source in batch.notes:
                self._notes[row] = batch.notes[source]

    def batch(self) -> SeriesBatch:
        return SeriesBatch(self._step_s, self._first, self._values, self._verdicts, self._notes)

    @property
    def _end(self) -> int:
        return self._first + int(self._values.shape[1])


def _heard(batch: SeriesBatch) -> bool:
    """Whether the batch says anything of its source's clock: one that was not reached ends where it was asked to."""
    return bool((batch.verdicts != DataVerdict.UNREACHABLE).any()) or batch.values.size == 0


def _asked(reader: MetricsReader, ask: _Ask, name: str) -> SeriesBatch:
    """The reader's answer; one that raises or answers another grid is unreachable, and says so."""
    try:
        batch = reader.load(ask.demands, ask.first_step, ask.end_step, ask.step_s)
        fits = batch.first_step == ask.first_step and batch.end_step <= ask.end_step
        if fits and batch.step_s == ask.step_s and batch.values.shape[0] == len(ask.demands):
            return batch
        why = "answered another grid than it was asked for"
    except Exception as error:  # noqa: BLE001 - whatever one source does, the others go on
        why = f"failed: {type(error).__name__}: {error}"
    raw = np.full((len(ask.demands), ask.end_step - ask.first_step), np.nan)
    batch = SeriesBatch.judge(ask.step_s, ask.first_step, raw, DataVerdict.UNREACHABLE)
    notes = dict.fromkeys(range(len(ask.demands)), f"source {name} {why}"[:200])
    return SeriesBatch(batch.step_s, batch.first_step, batch.values, batch.verdicts, notes)
