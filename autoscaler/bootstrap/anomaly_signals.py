"""Signals of workloads as they come in, beside the ticks: a tick looks at what is there and waits for nothing."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from time import monotonic
from typing import Final

import numpy as np

from autoscaler.domain.series import DataVerdict, Floats, Ints
from autoscaler.domain.workload import Demand
from autoscaler.intake.gaps import SILENT
from autoscaler.intake.history import answer_of
from autoscaler.intake.spans import Spans, added, without
from autoscaler.ports.metrics import MetricsReader

log = logging.getLogger("foresail")
LATE_STEPS: Final = 5
CHUNK_S: Final = 86_400
PAUSE_S: Final = 1.0
RETRY_S: Final = (60.0, 300.0, 900.0, 3600.0)
"""Pauses after answers in a row that did not come; the last one stays."""


@dataclass(slots=True)
class _Missed:
    """What one source has not answered. down: it answered nothing at all of the newest steps."""

    spans: dict[Demand, Spans] = field(default_factory=dict)
    failures: int = 0
    retry_at_s: float = -math.inf
    down: bool = False
    why: str = ""

    def heard(self, answers: Mapping[Demand, bool], span: tuple[int, int], now_s: float, *, newest: bool) -> None:
        """Which signals were answered over a span. newest: of the steps that every tick asks for; else of the past."""
        for signal, there in answers.items():
            left = (without if there else added)(self.spans.pop(signal, []), *span)
            if left:
                self.spans[signal] = left
        failed = not all(answers.values())
        if not newest:
            self.failures = self.failures + 1 if failed else 0
            self.retry_at_s = now_s + (RETRY_S[min(self.failures, len(RETRY_S)) - 1] if failed else 0.0)
            return
        was, self.down = self.down, not any(answers.values())
        if was and not self.down:  # it is back: at once
            self.failures, self.retry_at_s = 0, now_s

    def wanted(self, now_s: float, most_steps: int) -> tuple[list[Demand], int, int] | None:
        """Signals to ask again, and the newest steps [first, end) that they lack; None = not now."""
        if not self.spans or self.down or now_s < self.retry_at_s:
            return None
        low, high = max((spans[-1] for spans in self.spans.values()), key=lambda span: span[1])
        low = max(low, high - most_steps)
        return [s for s, spans in self.spans.items() if spans[-1][1] > low], low, high

    def keep(self, signals: Collection[Demand], first_step: int) -> None:
        """Forget other signals, and what is before first_step."""
        cut = {signal: without(spans, 0, first_step) for signal, spans in self.spans.items() if signal in signals}
        self.spans = {signal: spans for signal, spans in cut.items() if spans}


def first_known(values: Floats, values_from: int, span: tuple[int, int], step_s: int) -> Ints:
    """[row], the first step in span [first, end) at which a value is known, looked at once an hour; its end = none.

    values: [row, step] from the step values_from on.
    """
    first, end = span
    hour = max(1, 3600 // step_s)
    low = max(0, first - values_from)
    there = np.isfinite(values[:, low : max(low, end - values_from) : hour])
    if not there.size:
        return np.full(len(values), end, dtype=np.int64)
    return np.where(there.any(axis=1), values_from + low + there.argmax(axis=1) * hour, end).astype(np.int64)


@dataclass(slots=True)
class SignalHistory:
    """Implements the gate's SignalReader. reader: for a thread of its own (wide reads of one source each).

    keep_steps: how far back. beside: False = read in the caller's thread, for files, which cost nothing. What a source
    did not answer is asked again: when it is back, and after a minute, five, fifteen, an hour, and then every hour.
    """

    reader: MetricsReader
    step_s: int
    keep_steps: int
    beside: bool = True
    clock_s: Callable[[], float] = monotonic
    _missed: dict[str, _Missed] = field(default_factory=dict)
    _signals: tuple[Demand, ...] = ()
    _values: Floats = field(default_factory=lambda: np.empty((0, 0)))
    _first: int = 0
    _read_to: int = -1
    _filled_from: int = -1
    _wanted: int = -1
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _stop: bool = False

    def columns(self, signals: tuple[Demand, ...], first_step: int, end_step: int, rows: Ints | None = None) -> Floats:
        """[signal, step] as it has come in. rows: of these signals alone; None = of all."""
        with self._wake:
            if signals != self._signals:
                self._begin(signals, end_step)
            if end_step > self._wanted:
                self._wanted = end_step
                self._wake.notify()
            if self.beside and self._thread is None and not self._stop and signals:
                self._thread = threading.Thread(target=self._run, name="foresail-signals", daemon=True)
                self._thread.start()
        if not self.beside:
            while self._round():
                pass
        with self._wake:
            return self._cut(first_step, end_step, rows)

    def begins(self, first_step: int, end_step: int) -> Ints:
        """[signal], the first step from first_step on of which anything is known, to an hour; end_step = nothing is."""
        with self._wake:
            return first_known(self._values, self._first, (first_step, end_step), self.step_s)

    def missing(self) -> dict[Demand, str]:
        """Signals of which more is missing than the next steps bring by themselves, and why it did not come."""
        with self._wake:
            return {
                signal: missed.why
                for missed in self._missed.values()
                for signal, spans in missed.spans.items()
                if sum(high - low for low, high in spans) > LATE_STEPS
            }

    def again(self, step: int) -> None:
        """What was asked for from this step on is asked for again: there was no answer."""
        with self._wake:
            self._read_to = min(self._read_to, step)

    def close(self) -> None:
        with self._wake:
            self._stop = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(10.0)

    def _begin(self, signals: tuple[Demand, ...], end_step: int) -> None:
        """Other signals: those that stay keep what is known of them."""
        old, was = self._values, {signal: row for row, signal in enumerate(self._signals)}
        first = end_step - self.keep_steps
        values = np.full((len(signals), self.keep_steps), np.nan)
        fresh = False
        for row, signal in enumerate(signals):
            if signal in was:
                at = first - self._first
                some = old[was[signal], max(0, at) :]
                values[row, max(0, -at) : max(0, -at) + len(some)] = some[: self.keep_steps - max(0, -at)]
            else:
                fresh = True
        self._signals, self._values, self._first = signals, values, first
        for missed in self._missed.values():
            missed.keep(set(signals), first)
        if fresh or self._read_to < first:
            self._read_to = self._filled_from = -1

    def _cut(self, first: int, end: int, rows: Ints | None) -> Floats:
        some = slice(None) if rows is None else rows
        out = np.full((len(self._signals) if rows is None else len(rows), end - first), np.nan)
        low, high = max(first, self._first), min(end, self._first + self._values.shape[1])
        if low < high:
            out[:, low - first : high - first] = self._values[some, low - self._first : high - self._first]
        return out

    def _run(self) -> None:
        while True:
            with self._wake:
                if self._stop:
                    return
            try:
                more = self._round()
            except Exception:
                log.exception("signals_not_read")
                more = False
            with self._wake:
                if not more:
                    self._wake.wait(PAUSE_S)

    def _round(self) -> bool:
        """Read the newest steps, or else one day more of the past; whether there is more to read."""
        with self._wake:
            signals, end, first = self._signals, self._wanted, self._first
            read_to, filled = self._read_to, self._filled_from
        if not signals or end < 0:
            return False
        if read_to < end:
            low = max(end - 120, first) if read_to < 0 else max(read_to - LATE_STEPS, end - self.keep_steps)
            self._read(signals, low, end, newest=True)
            with self._wake:
                if self._signals == signals:
                    self._read_to = end
                    self._filled_from = low if filled < 0 else filled
            return True
        oldest = end - self.keep_steps
        for missed in list(self._missed.values()):
            with self._wake:
                missed.keep(set(signals), max(first, oldest))
                wanted = missed.wanted(self.clock_s(), CHUNK_S // self.step_s)
            if wanted is not None:
                self._read(wanted[0], *wanted[1:])
                return True
        if filled > max(first, oldest):
            low = max(oldest, first, filled - CHUNK_S // self.step_s)
            self._read(signals, low, filled)
            with self._wake:
                if self._signals == signals:
                    self._filled_from = low
            return True
        return False

    def _read(self, signals: Sequence[Demand], low: int, end: int, *, newest: bool = False) -> None:
        """Of each source in turn; one that is down is asked for the newest steps alone."""
        all_signals = self._signals
        rows: dict[Demand, list[int]] = {}
        for row, signal in enumerate(all_signals):
            rows.setdefault(signal, []).append(row)
        for source, some in groupby(sorted(signals, key=lambda one: one.source), key=lambda one: one.source):
            mine, missed = list(dict.fromkeys(some)), self._missed.setdefault(source, _Missed())
            if missed.down and not newest:
                answers = dict.fromkeys(mine, False)
                with self._wake:
                    for signal in answers:
                        missed.spans[signal] = added(missed.spans.get(signal, []), low, end)
                continue
            batch = answer_of(self.reader, mine, low, end, self.step_s)
            silent = SILENT[batch.verdicts].all(axis=1) & (batch.verdicts.shape[1] > 0)
            with self._wake:
                answers = {signal: not none for signal, none in zip(mine, silent.tolist(), strict=True)}
                missed.heard(answers, (low, end), self.clock_s(), newest=newest)
                if silent.any():
                    row = int(silent.argmax())
                    missed.why = batch.notes.get(row) or DataVerdict(int(batch.verdicts[row, -1])).words
                if self._signals is all_signals:
                    places = [(row, k) for k, signal in enumerate(mine) for row in rows.get(signal, ())]
                    self._put([row for row, _ in places], batch.values[[k for _, k in places]], batch.first_step)

    def _put(self, which: list[int], values: Floats, first_step: int) -> None:
        end = first_step + values.shape[1]
        over = end - (self._first + self._values.shape[1])
        if over > 0:  # roll on, forgetting the oldest
            kept = self._values[:, min(over, self._values.shape[1]) :]
            self._values = np.concatenate((kept, np.full((len(self._signals), self.keep_steps), np.nan)), axis=1)
            self._values = self._values[:, : self.keep_steps]
            self._first += over
        low = max(first_step, self._first)
        new = values[:, low - first_step :]
        cut = slice(low - self._first, low - self._first + new.shape[1])
        rows = np.array(which)
        self._values[rows, cut] = np.where(np.isnan(new), self._values[rows, cut], new)
