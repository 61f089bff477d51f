"""What the answer of a receiver says about a delivery, by the rules of HTTP: one place for every kind of receiver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Final

import requests

from autoscaler.adapters.prometheus import troubles
from autoscaler.adapters.prometheus.faults import QueryFault, one_line, without_secrets
from autoscaler.domain.series import DataVerdict
from autoscaler.ports.alerts import Delivery, Outcome

_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT: Final = frozenset({400, 413, 422})
_SHOWN: Final = 4096


def bare_session() -> requests.Session:
    """Proxies, a .netrc of the environment and cookies have no say in where our credentials go."""
    session = requests.Session()
    session.trust_env = False
    session.headers.update({"User-Agent": "foresail"})
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def judged(status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[str]) -> Delivery:
    """Delivered, later (when it says so), refused for its content, or shut; in words without the secrets."""
    if 200 <= status < 300:
        return Delivery(Outcome.DELIVERED)
    text = without_secrets(one_line(body[:_SHOWN].decode("utf-8", "replace")), secrets)
    words = f"HTTP {status}: {text}" if text else f"HTTP {status}"
    if status in _BUSY or status > 504:
        return Delivery(Outcome.LATER, words, troubles.retry_after_s(headers))
    if status in _CONTENT:
        return Delivery(Outcome.REFUSED, words)
    if 300 <= status < 400:
        words = f"HTTP {status}: it redirects, and secrets do not follow; name the place itself"
    return Delivery(Outcome.SHUT, words)


def unanswered(fault: QueryFault, secrets: Iterable[str] = ()) -> Delivery:
    """An exchange without an answer: later, unless what is wrong is ours."""
    outcome = Outcome.SHUT if fault.verdict is DataVerdict.REFUSED else Outcome.LATER
    return Delivery(outcome, without_secrets(fault.note, secrets))
