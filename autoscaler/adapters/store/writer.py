"""The thread between the tick and the disk: a bounded queue, one transaction a tick, errors that stop here."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from autoscaler.domain.decision import Decisions
from autoscaler.domain.errors import Refused, Retryable

_log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 5.0


class Sink(Protocol):
    """Where ticks go; called from the writer thread only."""

    def commit(self, decisions: Decisions) -> None: ...
    def restart_runs(self) -> None: ...
    def tidy(self) -> bool: ...
    def release(self) -> None: ...


class TickWriter:
    """Takes ticks at once, writes them in order. Trouble is retried; a full queue drops its oldest tick."""

    def __init__(self, sink: Sink, label: str, *, queue_ticks: int, tidy_every_s: float) -> None:
        self._sink = sink
        self._label = label
        self._queue_ticks = queue_ticks
        self._tidy_every_s = tidy_every_s
        self._queue: deque[tuple[int, Decisions]] = deque()
        self._changed = threading.Condition()
        self._handed = 0
        self._writing: int | None = None
        self._closing_at: float | None = None
        self._in_trouble = False
        self.dropped = 0
        self.failures = 0
        self.last_error: str | None = None
        self.last_commit_at: datetime | None = None
        self._thread = threading.Thread(target=self._run, name="foresail-record", daemon=True)
        self._thread.start()

    def append(self, decisions: Decisions) -> None:
        with self._changed:
            if self._closing_at is not None:
                self._drop("the store is closed")
                return
            while len(self._queue) >= self._queue_ticks:
                self._queue.popleft()
                self._drop("the queue is full")
            self._handed += 1
            self._queue.append((self._handed, decisions))
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all ticks handed over so far are on disk; False if time ran out or one of them was dropped."""
        with self._changed:
            upto, dropped = self._handed, self.dropped
            settled = self._changed.wait_for(lambda: self._oldest_pending() > upto, timeout_s)
            return settled and self.dropped == dropped

    def close(self, timeout_s: float) -> None:
        """Write what is queued for at most `timeout_s`, then drop the rest. May be called twice."""
        with self._changed:
            if self._closing_at is None:
                self._closing_at = time.monotonic() + timeout_s
                self._changed.notify_all()
        self._thread.join(timeout_s + LONGEST_PAUSE_S)

    def _oldest_pending(self) -> float:
        pending = [self._queue[0][0]] if self._queue else []
        if self._writing is not None:
            pending.append(self._writing)
        return min(pending, default=float("inf"))

    def _run(self) -> None:
        tidy_at = time.monotonic() + self._tidy_every_s
        try:
            while (decisions := self._next()) is not None:
                self._write(decisions)
                if time.monotonic() >= tidy_at and not self._queue and self._tidy():
                    tidy_at = time.monotonic() + self._tidy_every_s
        finally:
            self._guarded(self._sink.release)

    def _next(self) -> Decisions | None:
        with self._changed:
            self._writing = None
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._queue or self._closing_at is not None)
            if not self._queue:
                return None
            self._writing, decisions = self._queue.popleft()
            return decisions

    def _write(self, decisions: Decisions) -> None:
        """Until it is on disk, refused, or dropped because newer ticks need the room."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                self._sink.commit(decisions)
            except (Retryable, Refused, OSError) as why:
                if not self._wait_to_retry(why, pause_s):
                    return
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except Exception as why:  # noqa: BLE001 - a tick that cannot be written must not stop those after it
                with self._changed:
                    self._failed(why)
                    self._drop("it cannot be written")
                self._guarded(self._sink.restart_runs)
                return
            else:
                self._written(decisions)
                return

    def _wait_to_retry(self, why: Exception, pause_s: float) -> bool:
        """False: give this tick up (it is the oldest of all)."""
        with self._changed:
            self._failed(why)
            if self._closing_at is None:
                until = time.monotonic() + pause_s
                full = self._changed.wait_for(
                    lambda: self._closing_at is not None or len(self._queue) >= self._queue_ticks,
                    max(0.0, until - time.monotonic()),
                )
                if full and self._closing_at is None:
                    self._drop("the queue is full")
                    return False
                return True
            left_s = self._closing_at - time.monotonic()
            if left_s <= 0:
                self._drop("the store is closing")
                return False
        time.sleep(min(pause_s, left_s))
        return True

    def _written(self, decisions: Decisions) -> None:
        with self._changed:
            self.last_commit_at = datetime.fromtimestamp(decisions.now_s, UTC)
            if self._in_trouble:
                self._in_trouble = False
                _log.info("record_written_again place=%s dropped=%d", self._label, self.dropped)

    def _failed(self, why: Exception) -> None:
        self.failures += 1
        self.last_error = str(why) or repr(why)
        self._warn_once(self.last_error)

    def _drop(self, because: str) -> None:
        self.dropped += 1
        self._warn_once(f"a tick was dropped: {because}")

    def _warn_once(self, what: str) -> None:
        """Once per outage: the counters tell the rest."""
        if not self._in_trouble:
            self._in_trouble = True
            _log.warning("record_not_written place=%s error=%s", self._label, what)

    def _tidy(self) -> bool:
        """True when done until the next time."""
        try:
            return not self._sink.tidy()
        except Exception as why:  # noqa: BLE001 - keeping less is never worth stopping for
            with self._changed:
                self._failed(why)
            return True

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as why:  # noqa: BLE001 - the thread ends or goes on either way
            with self._changed:
                self._failed(why)
