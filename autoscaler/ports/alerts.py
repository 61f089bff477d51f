"""Telling on-call: one destination of alerts, and the outbox that keeps what was not taken yet.

Each destination has a queue of its own in the outbox, so that a dead one holds up no other. PagerDuty, chat rooms and
webhooks are notifiers beside Alertmanager; none of them knows of queues, retries or the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from autoscaler.domain.alert import Alert


class Outcome(StrEnum):
    """What became of one sending; the label `result` of foresail_notifications_total."""

    DELIVERED = "delivered"
    LATER = "later"
    """It may work later: away, slow, busy."""
    REFUSED = "refused"
    """Never, for what it says: sending the same again changes nothing."""
    SHUT = "shut"
    """Not until somebody mends the settings, such as a wrong key: kept, and tried again now and then."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """words: why not, in one line without secrets. retry_after_s: the destination's own wish. idle: there was nothing
    to send, so it says nothing of the destination.
    """

    outcome: Outcome
    words: str = ""
    retry_after_s: float | None = None
    idle: bool = False


class Notifier(Protocol):
    """One destination. name: a label of metrics, the same over restarts, without secrets."""

    @property
    def name(self) -> str: ...
    @property
    def most_at_once(self) -> int:
        """Alerts in one sending."""
        ...

    @property
    def repeat_s(self) -> float | None:
        """How often all that stands is sent again, ends of the last quarter of an hour too; None = each change once."""
        ...

    def send(self, alerts: Sequence[Alert], now_s: float) -> Delivery:
        """Send in this order, within a bounded time. Never raises for what the outside does."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Notice:
    """One change of an alert that waits for a destination. number: rising in the order of what happened."""

    number: int
    alert: Alert


class Outbox(Protocol):
    """Survives a kill. Methods raise Retryable while the disk does not work; they may be called from any thread."""

    def put(self, alerts: Sequence[Alert], destinations: Sequence[str], now_s: float) -> None:
        """Record the newest of each alert, and let it wait for each destination; none = it is recorded alone."""
        ...

    def waiting(self, destination: str, most: int, now_s: float) -> Sequence[Notice]:
        """The oldest ones, in their order. Those that have waited for too long are dropped first."""
        ...

    def settle(self, destination: str, notices: Sequence[Notice], *, lost: bool = False) -> None:
        """They wait no longer: taken, or lost for good, which is counted."""
        ...

    def forget_waiting(self) -> None:
        """Nothing waits any more, for everything that stands is put anew."""
        ...

    def standing(self, since_s: float) -> Sequence[Alert]:
        """Recorded alerts that are open, and those that ended since then; oldest first."""
        ...

    @property
    def lengths(self) -> Mapping[str, int]:
        """By destination, how many wait."""
        ...

    @property
    def dropped(self) -> Mapping[str, int]:
        """By destination, how many were lost since the start."""
        ...

    def close(self) -> None: ...


class Receipts(Protocol):
    """What a destination was told, by thread, as text that it alone reads. Survives a kill; may raise Retryable."""

    def of(self, destination: str) -> Mapping[str, str]:
        """All threads of it."""
        ...

    def keep(self, destination: str, thread: str, body: str, now_s: float) -> None:
        """In place of what was there."""
        ...

    def forget(self, destination: str, threads: Sequence[str]) -> None:
        """They are over."""
        ...

    def close(self) -> None: ...
