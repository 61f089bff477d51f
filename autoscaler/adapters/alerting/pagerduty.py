"""PagerDuty's Events API v2: one alert for each thread, by dedup_key.

Source: PagerDuty developer docs, "Events API v2 Overview" (codes, limits) and "Send an Alert Event" (fields).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from autoscaler.adapters.alerting.channel import NOTHING_TO_DO, Thread, Told
from autoscaler.adapters.alerting.message import Act, Message
from autoscaler.adapters.alerting.poster import Poster, Posting
from autoscaler.adapters.alerting.secret import Secret, SecretMissingError
from autoscaler.domain.alert import Severity
from autoscaler.domain.alert_route import stable_id
from autoscaler.ports.alerts import Delivery, Outcome

PATH: Final = "/v2/enqueue"
MOST_SUMMARY: Final = 1024
MOST_DETAIL: Final = 2000
_SEVERITIES: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.INFO: "info", Severity.NONE: "info",
}  # fmt: skip


class PagerDuty:
    """Implements Channel. A key that is wrong is answered with 400 as a message is; the words tell them apart."""

    updates = True
    resends_end = True

    def __init__(self, name: str, key: Secret, url: str, poster: Poster | None = None) -> None:
        self.name = name
        self._key, self._url = key, url.rstrip("/") + PATH
        self._poster = poster or Poster()

    def tell(self, message: Message, thread: Thread) -> Told:
        if message.act is Act.END and thread.lasting:
            return Told(NOTHING_TO_DO)  # the page stays open as long as one of its alerts lasts
        try:
            key = self._key.read()
        except SecretMissingError as error:
            return Told(Delivery(Outcome.SHUT, str(error)))
        body = json.dumps(event(message, thread, key), ensure_ascii=False).encode()
        reply = self._poster.post(Posting(self._url, body, secrets=(key,)))
        if reply.status == 400 and "routing_key" in reply.delivery.words:
            return Told(Delivery(Outcome.SHUT, reply.delivery.words))
        return Told(reply.delivery)

    def secrets_now(self) -> str:
        try:
            return stable_id(self._key.read())
        except SecretMissingError:
            return ""

    def close(self) -> None:
        self._poster.close()


def event(message: Message, thread: Thread, key: str) -> dict[str, Any]:
    """The body of one event. A resolve needs the key and the thread alone."""
    alert, fields = message.alert, message.fields
    told: dict[str, Any] = {
        "routing_key": key,
        "event_action": "resolve" if message.act is Act.END else "trigger",
        "dedup_key": f"foresail-{thread.id}",
    }
    if message.act is Act.END:
        return told
    details = {
        "text": message.text(), "why": fields["why"], "foresail": fields["did"], "next": fields["next"],
        "command": fields["command"], "picture": fields["picture"], "lasting_alerts": str(thread.lasting),
        **dict(message.story.figures),
        **{f"label_{name}": value for name, value in alert.labels},
    }  # fmt: skip
    payload = {
        "summary": message.title[:MOST_SUMMARY] or alert.name,
        "source": fields["where"] or alert.label("installation") or "foresail",
        "severity": _SEVERITIES[message.severity],
        "timestamp": datetime.fromtimestamp(alert.starts_s, UTC).isoformat(timespec="milliseconds"),
        "component": alert.label("workload") or "foresail",
        "group": alert.label("namespace") or "foresail",
        "class": alert.name,
        "custom_details": {name: value[:MOST_DETAIL] for name, value in details.items() if value},
    }
    return told | {
        "payload": payload,
        "client": "Foresail",
        "links": [{"href": message.runbook, "text": f"Runbook of {alert.name}"}],
    }
