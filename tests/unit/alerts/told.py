"""Alerts with stories, messages of them, receipts in memory."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoscaler.adapters.alerting.channel import Thread
from autoscaler.adapters.alerting.message import Act, Message, Words, told_of
from autoscaler.adapters.alerting.secret import Secret
from autoscaler.domain.alert import Alert, Severity, labels_of
from autoscaler.domain.alert_route import stable_id
from autoscaler.domain.alert_story import Course, Story

T0 = 1_800_000_000.0
COURSE = Course("requests", 60.0, (10.0, 20.0, math.nan, 80.0, 160.0), (10.0, 12.0, 14.0, 16.0, 18.0))
STORY = Story(
    (("needed", "12 replicas"), ("max", "8 replicas"), ("demand", "540 per second")),
    "demand rose to 540 per second, nine times the usual",
    "Foresail stays at 8, the limit of GuardPolicy payments.",
    "Raise max, or accept that demand goes unserved.",
    "foresail pause shop/web --for 1h --reason 'incident'",
    COURSE,
)


def alert(
    name: str = "ForesailLimitBelowNeed", severity: Severity = Severity.CRITICAL, at_s: float = T0, **labels: str
) -> Alert:
    named = {"namespace": "shop", "workload": "web", "sender": "foresail"} | labels
    return Alert(
        name, severity, labels_of(named), f"{named['namespace']}/{named['workload']}: 12 needed, max is 8",
        "12 replicas are needed now, max is 8", at_s, incident=f"workload:{named['namespace']}/{named['workload']}",
        story=STORY,
    )  # fmt: skip


def message(one: Alert | None = None, act: Act = Act.BEGIN, words: Words | None = None, now_s: float = T0) -> Message:
    one = one or alert()
    if act is Act.END and one.firing:
        one = one.resolved(now_s)
    return Message(one, act, one.severity, told_of(one, one.story), "there", now_s, words or Words())


def thread(one: Alert | None = None, lasting: int = 1, **receipt: str) -> Thread:
    one = one or alert()
    return Thread(stable_id(one.incident), T0, lasting, 0, receipt)


def ended(one: Alert, at_s: float) -> Alert:
    return replace(one, resolved_s=at_s)


def secret(folder: Path, text: str, name: str = "secret") -> Secret:
    file = folder / name
    file.write_text(f"{text}\n")
    return Secret(file)


class Kept:
    """Receipts in memory; as the store, they outlive whoever uses them."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, str]] = {}

    def of(self, destination: str) -> Any:
        return dict(self.rows.get(destination, {}))

    def keep(self, destination: str, thread: str, body: str, now_s: float) -> None:
        del now_s
        self.rows.setdefault(destination, {})[thread] = body

    def forget(self, destination: str, threads: Any) -> None:
        for one in threads:
            self.rows[destination].pop(one, None)

    def close(self) -> None:
        """Nothing to close."""
