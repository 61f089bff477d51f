"""Slack: one thread for each incident, its head kept up to date; or an incoming webhook, which has neither.

Sources: docs.slack.dev, "chat.postMessage", "chat.update", "Formatting message text" (what is escaped), "Block Kit"
(header 150 characters, section 3000, fields 10 of 2000, 50 blocks), "Rate limits" (429 with Retry-After). All blocks
together are refused with msg_blocks_too_long from some 13,000 characters on, which no page says: bolt-js issue 2509.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from autoscaler.adapters.alerting.channel import NOTHING_TO_DO, Thread, Told
from autoscaler.adapters.alerting.message import Act, Message
from autoscaler.adapters.alerting.poster import Poster, Posting
from autoscaler.adapters.alerting.secret import Secret, SecretMissingError
from autoscaler.domain.alert import Severity
from autoscaler.domain.alert_route import stable_id
from autoscaler.ports.alerts import Delivery, Outcome

MOST_HEADER: Final = 150
MOST_SECTION: Final = 3000
MOST_FIELD: Final = 300
ESCAPES: Final[Mapping[int, str]] = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""All that Slack asks to be escaped: without < no mention and no link can begin. Bold in a name is harmless."""
TO_BE_MENDED: Final = frozenset({
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "no_permission",
    "missing_scope", "not_allowed_token_type", "org_login_required", "ekm_access_denied", "access_denied",
    "channel_not_found", "not_in_channel", "is_archived", "restricted_action", "team_access_not_granted",
    "two_factor_setup_required", "enterprise_is_restricted", "method_deprecated", "deprecated_endpoint",
    "action_prohibited", "no_service", "channel_is_archived", "no_team", "invalid_token", "user_not_found",
})  # fmt: skip
PASSING: Final = frozenset({
    "ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error", "service_unavailable",
    "request_timeout", "team_added_to_org", "rollup_error", "accesslimited",
})  # fmt: skip
HEAD_GONE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
MARKS: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵", Severity.NONE: "⚪",
}  # fmt: skip


class SlackBot:
    """Implements Channel by the Web API. The receipt of a thread is its ts and the channel's ID."""

    updates = True
    resends_end = False

    def __init__(self, name: str, channel: str, token: Secret, url: str, poster: Poster | None = None) -> None:
        self.name = name
        self._channel, self._token, self._url = channel, token, url.rstrip("/")
        self._poster = poster or Poster()

    def tell(self, message: Message, thread: Thread) -> Told:
        ts, channel = thread.receipt.get("ts"), thread.receipt.get("channel")
        if ts is None or channel is None:
            return self._begin(message)
        if message.act is Act.UPDATE and thread.receipt.get("key") != message.alert.key:
            return Told(NOTHING_TO_DO)  # the head speaks of another one
        closed = message.act is Act.END and not thread.lasting
        if closed or message.act is Act.UPDATE:
            delivery = self._renew_head(message, thread, ts, channel)
            if delivery.outcome is not Outcome.DELIVERED or message.act is Act.UPDATE:
                return Told(delivery)
        body = post(message) | {"channel": channel, "thread_ts": ts}
        if message.act is Act.BEGIN and message.severity is Severity.CRITICAL:
            body["reply_broadcast"] = True  # a thread that nobody follows must not hide it
        delivery, _ = self._call("chat.postMessage", body)
        return Told(delivery)

    def secrets_now(self) -> str:
        return _digest(self._token)

    def close(self) -> None:
        self._poster.close()

    def _begin(self, message: Message) -> Told:
        delivery, said = self._call("chat.postMessage", post(message) | {"channel": self._channel})
        if delivery.outcome is not Outcome.DELIVERED:
            return Told(delivery)
        ts, channel = said.get("ts"), said.get("channel")
        if not (isinstance(ts, str) and isinstance(channel, str)):
            return Told(delivery)  # it is posted; what follows begins a thread of its own
        return Told(
            delivery, {"ts": ts, "channel": channel, "title": message.title[:MOST_HEADER], "key": message.alert.key}
        )

    def _renew_head(self, message: Message, thread: Thread, ts: str, channel: str) -> Delivery:
        """Idempotent, so it goes before the reply: a retry after a failed reply shows nothing twice."""
        body = head(message, thread) | {"channel": channel, "ts": ts}
        delivery, said = self._call("chat.update", body)
        return Delivery(Outcome.DELIVERED) if said.get("error") in HEAD_GONE else delivery

    def _call(self, method: str, body: Mapping[str, Any]) -> tuple[Delivery, Mapping[str, Any]]:
        try:
            token = self._token.read()
        except SecretMissingError as error:
            return Delivery(Outcome.SHUT, str(error)), {}
        headers = {"Authorization": f"Bearer {token}"}
        data = json.dumps(body, ensure_ascii=False).encode()
        reply = self._poster.post(Posting(f"{self._url}/{method}", data, headers, (token,)))
        if reply.delivery.outcome is not Outcome.DELIVERED:
            return reply.delivery, {}
        try:
            said = json.loads(reply.body)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            return Delivery(Outcome.LATER, f"{method} was answered with something that is no object of JSON"), {}
        if said.get("ok") is True:
            return reply.delivery, said
        return judged(method, str(said.get("error", "no error named"))[:80], said), said


