"""Calls to one API server through the Kubernetes client, as plain dicts, each with a deadline.

Typed models cost seconds to import and half the speed; the client brings configuration, TLS, exec plugins and
connection pools. Credentials are read again when the server refuses them, so that rotated tokens and
authorities need no restart.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
from kubernetes import config
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, InsecureRequestWarning, SSLError
from yaml import YAMLError

from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.domain.errors import Refused

log = logging.getLogger("foresail")

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
PAGE = 500
MOST_SAID = 500
LEAST_RELOAD_S = 1.0
RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class Access:
    """How the API server is found: a kubeconfig with one of its contexts, or the pod's own service account."""

    kubeconfig: Path | None = None
    context: str | None = None
    in_cluster: bool = False

    def configuration(self) -> Configuration:
        """Read anew from the files. Refused, with the reason, when they cannot be used."""
        made = Configuration()
        try:
            if self.in_cluster:
                config.load_incluster_config(client_configuration=made)  # type: ignore[no-untyped-call]
            else:
                path = None if self.kubeconfig is None else str(self.kubeconfig)
                config.load_kube_config(  # type: ignore[no-untyped-call]
                    path, self.context, client_configuration=made, persist_config=False
                )
                _token_file(made, self.kubeconfig, self.context)
        except (config.ConfigException, OSError, YAMLError, TypeError, AttributeError, KeyError, ValueError) as why:
            where = "the pod's service account" if self.in_cluster else f"kubeconfig {self.kubeconfig or '(default)'}"
            raise Refused(f"{where} cannot be used: {why}") from why
        if not made.verify_ssl:  # the kubeconfig says so; once, not at every call
            warnings.simplefilter("ignore", InsecureRequestWarning)
            log.warning("the certificate of %s is not checked: insecure-skip-tls-verify in the kubeconfig", made.host)
        made.retries = False  # when and what is asked again is decided here, not below
        made.connection_pool_maxsize = 16
        return made


class Fence(Protocol):
    """Who may write. A call that changes something asks right before it is sent."""

    def left_s(self) -> float:
        """For how many seconds a write that is sent now may still be on its way; 0 or less: it may not be sent."""
        ...


