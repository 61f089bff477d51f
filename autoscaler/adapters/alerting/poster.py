"""One POST to a receiver whose URL or key is a secret: bounded in time and size, no redirects, no secret in any word.

Proxies and a .netrc of the environment have no say in where our secrets go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Final

import requests
import urllib3

from autoscaler.adapters.alerting.bounded import body_within
from autoscaler.adapters.prometheus import troubles
from autoscaler.adapters.prometheus.faults import one_line, without_secrets
from autoscaler.domain.series import DataVerdict
from autoscaler.ports.alerts import Delivery, Outcome

TIMEOUT_S: Final = 10.0
BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
CONTENT: Final = frozenset({400, 413, 422})


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
        self._session = session = requests.Session()
        session.trust_env = False
        session.headers.update({"User-Agent": "foresail", "Content-Type": "application/json; charset=utf-8"})
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def post(self, what: Posting) -> Reply:
        try:
            status, headers, body = self._once(what)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            fault = troubles.from_error(error, self._timeout_s)
            outcome = Outcome.SHUT if fault.verdict is DataVerdict.REFUSED else Outcome.LATER
            return Reply(0, Delivery(outcome, without_secrets(fault.note, what.secrets)))
        if 200 <= status < 300:
            return Reply(status, Delivery(Outcome.DELIVERED), body)
        text = without_secrets(one_line(body[:4096].decode("utf-8", "replace")), what.secrets)
        words = f"HTTP {status}: {text}" if text else f"HTTP {status}"
        if status in BUSY or status > 504:
            return Reply(status, Delivery(Outcome.LATER, words, troubles.retry_after_s(headers)), body)
        if 300 <= status < 400:
            words = f"HTTP {status}: it redirects, and secrets do not follow; name the place itself"
        outcome = Outcome.REFUSED if status in CONTENT else Outcome.SHUT
        return Reply(status, Delivery(outcome, words), body)

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
