"""Between the tick and the destinations: takes changes at once, records them beside the tick, wakes the carriers."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from autoscaler.adapters.alert_metrics import AlertMetrics
from autoscaler.adapters.alerting.carrier import FIRST_PAUSE_S, Carrier, Round
from autoscaler.domain.alert import Alert
from autoscaler.domain.errors import AutoscalerError
from autoscaler.ports.alerts import Delivery, Notifier, Outbox, Outcome

log = logging.getLogger("foresail")

MOST_IN_HAND: Final = 2000
RETRY_S: Final = 2.0
STOP_S: Final = 3.0


class Courier:
    """`hand` never waits: not for the disk, nor for a destination. A thread records, one more carries for each
    destination.

    now_s: seconds since the epoch, as alerts are timed. leads: False = another process sends, ours are recorded alone.
    """

    def __init__(
        self, outbox: Outbox, notifiers: Sequence[Notifier], metrics: AlertMetrics, now_s: Callable[[], float],
        pause_s: float = FIRST_PAUSE_S,
    ) -> None:  # fmt: skip
        self.leads = False
        self.standing: Sequence[Alert] = ()
        self._disk_away = False
        self._outbox, self._metrics, self._now_s = outbox, metrics, now_s
        self._names = [one.name for one in notifiers]
        round_ = Round(outbox, self._on_record, now_s, lambda: self.leads, self._heard, lambda: self._afresh)
        self.carriers = [Carrier(one, round_, pause_s) for one in notifiers]
        self._in_hand: deque[Alert] = deque()
        self._afresh = False
        self._list = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._overflowed = 0
        self._thread: threading.Thread | None = None
        metrics.introduce(self._names)

    def start(self) -> None:
        for carrier in self.carriers:
            carrier.start()

    def hand(self, alerts: Sequence[Alert], *, standing: Sequence[Alert] | None = None, afresh: bool = False) -> None:
        """Changes, in their order. standing: all that lasts with them, and what ended lately; None = as before.

        afresh: we tell from now on; they are all that stands, what waited is void.
        """
        with self._changed:
            if standing is not None:
                self.standing = standing
            if not alerts and not afresh:
                return
            if afresh:
                self._in_hand.clear()
                self._afresh, self._list = True, self._list + 1
            self._in_hand.extend(alerts)
            while len(self._in_hand) > MOST_IN_HAND:  # a disk that has not worked for long
                self._in_hand.popleft()
                self._overflowed += 1
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._record, name="foresail-alerts", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def failing(self) -> dict[str, tuple[float, str]]:
        """By destination that takes nothing: since when, and why."""
        return {
            c.notifier.name: (since_s, c.words) for c in self.carriers if (since_s := c.failing_since_s) is not None
        }

    def lost(self) -> Mapping[str, int]:
        """By destination, changes of alerts that it will never hear of."""
        lost = Counter(self._outbox.dropped)
        if self._overflowed:
            lost.update(dict.fromkeys(self._names, self._overflowed))
        return lost

    def show(self) -> None:
        """Into the metrics."""
        self._metrics.queues(self._outbox.lengths, self.lost())

    def flush(self, timeout_s: float) -> bool:
        """Whether all that was handed over is on disk."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._in_hand and not self._afresh, timeout_s)

    def close(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(STOP_S)
        for carrier in self.carriers:
            carrier.close()
        self._outbox.close()

    def _on_record(self) -> Sequence[Alert]:
        """What may be told out of memory. A page that a kill finds unrecorded would never hear of its end, so what the
        disk is about to take waits for it; a disk that does not work holds nothing up.
        """
        with self._changed:
            if self._disk_away or not self._in_hand:
                return self.standing
            unrecorded = {one.key for one in self._in_hand}
            return [one for one in self.standing if one.key not in unrecorded]

    def _heard(self, destination: str, delivery: Delivery, at_s: float) -> None:
        self._metrics.sent.labels(destination, delivery.outcome.value).inc()
        if delivery.outcome is Outcome.DELIVERED:
            self._metrics.succeeded(destination, at_s)

    def _record(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._in_hand or self._afresh or self._stopping)
                if not self._in_hand and not self._afresh:
                    return
                batch, afresh, number = list(self._in_hand), self._afresh, self._list
            done = self._put(batch, afresh=afresh)
            self._disk_away = not done
            if afresh:  # not before: what waited may be long over
                self.leads = True
            if done:
                with self._changed:
                    if number == self._list:  # else another list was handed afresh, whose alerts were not told by this
                        for one in batch:
                            if self._in_hand and self._in_hand[0] is one:
                                self._in_hand.popleft()
                        self._afresh = False
                    self._changed.notify_all()
                for carrier in self.carriers:
                    carrier.wake()
            elif self._stopping:
                return
            else:
                time.sleep(RETRY_S)

    def _put(self, batch: Sequence[Alert], *, afresh: bool) -> bool:
        try:
            if afresh:
                self._outbox.forget_waiting()
            self._outbox.put(batch, self._names if self.leads or afresh else (), self._now_s())
        except AutoscalerError as error:
            log.warning("alerts_not_recorded: %s", error)
            return False
        except Exception:
            log.exception("alerts_not_recorded")
            self._overflowed += len(batch)  # what cannot be written at all must not stop what comes after
        return True
