"""What went wrong on the way or was refused, told as faults. Knows what Prometheus and its kin write into errors."""

from __future__ import annotations

import email.utils
import re
import socket
import ssl
from collections.abc import Iterator, Mapping

import requests
import urllib3

from autoscaler.adapters.prometheus.decode import complaint
from autoscaler.adapters.prometheus.faults import QueryFault, fault, one_line, without_secrets
from autoscaler.domain.series import DataVerdict

TOO_HEAVY = re.compile(
    r"too many samples|exceeded maximum resolution|query timed out|query was canceled|max(imum)? number of"
    r"|exceeds? (the )?(limit|maximum|-search\.)|exceeded (the )?.{0,40}limit|limit .{0,60}exceeded|too long query"
    r"|matching timeseries exceeds|-search\.max|query time range exceeds"
    r"|(would|more than) .{0,40}(samples|series|bytes)|err-mimir-max",
    re.IGNORECASE,
)
WRONG_TYPE = re.compile(r"invalid expression type|must be (scalar or )?instant vector", re.IGNORECASE)
BUSY = {429, 503}
BROKEN = {500, 502, 504, 408}


def from_status(status: int, headers: Mapping[str, str], body: bytes | bytearray, secrets: Iterator[str]) -> QueryFault:
    """The fault of an answer that is not 200."""
    said = complaint(body)
    text = without_secrets(said.error if said else _plain(body), secrets)
    words = f"HTTP {status}: {text}" if text else f"HTTP {status}"
    if status in {401, 403}:
        return fault(DataVerdict.REFUSED, words)
    heavy = said is not None and (said.kind in {"timeout", "canceled"} or TOO_HEAVY.search(said.error))
    if status == 413 or (heavy and status != 429):
        return fault(DataVerdict.TOO_HEAVY, text or words)
    if status in BUSY:
        return fault(DataVerdict.THROTTLED, words, retry_after_s(headers))
    if status in {400, 422}:
        verdict = DataVerdict.WRONG_TYPE if WRONG_TYPE.search(text) else DataVerdict.BAD_QUERY
        return fault(verdict, text or words)
    if status in BROKEN or status > 500:
        return fault(DataVerdict.UNREACHABLE, words, again=status in BROKEN)
    hint = "; is the source's URL the root of a Prometheus API?" if status in {404, 405} else ""
    return fault(DataVerdict.REFUSED, one_line(words, 120) + hint)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds; a date is counted from the server's own Date."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    until, now = http_date_s(text), http_date_s(headers.get("Date", ""))
    return max(0.0, until - now) if until is not None and now is not None else None


def http_date_s(text: str) -> float | None:
    """Seconds since the epoch of an HTTP date; None for anything else."""
    try:
        return email.utils.parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


def from_error(error: Exception, timeout_s: float, *, nameless: bool = False) -> QueryFault:
    """The fault of an exchange that broke before there was an answer.

    nameless: it was TLS, without a certificate of ours. A server that wants one says so and hangs up, and what it
    said may be lost with the line.
    """
    hint = "; does it ask for a client certificate?" if nameless else ""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return fault(DataVerdict.REFUSED, f"TLS: certificate verify failed: {cause.verify_message}")
    for cause in causes:
        if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return fault(DataVerdict.UNREACHABLE, f"TLS: the server hung up{hint}", again=True)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, TimeoutError):
            return fault(DataVerdict.REFUSED, f"TLS: {_ssl_words(cause)}")
    if any(isinstance(c, (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError)) for c in causes):
        return fault(DataVerdict.UNREACHABLE, f"the proxy did not connect us: {_root_words(causes)}", again=True)
    slow = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    refused = any(isinstance(c, (ConnectionError, socket.gaierror)) for c in causes)  # urllib3 calls these timeouts too
    if not refused and any(isinstance(c, slow) for c in causes):
        return fault(DataVerdict.UNREACHABLE, f"no answer within {timeout_s:.3g} s")
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader, ValueError)):
        return fault(DataVerdict.REFUSED, f"the source's settings cannot be used: {error}")
    if isinstance(error, OSError) and "certificate" in str(error).lower():
        return fault(DataVerdict.REFUSED, f"TLS: {error}")
    cut = any(isinstance(c, (ConnectionResetError, BrokenPipeError)) for c in causes)
    return fault(DataVerdict.UNREACHABLE, f"{_root_words(causes)}{hint if cut else ''}", again=True)


def _ssl_words(error: ssl.SSLError) -> str:
    reason = (error.reason or str(error)).replace("_", " ").lower()
    hint = " (it asks for a client certificate)" if "certificate required" in reason else ""
    return f"{reason}{hint}"


def _root_words(causes: list[BaseException]) -> str:
    """The operating system's own word for it, where it has one."""
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return f"the host name does not resolve: {cause.strerror}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return f"the exchange broke off: {str(causes[-1]) or type(causes[-1]).__name__}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything below it: causes, contexts, urllib3's reasons, wrapped arguments."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        one = queue.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        below = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        queue.extend(b for b in below if isinstance(b, BaseException))


def _plain(body: bytes | bytearray) -> str:
    """What a human would read of an answer that is no JSON, such as a proxy's HTML page."""
    text = bytes(body[:4096]).decode("utf-8", "replace")
    text = re.sub(r"<(script|style|head)\b.*?</\1>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    return one_line(re.sub(r"<[^>]*>", " ", text))
