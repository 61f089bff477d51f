"""A metrics endpoint whose values, labels and faults a test sets while Prometheus scrapes it."""

from __future__ import annotations

import threading
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.real.history import Series, escaped, series
from tests.real.servers import wait_until


class Mode(StrEnum):
    OK = "ok"
    FAIL = "fail"
    """Every scrape is answered 500."""
    FREEZE = "freeze"
    """Scrapes succeed and go on showing what they showed when this began."""
    HANG = "hang"
    """Scrapes are accepted and not answered until another mode is set."""
    GARBAGE = "garbage"
    """200 with a text that is no exposition."""


class Exporter:
    """Use as a context manager; `target` is what a scrape configuration names."""

    def __init__(self) -> None:
        self.scrapes = 0
        self._values: dict[Series, float] = {}
        self._mode = Mode.OK
        self._frozen = b""
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.exporter = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        with self._changed:
            self._frozen = self._text()
            self._mode = mode
            self._changed.notify_all()

    def set(self, metric: str, value: float, **labels: str) -> None:
        with self._changed:
            self._values[series(metric, **labels)] = value

    def add(self, metric: str, more: float, **labels: str) -> None:
        with self._changed:
            key = series(metric, **labels)
            self._values[key] = self._values.get(key, 0.0) + more

    def remove(self, metric: str, **labels: str) -> None:
        with self._changed:
            self._values.pop(series(metric, **labels), None)

    def wait_scraped(self, times: int = 1, within_s: float = 10.0) -> None:
        """Until that many further scrapes were answered: what was set before this call has then been seen."""
        goal = self.scrapes + times + 1  # the first may have read its values before this call
        wait_until(lambda: self.scrapes >= goal, f"{times} further scrapes of {self.target}", within_s)

    def answer(self) -> tuple[int, bytes]:
        with self._changed:
            self._changed.wait_for(lambda: self._mode is not Mode.HANG)
            if self._mode is Mode.FAIL:
                return 500, b"told to fail\n"
            if self._mode is Mode.GARBAGE:
                return 200, b"<html>not metrics</html>\n"
            return 200, self._frozen if self._mode is Mode.FREEZE else self._text()

    def _text(self) -> bytes:
        return "".join(f"{escaped(key)} {value!r}\n" for key, value in self._values.items()).encode()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.mode = Mode.OK  # lets hanging scrapes go
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    exporter: Exporter


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        status, body = self.server.exporter.answer()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            return  # the scraper gave up first
        self.server.exporter.scrapes += 1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Scrapes are not narrated."""
