"""How one Prometheus-compatible source is reached. Knows no HTTP; secrets are named, never held."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

PROMETHEUS_MOST_POINTS = 11_000
"""Points per series that a stock Prometheus answers in one range query."""


class Secret(Protocol):
    """A text that somebody else keeps, as a Secret of a cluster. Refused, with the reason, when it cannot be had."""

    def text(self) -> str:
        """As it was read last."""
        ...

    def again(self) -> str:
        """Read anew, as far as its keeper allows."""
        ...


@dataclass(frozen=True, slots=True)
class PrometheusSettings:
    """One source, as its administrator describes it.

    url: root of the API, a path prefix included (Mimir: …/prometheus). headers: sent with each request, such as
    the tenant's X-Scope-OrgID. params: added to each query, such as dedup=true. proxy: URL of an HTTP proxy;
    proxies of the environment are not used, nor is a .netrc. ca_file: whom to trust in place of the public CAs.
    secret: a bearer token, or with basic_user the password, in place of a file.
    cert_file, key_file: our own certificate, for mTLS. timeout_s: for one query, connecting and reading together.
    max_points: steps per request. concurrency: queries at the same time. stale_after_s: age from which the newest
    sample is no longer believed. replica_labels: labels in which two copies of one series may differ.
    """

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    bearer_token_file: Path | None = None
    basic_user: str | None = None
    basic_password_file: Path | None = None
    secret: Secret | None = field(default=None, repr=False)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    timeout_s: float = 5.0
    max_points: int = 10_000
    concurrency: int = 4
    stale_after_s: float = 120.0
    params: Mapping[str, str] = field(default_factory=dict)
    replica_labels: tuple[str, ...] = ("prometheus", "prometheus_replica", "replica", "job")

    def __post_init__(self) -> None:
        where = f"source {self.name}"
        _check_url(self.url, where)
        for seconds, what in ((self.timeout_s, "timeout"), (self.stale_after_s, "staleAfter")):
            if not (math.isfinite(seconds) and seconds > 0):
                raise ValueError(f"{where}: {what} is a positive number of seconds, not {seconds!r}")
        if not 1 <= self.max_points <= PROMETHEUS_MOST_POINTS:
            raise ValueError(f"{where}: maxPoints lies in 1 … {PROMETHEUS_MOST_POINTS}, not at {self.max_points}")
        if self.concurrency < 1:
            raise ValueError(f"{where}: at least one query at a time, not {self.concurrency}")
        if self.bearer_token_file and self.basic_user:
            raise ValueError(f"{where}: a bearer token or a user and password, not both")
        if self.secret is not None and (self.bearer_token_file or self.basic_password_file):
            raise ValueError(f"{where}: a secret or a file with it, not both")
        if self.secret is None and (self.basic_user is None) != (self.basic_password_file is None):
            raise ValueError(f"{where}: basic auth needs both a user and a password file")
        if self.key_file and not self.cert_file:
            raise ValueError(f"{where}: a client key needs its certificate")


def _check_url(url: str, where: str) -> None:
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ValueError(f"{where}: no user or password in the URL, it would reach logs; use a password file")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{where}: the URL needs http:// or https:// and a host, not {url!r}")
    if parts.query or parts.fragment:
        raise ValueError(f"{where}: no query in the URL ({url!r}); put parameters into params")
