"""Makes the destinations of a file of `Notifications`; its routes and silences are read again when the file changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from autoscaler.domain.alert import DOCS
from autoscaler.domain.alert_route import Routing
from autoscaler.domain.errors import AutoscalerError, Refused
from autoscaler.spec.notify import DestinationSpec, Notifications, NotificationsSpec
from autoscaler.spec.notify_channels import SecretSpec
from autoscaler.spec.notify_reading import read_notifications
from autoscaler.spec.scalars import positive_duration_s

if TYPE_CHECKING:
    from autoscaler.adapters.alerting.channel import Channel
    from autoscaler.adapters.alerting.message import Words
    from autoscaler.adapters.alerting.routes import Routed
    from autoscaler.adapters.alerting.secret import Secret

log = logging.getLogger("foresail")
LOOK_EVERY_S: Final = 5.0


def routed(
    file: Path | None, store: str | Path, held_back: Callable[[str, str], None], docs: str = DOCS
) -> list[Routed]:
    """Its destinations, over what they were told before. The clients are loaded with the first one.

    Raises InvalidSpec for what the file says, Refused for what cannot be used as it is named.
    """
    if file is None:
        return []
    from autoscaler.adapters.alerting.routes import Habits, Routed
    from autoscaler.adapters.alerting.routes_health import Health
    from autoscaler.adapters.store.receipts import StoredReceipts

    spec = read_notifications(file, time.time()).notifications.spec
    routing = LiveRouting(file, spec.routing(), names=frozenset(d.name for d in spec.destinations))
    receipts, health = StoredReceipts(store), Health()
    made = []
    for one in spec.destinations:
        habits = Habits(
            routing.now, one.grouped, one.limited(),
            None if one.remind_after is None else positive_duration_s(one.remind_after),
            tuple(d.name for d in spec.destinations if d.fallback == one.name), words_of(spec, one, docs),
        )  # fmt: skip
        made.append(Routed(channel_of(one), habits, receipts, health, held_back))
    return made


def channel_of(one: DestinationSpec) -> Channel:
    """The channel of a destination."""
    from autoscaler.adapters.alerting.email import Mail, MailServer
    from autoscaler.adapters.alerting.pagerduty import PagerDuty
    from autoscaler.adapters.alerting.slack import SlackBot, SlackWebhook
    from autoscaler.adapters.alerting.webhook import Webhook

    if one.pager_duty is not None:
        return PagerDuty(one.name, secret_of(one.pager_duty.routing_key), one.pager_duty.url)
    if one.slack is not None:
        if one.slack.webhook is not None:
            return SlackWebhook(one.name, secret_of(one.slack.webhook))
        if one.slack.channel is None or one.slack.token is None:
            raise ValueError("a bot has a channel and a token")
        return SlackBot(one.name, one.slack.channel, secret_of(one.slack.token), one.slack.url)
    if one.webhook is not None:
        url = one.webhook.url if one.webhook.url_from is None else secret_of(one.webhook.url_from)
        if url is None:
            raise ValueError("a webhook has a URL")
        return Webhook(one.name, url, secret_of(one.webhook.secret))
    if one.email is None:
        raise ValueError(f"{one.name} has a channel")
    mail = one.email
    try:
        server = MailServer(
            mail.host, mail.port, mail.security.value, mail.username,
            None if mail.password is None else secret_of(mail.password),
            None if mail.ca_file is None else Path(mail.ca_file),
        )  # fmt: skip
        return Mail(one.name, server, mail.from_, mail.to)
    except ValueError as error:
        raise Refused(f"destination {one.name}: {error}") from None


def words_of(spec: NotificationsSpec, one: DestinationSpec, docs: str = DOCS) -> Words:
    from autoscaler.adapters.alerting.message import Words

    templates = one.templates or spec.templates
    return Words(templates.title, templates.text, docs)


def secret_of(spec: SecretSpec) -> Secret:
    from autoscaler.adapters.alerting.secret import Secret

    return Secret(None if spec.file is None else Path(spec.file), spec.env)


def missing_secrets(found: Notifications) -> list[str]:
    """Secrets that cannot be read here and now, each with its destination; they may well be there where it runs."""
    from autoscaler.adapters.alerting.secret import SecretMissingError

    missing = []
    for one in found.spec.destinations:
        for spec in _secrets(one):
            try:
                secret_of(spec).read()
            except SecretMissingError as error:
                missing.append(f"destination {one.name}: {error}")
    return missing


def _secrets(one: DestinationSpec) -> list[SecretSpec]:
    named = [
        *((one.pager_duty.routing_key,) if one.pager_duty else ()),
        *((one.slack.token, one.slack.webhook) if one.slack else ()),
        *((one.webhook.secret, one.webhook.url_from) if one.webhook else ()),
        *((one.email.password,) if one.email else ()),
    ]
    return [spec for spec in named if spec is not None]


@dataclass(slots=True)
class LiveRouting:
    """Routes and silences as the file has them now. What it cannot read it says once, and goes on with what it knew."""

    file: Path
    known: Routing
    names: frozenset[str]
    clock: Callable[[], float] = time.monotonic
    _looked_at: float = field(default=0.0, init=False)
    _stamp: tuple[int, int, int] | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._looked_at, self._stamp = self.clock(), self._stamp_now()

    def now(self) -> Routing:
        with self._lock:
            if self.clock() - self._looked_at >= LOOK_EVERY_S:
                self._looked_at = self.clock()
                stamp = self._stamp_now()
                if stamp is not None and stamp != self._stamp:
                    self._stamp = stamp
                    self._read()
            return self.known

    def _read(self) -> None:
        try:
            spec = read_notifications(self.file, time.time()).notifications.spec
        except AutoscalerError as error:
            log.error("notifications_not_read, the former routes and silences hold: %s", error)  # noqa: TRY400
            return
        if frozenset(d.name for d in spec.destinations) != self.names:
            log.error("notifications_not_read: other destinations need a restart; former routes and silences hold")
            return
        self.known = spec.routing()
        log.info("notifications_read routes=%d silences=%d", len(self.known.routes), len(self.known.silences))

    def _stamp_now(self) -> tuple[int, int, int] | None:
        try:
            status = self.file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size