@dataclass(slots=True)
class Connection:
    """Thread-safe. timeout_s: longest wait for one answer. fence: None = we are alone."""

    access: Access
    timeout_s: float = 5.0
    monotonic: Callable[[], float] = time.monotonic
    fence: Fence | None = None
    server_time_s: float | None = None
    _client: ApiClient | None = None
    _made_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, path: str, **query: str) -> Any:
        return self.call("GET", path, query=query)

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """All objects of a list, page by page."""
        found: list[dict[str, Any]] = []
        asked = {"limit": str(PAGE), **query}
        while True:
            page = self.call("GET", path, query=asked)
            found += page.get("items") or []
            token = page.get("metadata", {}).get("continue")
            if not token:
                return found
            asked["continue"] = token

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON. ApiFault for any other outcome; nothing is tried twice but refused credentials."""
        try:
            client = self._connected()
        except Refused as why:  # files that cannot be read now may be mended; the next call looks again
            raise ApiFault(None, str(why)) from why
        try:
            return self._once(client, method, path, body, content_type, query or {})
        except _Stale:
            try:
                again = self._reconnected(client)
            except Refused as why:
                raise ApiFault(None, str(why)) from why
            try:
                return self._once(again, method, path, body, content_type, query or {})
            except _Stale as still:
                raise still.fault from still

    def _once(  # noqa: PLR0917 - one call, as `call` was asked for it
        self, client: ApiClient, method: str, path: str, body: Any, content_type: str, query: Mapping[str, str]
    ) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            asked = client.param_serialize(
                method=method, resource_path=path, query_params=list(query.items()), header_params=headers,
                body=body, auth_settings=["BearerToken"],
            )  # fmt: skip
            answer = client.call_api(*asked[:4], _request_timeout=self._patience_s(method))
            data = answer.read()  # type: ignore[no-untyped-call]
        except ApiException as error:
            if not error.status:  # the client's way to say that TLS failed
                said = ApiFault(None, f"the connection is not trusted: {_short(error)}")
                raise _Stale(said) from error
            self._hear(error.headers or {})
            raise _stale_if_refused(_refusal(error.status, error.body, error.headers or {}, error.reason)) from error
        except SSLError as error:
            raise _Stale(ApiFault(None, f"the connection is not trusted: {_short(error)}")) from error
        except (HTTPError, OSError) as error:
            raise _no_answer(error) from error
        self._hear(answer.headers)
        if answer.status >= 400:
            raise _stale_if_refused(_refusal(answer.status, data, answer.headers, answer.reason))
        try:
            return msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            raise ApiFault(answer.status, f"the answer is no JSON: {_short(error)}") from error

    def _patience_s(self, method: str) -> float:
        """How long this call may take. ApiFault for a change that is not ours to make: it is not sent."""
        if self.fence is None or method == "GET":
            return self.timeout_s
        left_s = self.fence.left_s()
        if left_s <= 0:
            raise ApiFault(None, "not sent: this process does not lead (any more)")
        return min(self.timeout_s, left_s)

    def stream(self, path: str, query: Mapping[str, str], quiet_s: float) -> Stream:
        """A watch, open. ApiFault as for a call; 401 too, after the credentials were read again.

        quiet_s: longest silence that is not taken for a dead connection.
        """
        try:
            client = self._connected()
            asked = client.param_serialize(
                method="GET", resource_path=path, query_params=list(query.items()),
                header_params={"Accept": "application/json"}, auth_settings=["BearerToken"],
            )  # fmt: skip
            answer = client.call_api(*asked[:4], _request_timeout=(self.timeout_s, quiet_s))
            if answer.status >= 400:
                fault = _refusal(answer.status, answer.read(), answer.headers, answer.reason)  # type: ignore[no-untyped-call]
                if fault.status == 401:
                    self._reconnected(client)
                raise fault
        except Refused as why:
            raise ApiFault(None, str(why)) from why
        except ApiException as error:
            raise _refusal(error.status or None, error.body, error.headers or {}, error.reason) from error
        except (HTTPError, OSError) as error:
            raise _no_answer(error) from error
        self._hear(answer.headers)
        return Stream(answer.response)

    def _hear(self, headers: Mapping[str, str]) -> None:
        told = headers.get("Date")
        if told:
            try:
                self.server_time_s = parsedate_to_datetime(told).timestamp()
            except ValueError:
                self.server_time_s = None

    def _connected(self) -> ApiClient:
        with self._lock:
            if self._client is None:
                self._client, self._made_s = ApiClient(self.access.configuration()), self.monotonic()
            return self._client

    def _reconnected(self, stale: ApiClient) -> ApiClient:
        """With the credentials as they stand in the files now; not more often than once a second."""
        with self._lock:
            young = self.monotonic() - self._made_s < LEAST_RELOAD_S
            if self._client is stale and not young:
                self._client, self._made_s = ApiClient(self.access.configuration()), self.monotonic()
            return self._client or stale

    @property
    def host(self) -> str:
        return str(self._connected().configuration.host)

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.rest_client.close()
                self._client = None


class Stream:
    """The events of one watch; iterate once. `close` may come from another thread and ends it."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._open = True

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Ends where the server ends it. ApiFault when nothing came for too long, or what came is no event."""
        rest = b""
        try:
            chunked = self._response.chunked
            pieces = self._response.stream(None) if chunked else iter(self._response.read1, b"")
            for piece in pieces:
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            raise ApiFault(None, f"the watch is no JSON: {_short(error)}") from error
        except (HTTPError, OSError, ValueError, AttributeError) as error:  # the last two: closed under the read
            if self._open:
                raise _no_answer(error) from error
        finally:
            self._response.close()

    def close(self) -> None:
        self._open = False
        with suppress(Exception):  # whatever is left of it
            self._response.connection.sock.shutdown(socket.SHUT_RDWR)


class _Stale(Exception):
    """The credentials or the authority that we hold are not accepted any more."""

    def __init__(self, fault: ApiFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def _stale_if_refused(fault: ApiFault) -> Exception:
    return _Stale(fault) if fault.status == 401 else fault


def _token_file(made: Configuration, path: Path | None, context: str | None) -> None:
    """The client does not know a user's `tokenFile`, which is how tokens that rotate are given."""
    if path is None or made.api_key:
        return
    from ruamel.yaml import YAML

    with path.open() as file:
        told = YAML(typ="safe").load(file) or {}
    chosen = context or told.get("current-context")
    entry: dict[str, Any] = next((c["context"] for c in told.get("contexts") or [] if c["name"] == chosen), {})
    user: dict[str, Any] = next((u["user"] for u in told.get("users") or [] if u["name"] == entry.get("user")), {})
    if user.get("tokenFile"):
        token = (path.parent / user["tokenFile"]).read_text().strip()
        made.api_key["BearerToken"] = f"Bearer {token}"


_CONFLICT = re.compile(r'conflict with "([^"]+)"')


def _refusal(status: int | None, body: Any, headers: Mapping[str, str], reason: str | None) -> ApiFault:
    said = reason or "no reason given"
    rivals: list[str] = []
    try:
        told = msgspec.json.decode(body or b"{}")
        if isinstance(told, dict):
            said = str(told.get("message") or said)
            causes = (told.get("details") or {}).get("causes") or []
            rivals = [m[1] for c in causes if (m := _CONFLICT.search(str(c.get("message"))))]
    except (msgspec.DecodeError, TypeError):
        said = body.decode(errors="replace") if isinstance(body, bytes) and body else said
    return ApiFault(status, said[:MOST_SAID], _retry_after_s(headers, status), rivals)


def _retry_after_s(headers: Mapping[str, str], status: int | None) -> float | None:
    told = headers.get("Retry-After")
    if told is None:
        return RETRY_AFTER_S if status == 429 else None
    try:
        return max(0.0, float(told))
    except ValueError:
        return RETRY_AFTER_S


def _no_answer(error: BaseException) -> ApiFault:
    return ApiFault(None, f"no answer: {_short(error)}")


def _short(error: BaseException) -> str:
    return re.sub(r"<[^>]*>\s*", "", str(error))[:MOST_SAID]
