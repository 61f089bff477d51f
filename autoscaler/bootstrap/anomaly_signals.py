"""Signals of workloads as they come in, beside the ticks: a tick looks at what is there and waits for nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats
from autoscaler.domain.workload import Demand
from autoscaler.intake.history import answer_of
from autoscaler.ports.metrics import MetricsReader

log = logging.getLogger("foresail")
LATE_STEPS: Final = 5
CHUNK_S: Final = 86_400
PAUSE_S: Final = 1.0


@dataclass(slots=True)
class SignalHistory:
    """Implements the gate's SignalReader. reader: for a thread of its own (wide reads of one source each).

    keep_steps: how far back. beside: False = read in the caller's thread, for files, which cost nothing.
    """

    reader: MetricsReader
    step_s: int
    keep_steps: int
    beside: bool = True
    _signals: tuple[Demand, ...] = ()
    _values: Floats = field(default_factory=lambda: np.empty((0, 0)))
    _first: int = 0
    _read_to: int = -1
    _filled_from: int = -1
    _wanted: int = -1
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _stop: bool = False

    def columns(self, signals: tuple[Demand, ...], first_step: int, end_step: int) -> Floats:
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
            return self._cut(first_step, end_step)

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
        if fresh or self._read_to < first:
            self._read_to = self._filled_from = -1

    def _cut(self, first: int, end: int) -> Floats:
        out = np.full((len(self._signals), end - first), np.nan)
        low, high = max(first, self._first), min(end, self._first + self._values.shape[1])
        if low < high:
            out[:, low - first : high - first] = self._values[:, low - self._first : high - self._first]
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
            self._read(signals, low, end)
            with self._wake:
                if self._signals == signals:
                    self._read_to = end
                    self._filled_from = low if filled < 0 else filled
            return True
        oldest = end - self.keep_steps
        if filled > max(first, oldest):
            low = max(oldest, first, filled - CHUNK_S // self.step_s)
            self._read(signals, low, filled)
            with self._wake:
                if self._signals == signals:
                    self._filled_from = low
            return True
        return False

    def _read(self, signals: Sequence[Demand], low: int, end: int) -> None:
        order = sorted(range(len(signals)), key=lambda k: signals[k].source)
        for _, rows in groupby(order, key=lambda k: signals[k].source):
            which = list(rows)
            batch = answer_of(self.reader, [signals[k] for k in which], low, end, self.step_s)
            with self._wake:
                if self._signals == tuple(signals):
                    self._put(which, batch.values, batch.first_step)

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
