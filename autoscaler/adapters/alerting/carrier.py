"""The thread that brings alerts to one destination: in order, again while it fails, with more and more time between."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from autoscaler.domain.alert import Alert
from autoscaler.domain.errors import AutoscalerError
from autoscaler.ports.alerts import Delivery, Notice, Notifier, Outbox, Outcome

log = logging.getLogger("foresail")

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
SHUT_PAUSE_S: Final = 300.0
MOST_RETRY_AFTER_S: Final = 900.0
DISK_PAUSE_S: Final = 5.0
STOP_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Round:
    """What a carrier works with beside its destination. standing: what lasts and what ended lately. now_s: seconds
    since the epoch, as alerts are timed. may_send: False = another process sends. heard: told of each sending.
    void: what waits in the outbox is of an earlier term, and is about to be forgotten.
    """

    outbox: Outbox
    standing: Callable[[], Sequence[Alert]]
    now_s: Callable[[], float]
    may_send: Callable[[], bool]
    heard: Callable[[str, Delivery, float], None]
    void: Callable[[], bool] = lambda: False


class Carrier:
    """failing_since_s: since when nothing was taken, in the time of alerts; None while all is well. words: why."""

    def __init__(self, notifier: Notifier, round_: Round, pause_s: float = FIRST_PAUSE_S) -> None:
        self.notifier, self._round, self._first_pause_s = notifier, round_, pause_s
        self.failing_since_s: float | None = None
        self.words = ""
        self._pause_s = pause_s
        self._woken = threading.Event()
        self._stopping = False
        self._not_before_s = 0.0
        self._repeat_at_s = 0.0
        self._anything = True  # of an earlier run
        self._look_again_s = float("inf")
        self._thread = threading.Thread(target=self._run, name=f"foresail-alerts-{notifier.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Something was put into the outbox."""
        self._anything = True
        self._woken.set()

    def close(self) -> None:
        """One try more for what waits, then it stays in the outbox for the next start."""
        self._stopping = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        self.notifier.close()

    def _run(self) -> None:
        while True:
            last = self._stopping
            try:
                due_s = self._turn()
            except AutoscalerError as error:  # the disk
                log.warning("alert_outbox_failed destination=%s: %s", self.notifier.name, error)
                due_s = time.monotonic() + DISK_PAUSE_S
            except Exception:  # the thread goes on: without it nobody would hear of anything
                log.exception("alert_carrier_failed destination=%s", self.notifier.name)
                due_s = time.monotonic() + LONGEST_PAUSE_S
            if last:
                return
            self._woken.wait(max(0.0, due_s - time.monotonic()))
            self._woken.clear()

    def _turn(self) -> float:
        """Send what is due; when to come again on the monotonic clock, unless woken."""
        now = time.monotonic()
        if not self._round.may_send():
            self._repeat_at_s = 0.0
            return now + 1.0
        if now < self._not_before_s:
            return self._not_before_s
        if self._anything or now >= self._look_again_s:
            batch = self._waiting(now)
            if batch:
                self._anything = True
                return self._try(batch)
        repeat_s = self.notifier.repeat_s
        if repeat_s is None:
            return min(now + LONGEST_PAUSE_S, self._look_again_s)
        if now >= self._repeat_at_s:
            self._repeat_at_s = now + repeat_s
            if not self._repeat():
                self._repeat_at_s = max(self._not_before_s, now + self._first_pause_s)
        return min(self._repeat_at_s, self._look_again_s)

    def _waiting(self, now: float) -> Sequence[Notice]:
        """A disk that does not work costs the queue, not what is sent again out of memory."""
        self._anything, self._look_again_s = False, float("inf")
        if self._round.void():
            return ()
        try:
            return self._round.outbox.waiting(self.notifier.name, self.notifier.most_at_once, self._round.now_s())
        except AutoscalerError as error:
            log.warning("alert_outbox_failed destination=%s: %s", self.notifier.name, error)
            self._look_again_s = now + DISK_PAUSE_S
            return ()

    def _try(self, batch: Sequence[Notice]) -> float:
        delivery = self._send([one.alert for one in batch])
        if delivery.outcome is Outcome.REFUSED and len(batch) > 1:
            for one in batch:  # one of them is not liked: the others shall not suffer
                delivery = self._send([one.alert])
                if delivery.outcome in {Outcome.LATER, Outcome.SHUT}:
                    return self._not_before_s
                self._settle([one], delivery)
        elif delivery.outcome in {Outcome.DELIVERED, Outcome.REFUSED}:
            self._settle(batch, delivery)
        return max(time.monotonic(), self._not_before_s)

    def _settle(self, batch: Sequence[Notice], delivery: Delivery) -> None:
        lost = delivery.outcome is Outcome.REFUSED
        if lost:
            log.error("alert_refused destination=%s: %s", self.notifier.name, delivery.words)
        self._round.outbox.settle(self.notifier.name, batch, lost=lost)

    def _repeat(self) -> bool:
        standing = [one for one in self._round.standing() if one.destination != self.notifier.name]
        size = self.notifier.most_at_once
        for first in range(0, len(standing), size):
            if self._send(standing[first : first + size]).outcome in {Outcome.LATER, Outcome.SHUT}:
                return False  # what is refused for good holds up nothing behind it
        return True

    def _send(self, alerts: Sequence[Alert]) -> Delivery:
        now_s = self._round.now_s()
        delivery = self.notifier.send(alerts, now_s)
        if delivery.idle:
            return delivery
        self._round.heard(self.notifier.name, delivery, now_s)
        if delivery.outcome is Outcome.DELIVERED:
            if self.failing_since_s is not None:
                log.info("alerts_taken_again destination=%s", self.notifier.name)
            self.failing_since_s, self.words, self._pause_s = None, "", self._first_pause_s
            return delivery
        if delivery.outcome is not Outcome.REFUSED:
            if self.failing_since_s is None:
                self.failing_since_s = now_s
                log.warning("alerts_not_taken destination=%s: %s", self.notifier.name, delivery.words)
            self._wait(delivery)
        self.words = delivery.words
        return delivery

    def _wait(self, delivery: Delivery) -> None:
        pause_s = SHUT_PAUSE_S if delivery.outcome is Outcome.SHUT else self._pause_s
        if delivery.retry_after_s is not None:
            pause_s = max(pause_s, min(delivery.retry_after_s, MOST_RETRY_AFTER_S))
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._not_before_s = time.monotonic() + pause_s
