"""What a channel of alerts has to do: one message to one thread, in the channel's own form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from autoscaler.adapters.alerting.message import Message
from autoscaler.ports.alerts import Delivery, Outcome

NOTHING_TO_DO = Delivery(Outcome.DELIVERED, idle=True)


@dataclass(frozen=True, slots=True)
class Thread:
    """id: the same in every process. began_s: of its first message. lasting: alerts in it that fire once this message
    is taken. count: messages in it so far. receipt: what the channel kept of it, such as Slack's ts; empty at first.
    """

    id: str
    began_s: float
    lasting: int
    count: int = 0
    receipt: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """receipt: what the thread's next message will need; None = as it was."""

    delivery: Delivery
    receipt: Mapping[str, str] | None = None


class Channel(Protocol):
    """updates: whether a message that changes is worth telling again. resends_end: whether an end may be told again,
    for a receiver that knows what it was told already.
    """

    @property
    def name(self) -> str: ...
    @property
    def updates(self) -> bool: ...
    @property
    def resends_end(self) -> bool: ...

    def tell(self, message: Message, thread: Thread) -> Told:
        """Within a bounded time. Never raises for what the outside does."""
        ...

    def secrets_now(self) -> str:
        """A digest of the secrets as they are now: a new one is worth a try."""
        ...

    def close(self) -> None: ...
