"""One POST to a receiver whose URL or key is a secret: bounded in time and size, no redirects, no secret in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import requests
import urllib3

from autoscaler.adapters.alerting.answers import bare_session, judged, unanswered
from autoscaler.adapters.alerting.bounded import body_within
from autoscaler.adapters.prometheus import troubles
from autoscaler.ports.alerts import Delivery

TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Posting:
    """secrets: what no word of ours may hold, though the receiver sends it back."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """status: 0 = there was no answer. delivery: how it went by the rules of HTTP; a channel may know better."""

    status: int
    delivery: Delivery
    body: bytes = b""


class Poster:
    """Used by one thread at a time. Nothing that the outside does leaves as an exception."""

    def __init__(self, timeout_s: float = TIMEOUT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout_s, self._clock = timeout_s, clock
        self._session = bare_session()
        self._session.headers["Content-Type"] = "application/json; charset=utf-8"

    def post(self, what: Posting) -> Reply:
        try:
            status, headers, body = self._once(what)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Reply(0, unanswered(troubles.from_error(error, self._timeout_s), what.secrets))
        return Reply(status, judged(status, headers, body, what.secrets), body)

    def close(self) -> None:
        self._session.close()

    def _once(self, what: Posting) -> tuple[int, Mapping[str, str], bytes]:
        deadline_s = self._clock() + self._timeout_s
        response = self._session.post(
            what.url, data=what.body, headers=dict(what.headers), timeout=self._timeout_s, stream=True,
            allow_redirects=False,
        )  # fmt: skip
        try:
            said = body_within(response, deadline_s, self._clock)
            return response.status_code, response.headers, said
        finally:
            response.close()
