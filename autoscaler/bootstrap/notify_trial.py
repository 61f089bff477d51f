"""One test alert and its end to each destination, without a service: whether on-call would hear of a real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.domain.alert import Alert, Severity, labels_of
from autoscaler.ports.alerts import Outcome

if TYPE_CHECKING:
    from autoscaler.adapters.alerting.alertmanager import Alertmanager

NAME = "ForesailTest"


@dataclass(frozen=True, slots=True)
class Tried:
    """outcome: of what failed first, or DELIVERED. receivers: who is told, where the destination says."""

    destination: str
    outcome: Outcome
    words: str
    receivers: tuple[str, ...] = ()


def trial(
    destinations: Iterable[Alertmanager], now: Callable[[], float], firing_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Tried]:  # fmt: skip
    """Each gets the same alert, which fires for firing_s. Sent once more every minute, as real ones are."""
    several = list(destinations)
    alert = Alert(
        NAME, Severity.INFO, labels_of({"sender": "foresail"}), "A test of the way to on-call: nothing is wrong",
        "Somebody ran 'foresail notify test'. Nothing has to be done; it ends by itself.", now(),
    )  # fmt: skip
    failed: dict[str, Tried] = {}
    receivers: dict[str, tuple[str, ...]] = {}

    def send(one: Alertmanager, what: Alert, doing: str) -> None:
        delivery = one.send([what], now())
        if delivery.outcome is not Outcome.DELIVERED and one.name not in failed:
            failed[one.name] = Tried(one.name, delivery.outcome, f"did not take {doing}: {delivery.words}")

    for one in several:
        send(one, alert, "the test alert")
    until_s = now() + firing_s
    while (left_s := until_s - now()) > 0:
        sleep(min(left_s, one.repeat_s or left_s))
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
