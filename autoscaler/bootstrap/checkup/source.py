"""What is looked at of a server itself: files of credentials, reachability, who we are to it, version, clock."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.bootstrap.checkup.asking import Notes, Server, span_text
from autoscaler.bootstrap.server_time import ALARMING_S, TOLERATED_S
from autoscaler.domain.series import DataVerdict
from autoscaler.spec.compile import PrometheusSource

SLOW_S = 1.0


@dataclass(frozen=True, slots=True)
class SourceState:
    """now_s: the server's time, ours where it does not tell. None of a source that does not answer."""

    now_s: float


def look_at_source(notes: Notes, source: PrometheusSource, server: Server, now_s: float) -> SourceState | None:
    """Whether its demands can be looked at, and at what time. now_s: our clock."""
    _files(notes, source)
    try:
        answer = server.instant("vector(1)", None)
    except QueryFault as error:
        _refusal(notes, source, error)
        return None
    how = f"answers at {source.url} within {answer.elapsed_s:.2g} s"
    if answer.elapsed_s > SLOW_S:
        notes.warn("reachable", f"{how}, slowly even for a constant", "look at its load and at the network between")
    else:
        notes.ok("reachable", how)
    _way_in(notes, source)
    _version(notes, server)
    return SourceState(now_s + _skew(notes, answer.server_time_s, answer.elapsed_s, now_s))


def _files(notes: Notes, source: PrometheusSource) -> None:
    """What the server's refusal would not tell: a file that is not there, empty, or open to everybody."""
    for path, field, is_secret in (
        (source.bearer_token_file, "bearerTokenFile", True),
        (source.basic_password_file, "passwordFile", True),
        (source.ca_file, "caFile", False),
        (source.cert_file, "certFile", False),
        (source.key_file, "keyFile", True),
    ):
        if path is None:
            continue
        why = _unreadable(path)
        if why is not None:
            notes.fail("files", f"{field} {path}: {why}", "mount it, or mend its path and permissions")
        elif is_secret and path.stat().st_mode & stat.S_IROTH and not _mounted(path):
            notes.warn("files", f"{field} {path} can be read by everybody on this machine", f"chmod 600 {path}")


def _unreadable(path: Path) -> str | None:
    try:
        if not path.read_bytes().strip():
            return "the file is empty"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def _mounted(path: Path) -> bool:
    """A volume of Kubernetes is open inside its own container only."""
    return (path.parent / "..data").exists()


def _refusal(notes: Notes, source: PrometheusSource, error: QueryFault) -> None:
    if error.verdict is DataVerdict.REFUSED and error.note.startswith("TLS"):
        remedy = "name the CA that signed the server's certificate as tls.caFile, and the name in it as the URL's host"
        if source.cert_file is None and "certificate required" in error.note:
            remedy = "the server asks who we are: name tls.certFile and tls.keyFile"
        notes.fail("tls", f"the connection to {source.url} is not trusted: {error.note}", remedy)
    elif error.verdict is DataVerdict.REFUSED:
        sent = "our credentials" if source.bearer_token_file or source.basic_user else "us, who send no credentials"
        remedy = "check bearerTokenFile or basicAuth, the tenant's header, and that the URL's path is complete"
        notes.fail("auth", f"{source.url} refuses {sent}: {error.note}", remedy)
    elif error.verdict in {DataVerdict.UNREACHABLE, DataVerdict.THROTTLED}:
        notes.fault("reachable", error)
    else:
        remedy = "check that the URL is the root of a Prometheus API, with its path prefix and without /api/v1"
        notes.fail("reachable", f"{source.url} answers, but not as a Prometheus API: {error.note}", remedy)


def _way_in(notes: Notes, source: PrometheusSource) -> None:
    encrypted = source.url.startswith("https:")
    who = "a bearer token" if source.bearer_token_file else "a user and password" if source.basic_user else None
    if encrypted:
        by = "its CA is the one we were given" if source.ca_file else "its CA is one this machine trusts"
        notes.ok("tls", f"the connection is encrypted and the certificate is valid: {by}")
    elif who is not None:
        notes.warn("tls", f"{who} travels over http, readable on the way", "use https and tls.caFile")
    if who is not None:
        notes.ok("auth", f"{who} is accepted")
    elif source.cert_file is not None:
        notes.ok("auth", "our client certificate is accepted")
    else:
        notes.ok("auth", "no credentials are asked for")


def _version(notes: Notes, server: Server) -> None:
    try:
        told = server.get_json("status/buildinfo")
    except QueryFault:
        notes.ok("version", "it does not tell its version, as many proxies and dialects do")
        return
    version = told.get("version") if isinstance(told, dict) else None
    application = told.get("application") if isinstance(told, dict) else None
    if isinstance(version, str) and version:
        product = application if isinstance(application, str) and application else "it"
        notes.ok("version", f"{product} says that it is version {version[:40]}")
    else:
        notes.ok("version", "it does not tell its version, as many proxies and dialects do")


def _skew(notes: Notes, server_time_s: float | None, elapsed_s: float, now_s: float) -> float:
    """The server's clock less ours, in seconds; told in whole ones, so half a second is nothing."""
    if server_time_s is None:
        notes.warn("clock", "it does not tell its time", "keep this machine's clock right with NTP: we must rely on it")
        return 0.0
    skew_s = server_time_s + 0.5 - (now_s + elapsed_s / 2)
    side = "ahead of" if skew_s > 0 else "behind"
    words = f"its clock is {span_text(abs(skew_s))} {side} ours"
    if abs(skew_s) > ALARMING_S:
        notes.fail("clock", f"{words}: decisions follow its clock, but one of the two is wrong", "check NTP on both")
    elif abs(skew_s) > TOLERATED_S:
        notes.warn("clock", f"{words}: decisions follow its clock", "check NTP on both")
    else:
        notes.ok("clock", "its clock and ours agree")
    return skew_s if abs(skew_s) > TOLERATED_S else 0.0
