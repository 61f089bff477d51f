"""Receivers of a local machine that hold what they are sent against what each vendor documents.

PagerDuty: developer.pagerduty.com, "Send an Alert Event" (fields, lengths), "Events API v2 Overview" (codes, 512 KB).
Slack: docs.slack.dev, "chat.postMessage", "chat.update", "Block Kit" (header, section, context), "Formatting message
text".
Webhooks: github.com/standard-webhooks, "spec/standard-webhooks.md" 1.0.0.
"""

import base64
import hashlib
import hmac
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jsonschema

KEY = "R0123456789abcdef0123456789abcde"
TOKEN = "xoxb-123456789-canary-token"  # noqa: S105 - of no workspace
SECRET = "whsec_" + base64.b64encode(b"canary-secret-of-32-bytes-length").decode()

_TEXT = {"type": "string"}
PAGERDUTY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["routing_key", "event_action"],
    "properties": {
        "routing_key": {"type": "string", "minLength": 32, "maxLength": 32},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
        "payload": {
            "type": "object",
            "additionalProperties": False,
            "required": ["summary", "source", "severity"],
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": {"type": "string", "minLength": 1},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {"type": "string", "format": "date-time"},
                "component": _TEXT, "group": _TEXT, "class": _TEXT,
                "custom_details": {"type": "object"},
            },
        },
        "images": {"type": "array", "items": {"type": "object", "required": ["src"]}},
        "links": {
            "type": "array",
            "items": {"type": "object", "required": ["href"], "properties": {"href": _TEXT, "text": _TEXT}},
        },
        "client": _TEXT, "client_url": _TEXT,
    },
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
    "else": {"required": ["dedup_key"]},
}  # fmt: skip
# A mention, a channel or a link that begins with <; only our own runbook link may stand there.
_MRKDWN: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "text"],
    "properties": {
        "type": {"const": "mrkdwn"}, "verbatim": {"const": True},
        "text": {"type": "string", "minLength": 1, "maxLength": 3000},
    },
}  # fmt: skip
_FIELD = {
    **_MRKDWN,
    "properties": {**_MRKDWN["properties"], "text": {"type": "string", "minLength": 1, "maxLength": 2000}},
}
_BLOCK = {
    "oneOf": [
        {
            "type": "object", "additionalProperties": False, "required": ["type", "text"],
            "properties": {
                "type": {"const": "header"},
                "text": {
                    "type": "object", "additionalProperties": False, "required": ["type", "text"],
                    "properties": {
                        "type": {"const": "plain_text"}, "emoji": {"type": "boolean"},
                        "text": {"type": "string", "minLength": 1, "maxLength": 150},
                    },
                },
            },
        },
        {
            "type": "object", "additionalProperties": False, "required": ["type"],
            "anyOf": [{"required": ["text"]}, {"required": ["fields"]}],
            "properties": {
                "type": {"const": "section"}, "text": _MRKDWN,
                "fields": {"type": "array", "minItems": 1, "maxItems": 10, "items": _FIELD},
            },
        },
        {
            "type": "object", "additionalProperties": False, "required": ["type", "elements"],
            "properties": {
                "type": {"const": "context"},
                "elements": {"type": "array", "minItems": 1, "maxItems": 10, "items": _MRKDWN},
            },
        },
    ]
}  # fmt: skip
_MESSAGE = {
    "text": {"type": "string", "minLength": 1, "maxLength": 40000},
    "blocks": {"type": "array", "minItems": 1, "maxItems": 50, "items": _BLOCK},
    "parse": {"const": "none"}, "link_names": {"const": False},
}  # fmt: skip
_ID = {"type": "string", "pattern": "^[CGD][A-Z0-9]{2,}$"}
_TS = {"type": "string", "pattern": r"^[0-9]+\.[0-9]{6}$"}
SLACK_POST = {
    "type": "object", "additionalProperties": False, "required": ["channel", "text"],
    "properties": {
        **_MESSAGE, "channel": _ID, "thread_ts": _TS, "reply_broadcast": {"type": "boolean"},
        "unfurl_links": {"type": "boolean"}, "unfurl_media": {"type": "boolean"},
    },
}  # fmt: skip
SLACK_UPDATE = {
    "type": "object", "additionalProperties": False, "required": ["channel", "ts"],
    "properties": {**_MESSAGE, "channel": _ID, "ts": _TS},
}  # fmt: skip
SLACK_WEBHOOK = {
    "type": "object", "additionalProperties": False, "required": ["text"],
    "properties": {"text": _MESSAGE["text"], "blocks": _MESSAGE["blocks"]},
}  # fmt: skip
_AMPERSAND = re.compile(r"&(?!amp;|lt;|gt;)")
_ANGLE = re.compile(r"<(?!https://foresail\.dev/docs/runbooks/[A-Za-z0-9]+\.md\|Runbook>)")
MOST_OF_BLOCKS = 13_000


