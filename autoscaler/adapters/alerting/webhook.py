"""JSON by POST to any receiver, signed so that it can tell who sent it, that nothing was changed, and what came twice.

Source: Standard Webhooks 1.0.0 (`spec/standard-webhooks.md`): headers webhook-id, webhook-timestamp, webhook-signature;
HMAC-SHA256 over "id.timestamp.body"; the id stays through all retries of one message, the time stamp is of the attempt.
The body's schema is BODY_SCHEMA; docs/notify.md shows it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from autoscaler.adapters.alerting.channel import Thread, Told
from autoscaler.adapters.alerting.message import MOST_TEXT, MOST_TITLE, Act, Message
from autoscaler.adapters.alerting.poster import Poster, Posting
from autoscaler.adapters.alerting.secret import Secret, SecretMissingError
from autoscaler.domain.alert_route import stable_id
from autoscaler.ports.alerts import Delivery, Outcome

PREFIX: Final = "whsec_"
LEAST_KEY: Final = 24
VERSION: Final = 1
_TYPES: Final = {
    Act.BEGIN: "alert.firing", Act.UPDATE: "alert.updated", Act.REMIND: "alert.firing", Act.END: "alert.resolved",
}  # fmt: skip


class Webhook:
    """Implements Channel. url: as text, or where it stands if it is a secret. now_s: the real time, for signatures."""

    updates = True
    resends_end = True

    def __init__(
        self, name: str, url: str | Secret, secret: Secret, poster: Poster | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.name = name
        self._url, self._secret, self._now_s = url, secret, now_s
        self._poster = poster or Poster()

    def tell(self, message: Message, thread: Thread) -> Told:
        try:
            url = self._url if isinstance(self._url, str) else self._url.read()
            word = self._secret.read()
            key = key_of(word)
        except SecretMissingError as error:
            return Told(Delivery(Outcome.SHUT, str(error)))
        except ValueError as error:
            return Told(Delivery(Outcome.SHUT, f"{self._secret.place}: {error}"))
        hidden = (word,) if isinstance(self._url, str) else (word, url, *_parts(url))
        number = message_id(message, thread)
        body = json.dumps(as_json(message, thread), ensure_ascii=False, allow_nan=False).encode()
        headers = signed(key, number, round(self._now_s()), body)
        return Told(self._poster.post(Posting(url, body, headers, hidden)).delivery)

    def secrets_now(self) -> str:
        words = []
        for one in (self._secret, self._url):
            try:
                words.append(one if isinstance(one, str) else one.read())
            except SecretMissingError:
                words.append("")
        return stable_id(*words)

    def close(self) -> None:
        self._poster.close()


def key_of(word: str) -> bytes:
    """The key of whsec_BASE64, or the text itself. ValueError for one that could be guessed; it is not repeated."""
    if word.startswith(PREFIX):
        try:
            key = base64.b64decode(word[len(PREFIX) :], validate=True)
        except binascii.Error:
            raise ValueError("what follows whsec_ is not base64") from None
    else:
        key = word.encode()
    if len(key) < LEAST_KEY:
        raise ValueError(f"a key of {len(key)} bytes could be guessed: at least {LEAST_KEY}")
    return key


def signed(key: bytes, number: str, at_s: int, body: bytes) -> dict[str, str]:
    """The three headers."""
    mac = hmac.new(key, b".".join((number.encode(), str(at_s).encode(), body)), hashlib.sha256).digest()
    return {
        "webhook-id": number,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def message_id(message: Message, thread: Thread) -> str:
    """The same for each try of the same message, over restarts too: what is sent twice can be told."""
    alert = message.alert
    count = str(thread.count) if message.act in {Act.UPDATE, Act.REMIND} else ""
    said = (message.destination, alert.key, f"{alert.starts_s:.6f}", message.act.value, count)
    return f"msg_{stable_id(*said)}"


def as_json(message: Message, thread: Thread) -> dict[str, Any]:
    """The body. Values are not escaped: JSON needs no more, and what a receiver shows is its to escape."""
    alert, fields, story = message.alert, message.fields, message.story
    course = story.course
    return {
        "type": _TYPES[message.act],
        "timestamp": _rfc3339(message.now_s),
        "data": {
            "version": VERSION,
            "key": alert.key,
            "thread": thread.id,
            "alert": alert.name,
            "severity": message.severity.word,
            "state": "firing" if alert.firing else "resolved",
            "labels": dict(alert.labels),
            "startsAt": _rfc3339(alert.starts_s),
            "endsAt": None if alert.resolved_s is None else _rfc3339(alert.resolved_s),
            "title": message.title,
            "text": message.text(),
            "summary": alert.summary,
            "description": alert.description,
            "figures": [{"name": name, "value": value} for name, value in story.figures],
            "why": story.why,
            "did": story.did,
            "next": fields["next"],
            "command": fields["command"],
            "runbook": message.runbook,
            "course": None
            if course is None
            else {
                "name": course.name,
                "stepSeconds": course.step_s,
                "observed": [_known(v) for v in course.observed],
                "expected": [_known(v) for v in course.expected],
            },
        },
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _rfc3339(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parts(url: str) -> tuple[str, ...]:
    parts = urlsplit(url)
    return tuple(part for part in (parts.path.strip("/"), parts.query) if part)


_TEXT: Final = {"type": "string"}
_NUMBERS: Final = {"type": "array", "maxItems": 288, "items": {"type": ["number", "null"]}}
BODY_SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Message of Foresail to a webhook",
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "timestamp", "data"],
    "properties": {
        "type": {"enum": sorted(set(_TYPES.values()))},
        "timestamp": {"type": "string", "format": "date-time"},
        "data": {
            "type": "object",
            "additionalProperties": False,
            "required": ["version", "key", "thread", "alert", "severity", "state", "labels", "startsAt", "endsAt"],
            "properties": {
                "version": {"const": VERSION},
                "key": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                "thread": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                "alert": {"type": "string", "maxLength": 64},
                "severity": {"enum": ["none", "info", "warning", "critical"]},
                "state": {"enum": ["firing", "resolved"]},
                "labels": {"type": "object", "maxProperties": 12, "additionalProperties": {**_TEXT, "maxLength": 200}},
                "startsAt": {"type": "string", "format": "date-time"},
                "endsAt": {"type": ["string", "null"], "format": "date-time"},
                "title": {**_TEXT, "maxLength": MOST_TITLE},
                "text": {**_TEXT, "maxLength": MOST_TEXT},
                "summary": {**_TEXT, "maxLength": 300},
                "description": {**_TEXT, "maxLength": 1800},
                "figures": {
                    "type": "array",
                    "maxItems": 3,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["name", "value"],
                        "properties": {"name": {**_TEXT, "maxLength": 60}, "value": {**_TEXT, "maxLength": 60}},
                    },
                },
                "why": {**_TEXT, "maxLength": 600},
                "did": {**_TEXT, "maxLength": 600},
                "next": {**_TEXT, "maxLength": 600},
                "command": {**_TEXT, "maxLength": 300},
                "runbook": {"type": "string", "format": "uri"},
                "course": {
                    "type": ["object", "null"],
                    "additionalProperties": False,
                    "required": ["name", "stepSeconds", "observed", "expected"],
                    "properties": {
                        "name": {**_TEXT, "maxLength": 60},
                        "stepSeconds": {"type": "number", "exclusiveMinimum": 0},
                        "observed": _NUMBERS,
                        "expected": _NUMBERS,
                    },
                },
            },
        },
    },
}
