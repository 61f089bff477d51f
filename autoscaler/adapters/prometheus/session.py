"""The HTTP session that prometheus-api-client works with: bounded in time and size, answers straight to arrays.

The client library calls `request` for everything, so all of it happens there: parameters of a POST go into the
body, redirects stay on the source's own origin, a 401 has the credentials read again, the whole exchange has one
deadline, and `json()` of what it gets holds an Answer. `trust_env` is off: neither proxies nor a .netrc of the
environment have a say in where our credentials go.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from autoscaler.adapters.prometheus import troubles
from autoscaler.adapters.prometheus.credentials import Credentials
from autoscaler.adapters.prometheus.decode import NoAnswer, decode
from autoscaler.adapters.prometheus.faults import QueryFault, fault, one_line
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.domain.series import DataVerdict

MOST_BYTES = 128 * 2**20
PIECE_BYTES = 2**18
MOST_REDIRECTS = 3
LEAST_S = 0.001


class ArrayResponse(requests.Response):
    """json() gives what the client library takes its result from, with an Answer in place of lists."""

    elapsed_s: float = 0.0

    def json(self, **_kwargs: Any) -> Any:
        try:
            answer = decode(cast("bytes", self._content), server_time_s(self), self.elapsed_s)
        except NoAnswer as error:
            raise no_api(self, error) from error
        return {"data": {"result": answer}}


class ArraySession(requests.Session):
    """One source's session. Every failure leaves as a QueryFault; `seen` hears of each answer's Date."""

    def __init__(
        self,
        settings: PrometheusSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        seen: Callable[[float], None] | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.update({"User-Agent": "foresail", "Accept-Encoding": "gzip", **settings.headers})
        self.verify = str(settings.ca_file) if settings.ca_file else True
        if settings.cert_file:
            pair = (str(settings.cert_file), str(settings.key_file))
            self.cert = pair if settings.key_file else str(settings.cert_file)
        if settings.proxy:
            self.proxies = {"http": settings.proxy, "https": settings.proxy}
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.credentials = Credentials(settings)
        self._timeout_s = settings.timeout_s
        self._clock, self._seen, self._most_bytes = clock, seen, most_bytes

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """As requests does, but bounded; only an answer 200 is returned."""
        del args  # the client library names everything
        total_s = float(kwargs.get("timeout") or self._timeout_s)
        began_s = self._clock()
        deadline_s = began_s + total_s
        verb, where = str(method), str(url)
        sent = {"params": kwargs.get("params")}
        if verb == "POST":
            sent = {"data": kwargs.get("params")}
        try:
            response = self._within(verb, where, sent, deadline_s)
        except QueryFault:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            nameless = where.startswith("https:") and self.cert is None
            raise troubles.from_error(error, total_s, nameless=nameless) from error
        response.__class__ = ArrayResponse
        answer = cast("ArrayResponse", response)
        answer.elapsed_s = self._clock() - began_s
        return answer

    def _within(self, verb: str, url: str, sent: dict[str, Any], deadline_s: float) -> requests.Response:
        renewed = False
        for _ in range(MOST_REDIRECTS + 2):
            response = self._once(verb, url, sent, deadline_s)
            if response.status_code == 200:
                return response
            if response.is_redirect:
                url, sent = _same_origin(url, response), sent if verb == "POST" else {}
            elif (
                response.status_code == 401
                and not renewed
                and self.credentials.renewed(response.request.headers.get("Authorization"))
            ):
                renewed = True
            else:
                secrets = self.credentials.secrets()
                raise troubles.from_status(response.status_code, response.headers, response.content, secrets)
        raise fault(DataVerdict.REFUSED, f"more than {MOST_REDIRECTS} redirects; mend the source's URL")

    def _once(self, verb: str, url: str, sent: dict[str, Any], deadline_s: float) -> requests.Response:
        left_s = max(LEAST_S, deadline_s - self._clock())
        response = super().request(
            verb, url, auth=self.credentials, timeout=left_s, stream=True, allow_redirects=False, **sent
        )
        try:
            if self._seen and (date_s := server_time_s(response)) is not None:
                self._seen(date_s)
            response._content = self._body(response, deadline_s)  # noqa: SLF001 - where requests keeps what it has read
            response._content_consumed = True  # noqa: SLF001
        except BaseException:
            response.raw.close()  # the rest of the answer is not waited for
            raise
        finally:
            response.close()
        return response

    def _body(self, response: requests.Response, deadline_s: float) -> bytes:
        """The whole body, while there is time: a socket's own timeout starts anew with every byte."""
        raw = cast("urllib3.HTTPResponse", response.raw)
        body = bytearray()
        while True:
            left_s = deadline_s - self._clock()
            if left_s <= 0:
                raise TimeoutError
            sock = getattr(raw.connection, "sock", None)
            if sock is not None:
                sock.settimeout(left_s)
            piece = raw.read1(PIECE_BYTES, decode_content=True)
            if not piece:
                return cast("bytes", body)
            if len(body) + len(piece) > self._most_bytes:
                words = f"the answer is larger than {self._most_bytes >> 20} MiB"
                raise fault(DataVerdict.TOO_HEAVY, words)
            body += piece


def server_time_s(response: requests.Response) -> float | None:
    return troubles.http_date_s(response.headers.get("Date", ""))


def no_api(response: requests.Response, error: Exception) -> QueryFault:
    """For an answer 200 that is not the API's: cut off, or a page of somebody else."""
    kind = response.headers.get("Content-Type", "")
    if "json" in kind:
        return fault(DataVerdict.UNREACHABLE, f"the answer cannot be read: {error}", again=True)
    words = f"an answer of type {one_line(kind, 40) or 'unknown'} where JSON was expected"
    return fault(DataVerdict.REFUSED, f"{words}: a login page, or not the root of a Prometheus API?")


def _same_origin(url: str, response: requests.Response) -> str:
    """Where a redirect leads, if that is the source itself; our credentials go nowhere else."""
    there = urljoin(url, response.headers.get("Location", ""))
    here, goal = urlsplit(url), urlsplit(there)
    if (here.scheme, here.hostname, here.port) != (goal.scheme, goal.hostname, goal.port):
        words = f"redirects to {goal.scheme}://{goal.hostname}: credentials do not follow; set the source's URL to it"
        raise fault(DataVerdict.REFUSED, words)
    return there
