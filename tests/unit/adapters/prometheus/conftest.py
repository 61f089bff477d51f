"""A small HTTP server that answers as a test says, and clients of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from autoscaler.adapters.prometheus.client import PrometheusClient
from autoscaler.adapters.prometheus.settings import PrometheusSettings


@dataclass(slots=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass(slots=True)
class Reply:
    """delay_s: before each byte of the body, when it is above zero. length: what Content-Length claims."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    length: int | None = None


@dataclass(slots=True)
class Backend:
    """answer: what is said to a request; asked: all requests so far."""

    url: str = ""
    answer: Callable[[Asked], Reply] = lambda _: Reply()
    asked: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def says(self, *replies: Reply) -> None:
        """One reply after the other, the last one for ever."""
        left = list(replies)
        self.answer = lambda _: left.pop(0) if len(left) > 1 else left[0]


def ok(kind: str, result: Any, **more: Any) -> Reply:
    said = {"status": "success", "data": {"resultType": kind, "result": result}} | more
    return Reply(body=json.dumps(said).encode(), headers={"Content-Type": "application/json"})


def refused(status: int, kind: str, error: str, **headers: str) -> Reply:
    said = {"status": "error", "errorType": kind, "error": error}
    return Reply(status, json.dumps(said).encode(), {"Content-Type": "application/json"} | headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    backend: Backend

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), dict(parse_qsl(sent)), headers)
        self.backend.asked.append(asked)
        reply = self.backend.answer(asked)
        self.send_response_only(reply.status)
        for name, value in ({"Date": self.date_time_string()} | reply.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
        self.end_headers()
        if reply.length is not None:
            self.close_connection = True
        if reply.delay_s <= 0:
            self.wfile.write(reply.body)
            return
        for byte in reply.body:
            if self.backend.closing.wait(reply.delay_s):
                return
            self.wfile.write(bytes([byte]))

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Requests are in `Backend.asked`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves in the middle is part of the game."""


@pytest.fixture
def backend() -> Iterator[Backend]:
    one = Backend()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"backend": one}))
    one.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield one
    one.closing.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def client_of() -> Iterator[Callable[..., PrometheusClient]]:
    """`client_of(url, most_bytes=…, **settings)`."""
    with ExitStack() as stack:

        def make(url: str, *, most_bytes: int | None = None, **settings: Any) -> PrometheusClient:
            more: dict[str, Any] = {} if most_bytes is None else {"most_bytes": most_bytes}
            client = PrometheusClient(PrometheusSettings("prom", url, **settings), **more)
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def make_ok() -> Callable[..., Reply]:
    return ok


@pytest.fixture
def make_refused() -> Callable[..., Reply]:
    return refused


@pytest.fixture
def make_reply() -> Callable[..., Reply]:
    return Reply