class SlackWebhook:
    """Implements Channel by an incoming webhook: every message by itself."""

    updates = False
    resends_end = False

    def __init__(self, name: str, url: Secret, poster: Poster | None = None) -> None:
        self.name = name
        self._url = url
        self._poster = poster or Poster()

    def tell(self, message: Message, thread: Thread) -> Told:  # noqa: ARG002 - it has no threads
        try:
            url = self._url.read()
        except SecretMissingError as error:
            return Told(Delivery(Outcome.SHUT, str(error)))
        if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            return Told(Delivery(Outcome.SHUT, f"{self._url.place} holds no https URL"))
        body = {name: value for name, value in post(message).items() if name in {"text", "blocks"}}
        secrets = (url, url.partition("://")[2].partition("/")[2])
        reply = self._poster.post(Posting(url, json.dumps(body, ensure_ascii=False).encode(), {}, secrets))
        said = reply.body[:80].decode("utf-8", "replace").strip()
        if reply.status in {400, 403, 404, 410} and said in TO_BE_MENDED:
            return Told(Delivery(Outcome.SHUT, reply.delivery.words))
        return Told(reply.delivery)

    def secrets_now(self) -> str:
        return _digest(self._url)

    def close(self) -> None:
        self._poster.close()


def judged(method: str, error: str, said: Mapping[str, Any]) -> Delivery:
    """What an error of the Web API means; it comes with HTTP 200."""
    needed = said.get("needed")
    words = f"{method}: {error}" + (f", it needs {str(needed)[:80]}" if needed else "")
    if error in TO_BE_MENDED:
        return Delivery(Outcome.SHUT, words)
    return Delivery(Outcome.LATER if error in PASSING else Outcome.REFUSED, words)


def post(message: Message) -> dict[str, Any]:
    """Text for the notification on a phone, and blocks."""
    title = _header(message, message.title)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": title, "emoji": True}}]
    if message.story.figures:
        fields = [
            {"type": "mrkdwn", "verbatim": True, "text": f"*{_safe(name, MOST_FIELD)}*\n{_safe(value, MOST_FIELD)}"}
            for name, value in message.story.figures
        ]
        blocks.append({"type": "section", "fields": fields})
    blocks += [_section(piece) for piece in pieces(message.text(ESCAPES))]
    link = f"<{message.runbook}|Runbook> · {_safe(message.alert.name, 70)} · {_safe(message.fields['where'], 200)}"
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "verbatim": True, "text": link}]})
    return {
        "text": _safe(title, MOST_SECTION), "blocks": blocks, "unfurl_links": False, "unfurl_media": False,
        "parse": "none", "link_names": False,
    }  # fmt: skip


def head(message: Message, thread: Thread) -> dict[str, Any]:
    """The head of a thread as it is now: of one that is over, what it was about and for how long."""
    if message.act is not Act.END:
        return {name: value for name, value in post(message).items() if not name.startswith("unfurl")}
    about = thread.receipt.get("title") or message.title
    title = f"✅ over: {about}"[:MOST_HEADER]
    fields = message.fields
    text = f"Began {fields['started']}, lasted {fields['lasted']}. The thread tells how it went."
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": True}},
        _section(_safe(text, MOST_SECTION)),
    ]
    return {"text": _safe(title, MOST_SECTION), "blocks": blocks, "parse": "none", "link_names": False}


def pieces(text: str, most: int = MOST_SECTION) -> list[str]:
    """Text in parts that a section takes, split at lines; an escape such as &amp; is never cut in two."""
    parts: list[str] = []
    for line in text.split("\n"):
        if parts and len(parts[-1]) + 1 + len(line) <= most:
            parts[-1] += "\n" + line
            continue
        rest = line
        while len(rest) > most:
            cut = most
            ampersand = rest.rfind("&", most - 5, most)
            if ampersand >= 0 and ";" not in rest[ampersand:most]:
                cut = ampersand
            parts.append(rest[:cut])
            rest = rest[cut:]
        parts.append(rest)
    return [part for part in parts if part.strip()]


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "verbatim": True, "text": text}}


def _header(message: Message, title: str) -> str:
    mark = "✅" if message.act is Act.END else MARKS[message.severity]
    whole = f"{mark} {title or message.alert.name}"
    return whole if len(whole) <= MOST_HEADER else f"{whole[: MOST_HEADER - 1]}…"


def _safe(text: str, most: int) -> str:
    """Escaped, cut before the escape so that none is cut in two."""
    return text[: most // 5 if len(text.translate(ESCAPES)) > most else most].translate(ESCAPES)


def _digest(secret: Secret) -> str:
    try:
        return stable_id(secret.read())
    except SecretMissingError:
        return ""
