"""A backend that a tenant or an attacker would set up: it writes down what it is sent, and answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

Reply = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: path with its query, headers in lower case, body."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def all(self) -> str:
        return f"{self.path}\n{self.headers}\n{self.body}"


@dataclass
class Listener:
    """Use as a context manager. answer: from what was asked; 404 at first."""

    answer: Callable[[Asked], Reply] = lambda _: (404, {}, b"")
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.listener = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    listener: Listener


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        asked = Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.listener.asked.append(asked)
        status, headers, said = self.server.listener.answer(asked)
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(said))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    def do_GET(self) -> None:
        self._any()

    def do_POST(self) -> None:
        self._any()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """What was asked is kept, not printed."""