def check_pagerduty(body: bytes) -> Any:
    assert len(body) <= 512 * 1024
    said = json.loads(body)
    jsonschema.validate(said, PAGERDUTY)
    return said


def check_slack(method: str, body: bytes) -> Any:
    """Schema, escapes, and the sum that Slack bears."""
    said = json.loads(body)
    jsonschema.validate(said, {"chat.postMessage": SLACK_POST, "chat.update": SLACK_UPDATE}.get(method, SLACK_WEBHOOK))
    assert len(json.dumps(said["blocks"], ensure_ascii=False)) < MOST_OF_BLOCKS
    for text in mrkdwn(said):
        assert not _AMPERSAND.search(text), text
        assert not _ANGLE.search(text), text
    return said


def mrkdwn(said: Any) -> list[str]:
    """All texts in which Slack reads markup."""
    found = [said["text"]]
    for block in said["blocks"]:
        texts = [block.get("text", {}), *block.get("fields", ()), *block.get("elements", ())]
        found += [t["text"] for t in texts if t.get("type") == "mrkdwn"]
    return found


def check_signature(headers: Any, body: bytes, now_s: float, secret: str = SECRET) -> None:
    """As a receiver verifies by the specification, with its five minutes of tolerance."""
    number, at, signatures = (headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    assert abs(int(at) - now_s) <= 300
    assert "." not in number
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(key, f"{number}.{at}.".encode() + body, hashlib.sha256).digest()).decode()
    assert any(hmac.compare_digest(f"v1,{wanted}", one) for one in signatures.split(" "))


@dataclass
class Receiver:
    """Use as a context manager. answers: what it says next, before it takes everything as the vendor does."""

    answers: list[Any] = field(default_factory=list)
    taken: list[tuple[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    posted: int = 0
    on_taken: Any = None  # called with the path once it is taken, before the answer

    def __post_init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        vars(self._server)["receiver"] = self
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Any:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Any:
        with self.lock:
            self.asked.append((path, headers, body))
            if self.answers:
                return self.answers.pop(0)
            try:
                answer = self._as_vendor(path, headers, body)
            except (AssertionError, jsonschema.ValidationError, ValueError) as error:
                self.wrong.append(f"{path}: {error}")
                return 400, {}, b'{"status":"invalid event","message":"Event object is invalid"}'
            if self.on_taken is not None:
                self.on_taken(path)
            return answer

    def _as_vendor(self, path: str, headers: dict[str, str], body: bytes) -> Any:
        if path == "/v2/enqueue":
            if len(json.loads(body)["routing_key"]) != 32:
                words = "Length of 'routing_key' is incorrect (should be 32 characters)"
                return 400, {}, json.dumps({"status": "invalid event", "errors": [words]}).encode()
            said = check_pagerduty(body)
            self.taken.append((path, said))
            return 202, {}, json.dumps({"status": "success", "dedup_key": said["dedup_key"]}).encode()
        if path.startswith("/api/"):
            method = path.rpartition("/")[2]
            if headers.get("authorization") != f"Bearer {TOKEN}":
                return 200, {}, b'{"ok":false,"error":"invalid_auth"}'
            said = check_slack(method, body)
            self.taken.append((method, said))
            self.posted += 1
            ts = said.get("ts") or f"1800000000.{self.posted:06d}"
            return 200, {}, json.dumps({"ok": True, "ts": ts, "channel": said["channel"]}).encode()
        if path.startswith("/services/"):
            self.taken.append((path, check_slack("webhook", body)))
            return 200, {}, b"ok"
        self.taken.append((path, json.loads(body)))
        return 204, {}, b""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {k.lower(): v for k, v in self.headers.items()}
        status, more, said = vars(self.server)["receiver"].answer(self.path, headers, body)
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(said))} | more).items():
            self.send_header(name, value)
        try:
            self.end_headers()
            self.wfile.write(said)
        except OSError:
            return  # who asked was killed

    def log_message(self, *_: Any) -> None:
        """What was asked is kept."""
