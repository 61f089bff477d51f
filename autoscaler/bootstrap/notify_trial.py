"""One test alert and its end to each destination, without a service: whether on-call would hear of a real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from autoscaler.domain.alert import DOCS, Alert, Severity, labels_of
from autoscaler.domain.alert_route import stable_id
from autoscaler.domain.alert_story import Course, Story
from autoscaler.ports.alerts import Delivery, Outcome

if TYPE_CHECKING:
    from autoscaler.adapters.alerting.channel import Channel
    from autoscaler.adapters.alerting.message import Words

NAME = "ForesailTest"
STORY = Story(
    (("needed", "4 replicas"), ("Ready", "4 replicas"), ("demand", "120 per second")),
    "Somebody ran 'foresail notify test'.",
    "Nothing.",
    "Nothing has to be done; it ends by itself.",
    course=Course("demand", 60.0, (40, 42, 45, 60, 90, 120, 118, 121), (40, 41, 42, 43, 44, 45, 46, 47)),
)


class Destination(Protocol):
    """What can be tried. receivers: who is told of a name there, None = it does not say."""

    @property
    def name(self) -> str: ...
    @property
    def repeat_s(self) -> float | None: ...
    def send(self, alerts: Sequence[Alert], now_s: float) -> Delivery: ...
    def receivers(self, name: str) -> list[str] | None: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class TrialOfChannel:
    """A channel alone: no route, silence or limit keeps the test from it. words: templates of the destination."""

    channel: Channel
    words: Words
    repeat_s: float | None = None
    _receipt: dict[str, str] = field(default_factory=dict)
    _began: bool = False

    @property
    def name(self) -> str:
        return self.channel.name

    def send(self, alerts: Sequence[Alert], now_s: float) -> Delivery:
        from autoscaler.adapters.alerting.channel import NOTHING_TO_DO, Thread
        from autoscaler.adapters.alerting.message import Act, Message, told_of

        delivery = NOTHING_TO_DO
        for alert in alerts:
            if alert.firing and self._began:
                continue
            act = Act.BEGIN if alert.firing else Act.END
            message = Message(alert, act, alert.severity, told_of(alert, alert.story), self.name, now_s, self.words)
            thread = Thread(
                stable_id(alert.key, f"{alert.starts_s:.6f}"), alert.starts_s, int(alert.firing), 0, self._receipt
            )
            told = self.channel.tell(message, thread)
            delivery, self._receipt = told.delivery, dict(told.receipt or self._receipt)
            self._began = self._began or delivery.outcome is Outcome.DELIVERED
        return delivery

    def receivers(self, name: str) -> list[str] | None:
        """None: a channel is who is told."""
        del name
        return None

    def close(self) -> None:
        self.channel.close()


def channels_of(file: Path, now_s: float, docs: str = DOCS) -> list[TrialOfChannel]:
    """All destinations of a file of notifications. Raises InvalidSpec."""
    from autoscaler.bootstrap.notify_making import channel_of, words_of
    from autoscaler.spec.notify_reading import read_notifications

    spec = read_notifications(file, now_s).notifications.spec
    return [TrialOfChannel(channel_of(one), words_of(spec, one, docs)) for one in spec.destinations]


@dataclass(frozen=True, slots=True)
class Tried:
    """outcome: of what failed first, or DELIVERED. receivers: who is told, where the destination says."""

    destination: str
    outcome: Outcome
    words: str
    receivers: tuple[str, ...] = ()


def trial(
    destinations: Iterable[Destination], now: Callable[[], float], firing_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Tried]:  # fmt: skip
    """Each gets the same alert, which fires for firing_s. Sent once more every minute, as real ones are."""
    several = list(destinations)
    alert = Alert(
        NAME, Severity.INFO, labels_of({"sender": "foresail"}), "A test of the way to on-call: nothing is wrong",
        "Somebody ran 'foresail notify test'. Nothing has to be done; it ends by itself.", now(),
        story=STORY,
    )  # fmt: skip
    failed: dict[str, Tried] = {}
    receivers: dict[str, tuple[str, ...]] = {}

    def send(one: Destination, what: Alert, doing: str) -> None:
        delivery = one.send([what], now())
        if delivery.outcome is not Outcome.DELIVERED and one.name not in failed:
            failed[one.name] = Tried(one.name, delivery.outcome, f"did not take {doing}: {delivery.words}")

    for one in several:
        send(one, alert, "the test alert")
    until_s = now() + firing_s
    while (left_s := until_s - now()) > 0:
        sleep(min(left_s, *(one.repeat_s or left_s for one in several)))
        for one in several:
            send(one, alert, "the test alert again")
    for one in several:
        receivers[one.name] = tuple(one.receivers(NAME) or ())
        send(one, alert.resolved(now()), "its end")
        one.close()
    return [
        failed.get(one.name)
        or Tried(one.name, Outcome.DELIVERED, "took the test alert and its end", receivers[one.name])
        for one in several
    ]
