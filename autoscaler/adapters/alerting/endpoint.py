"""One HTTP endpoint that takes alerts: bounded in time and size, credentials out of files, no redirects."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3

from autoscaler.adapters.alerting.answers import bare_session, judged, unanswered
from autoscaler.adapters.alerting.bounded import body_within
from autoscaler.adapters.prometheus import troubles
from autoscaler.adapters.prometheus.credentials import Credentials
from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.domain.errors import Refused
from autoscaler.ports.alerts import Delivery, Outcome


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Where alerts go and who we are there. Secrets are named by file, never held. ca_file: whom to trust in place of
    the public CAs. cert_file, key_file: our own certificate. timeout_s: for one exchange, connecting and reading
    together.
    """

    url: str
    bearer_token_file: Path | None = None
    basic_user: str | None = None
    basic_password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.timeout_s) and self.timeout_s > 0):
            raise ValueError(f"{self.name}: a timeout is a positive number of seconds, not {self.timeout_s!r}")
        self.as_source()

    @property
    def name(self) -> str:
        """Host, port and path: no scheme, and no secret; a URL that holds one is refused by this name."""
        parts = urlsplit(self.url)
        return f"{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"

    def as_source(self) -> PrometheusSettings:
        """The same in the form that the reading of credentials knows; ValueError for what cannot be used."""
        return PrometheusSettings(
            self.name or "the alerts' destination", self.url, bearer_token_file=self.bearer_token_file,
            basic_user=self.basic_user, basic_password_file=self.basic_password_file, ca_file=self.ca_file,
            cert_file=self.cert_file, key_file=self.key_file, timeout_s=self.timeout_s,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """delivery: how it went. body: what an accepting endpoint answered, else empty. date_s: its own time."""

    delivery: Delivery
    body: bytes = b""
    date_s: float | None = None


class Endpoint:
    """Used by one thread at a time. Nothing that the outside does leaves as an exception."""

    def __init__(self, settings: EndpointSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._session = session = bare_session()
        for file, what in (
            (settings.ca_file, "CA file"), (settings.cert_file, "certificate"), (settings.key_file, "key"),
        ):  # fmt: skip
            if file is not None and not file.is_file():
                raise Refused(f"{settings.name}: the {what} {file} is not there; check the path")
        session.verify = str(settings.ca_file) if settings.ca_file else True
        if settings.cert_file:
            pair = (str(settings.cert_file), str(settings.key_file))
            session.cert = pair if settings.key_file else str(settings.cert_file)
        self._credentials = Credentials(settings.as_source())

    def call(self, verb: str, path: str, body: bytes | None = None, params: Mapping[str, str] | None = None) -> Answer:
        """One exchange; after a 401 once more with the credentials read anew."""
        deadline_s = self._clock() + self.settings.timeout_s
        url = self.settings.url.rstrip("/") + path
        try:
            status, headers, said, sent = self._once(verb, url, body, params, deadline_s)
            if status == 401 and self._credentials.renewed(sent):
                status, headers, said, _ = self._once(verb, url, body, params, deadline_s)
        except QueryFault as unread:  # credentials
            return Answer(Delivery(Outcome.SHUT, unread.note))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Answer(unanswered(troubles.from_error(error, self.settings.timeout_s)))
        if 200 <= status < 300:
            return Answer(Delivery(Outcome.DELIVERED), said, troubles.http_date_s(headers.get("Date", "")))
        return Answer(judged(status, headers, said, self._credentials.secrets()))

    def close(self) -> None:
        self._session.close()

    def _once(
        self, verb: str, url: str, body: bytes | None, params: Mapping[str, str] | None, deadline_s: float
    ) -> tuple[int, Mapping[str, str], bytes, str | bytes | None]:
        left_s = max(0.001, deadline_s - self._clock())
        headers = {"Content-Type": "application/json"} if body is not None else {}
        response = self._session.request(
            verb, url, data=body, params=params, headers=headers, auth=self._credentials, timeout=left_s, stream=True,
            allow_redirects=False,
        )  # fmt: skip
        try:
            said = body_within(response, deadline_s, self._clock)
            sent = response.request.headers.get("Authorization")
            return response.status_code, response.headers, said, sent
        finally:
            response.close()
