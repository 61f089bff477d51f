"""HTTP with a deadline on every call; an error status is an answer, not an exception."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DIRECT = urllib.request.ProxyHandler({})
"""Loopback is never asked through a proxy of the environment."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def fetch(
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 5.0,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """OSError where nobody answers in time."""
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310
    opener = urllib.request.build_opener(DIRECT, urllib.request.HTTPSHandler(context=tls))
    try:
        with opener.open(request, timeout=timeout_s) as reply:
            return Answer(reply.status, dict(reply.headers), reply.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return Answer(refused.code, dict(refused.headers), refused.read())
