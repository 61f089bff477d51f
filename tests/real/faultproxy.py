"""An HTTP proxy of our own that misbehaves on demand: in front of Prometheus, the API server, a webhook.

It speaks plain HTTP to the client and HTTP or HTTPS to the upstream, so every fault works for both. The fault is
looked at for each request and again for each piece of a streamed answer: a running watch can be hit too.
"""

from __future__ import annotations

import http.client
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

UPSTREAM_S = 300.0
LOOK_S = 0.05
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "accept-encoding"}


class Kind(StrEnum):
    PASS = "pass"  # noqa: S105 - no password
    LATENCY = "latency"
    RESET = "reset"
    TRUNCATE = "truncate"
    BLACK_HOLE = "black hole"
    STATUS = "status"
    REWRITE = "rewrite"


@dataclass(frozen=True, slots=True)
class Fault:
    kind: Kind
    seconds: float = 0.0
    status: int = 0
    retry_after_s: int | None = None
    body: bytes = b""
    keep_bytes: int = 0
    rewrite: Callable[[bytes], bytes] = bytes


PASS = Fault(Kind.PASS)
RESET = Fault(Kind.RESET)
"""The connection is torn down (TCP RST) before any answer, or in the middle of a streamed one."""
BLACK_HOLE = Fault(Kind.BLACK_HOLE)
"""The request is taken and nothing comes back until another fault is set."""


def latency(seconds: float) -> Fault:
    return Fault(Kind.LATENCY, seconds=seconds)


def truncate(keep_bytes: int) -> Fault:
    """Headers promise the whole body; only its first bytes come, then the connection closes."""
    return Fault(Kind.TRUNCATE, keep_bytes=keep_bytes)


def status(code: int, retry_after_s: int | None = None, body: bytes = b"told to refuse\n") -> Fault:
    return Fault(Kind.STATUS, status=code, retry_after_s=retry_after_s, body=body)


def rewrite(change: Callable[[bytes], bytes]) -> Fault:
    """The whole body goes through `change`; a stream that never ends is not for this one."""
    return Fault(Kind.REWRITE, rewrite=change)


class FaultProxy:
    """Use as a context manager; `url` stands in for the upstream's."""

    def __init__(self, upstream: str, tls: ssl.SSLContext | None = None) -> None:
        self.upstream = urlsplit(upstream)
        self.tls = tls
        self.requests: list[tuple[str, str]] = []
        self._fault = PASS
        self._only: Callable[[str, str], bool] = _always
        self._left: int | None = None
        self._open = True
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def set(self, fault: Fault, only: Callable[[str, str], bool] | None = None, times: int | None = None) -> None:
        """From now on, for requests that `only(method, path)` picks, and for the first `times` of them."""
        with self._changed:
            self._fault, self._only, self._left = fault, only or _always, times
            self._changed.notify_all()

    def begin(self, method: str, path: str) -> Fault:
        with self._changed:
            self.requests.append((method, path))
            if self._left == 0 or not self._only(method, path):
                return PASS
            if self._left is not None:
                self._left -= 1
            return self._fault

    def now(self, method: str, path: str) -> Fault:
        """The fault for a request that is under way already; limited ones are for new requests."""
        with self._changed:
            return self._fault if self._left is None and self._only(method, path) else PASS

    def wait(self, seconds: float | None = None) -> bool:
        """Until another fault is set or the proxy closes, at most `seconds`; False once it has closed."""
        with self._changed:
            before = self._fault
            self._changed.wait_for(lambda: self._fault is not before or not self._open, seconds)
            return self._open

    @property
    def is_open(self) -> bool:
        return self._open

    def connect(self) -> http.client.HTTPConnection:
        host, port = self.upstream.hostname or "", self.upstream.port
        if self.upstream.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=UPSTREAM_S, context=self.tls)
        return http.client.HTTPConnection(host, port, timeout=UPSTREAM_S)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._open = False
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _always(_method: str, _path: str) -> bool:
    return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: FaultProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves in the middle is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        proxy = self.server.proxy
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = proxy.begin(self.command, self.path)
        if fault.kind is Kind.BLACK_HOLE:
            proxy.wait()
            self._reset()
        elif fault.kind is Kind.RESET:
            self._reset()
        elif fault.kind is Kind.STATUS:
            self._refuse(fault)
        else:
            if fault.kind is Kind.LATENCY and not proxy.wait(fault.seconds):
                return
            self._forward(fault, sent)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _forward(self, fault: Fault, sent: bytes) -> None:
        upstream = self.server.proxy.connect()
        passed = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        line: socket.socket | None = None
        try:
            upstream.request(self.command, self.path, sent or None, passed)
            line = upstream.sock
            reply = upstream.getresponse()
            length = reply.getheader("Content-Length")
            if fault.kind in {Kind.TRUNCATE, Kind.REWRITE}:
                self._whole(fault, reply)
            elif length is not None or self.command == "HEAD" or reply.status in {204, 304}:
                self._head(reply, int(length or 0))
                self.wfile.write(reply.read())
            else:
                self._stream(reply)
        except OSError:
            self._reset()
        finally:
            with suppress(OSError):  # wakes a thread that still reads from it
                if line is not None:
                    line.shutdown(socket.SHUT_RDWR)
            upstream.close()

    def _whole(self, fault: Fault, reply: http.client.HTTPResponse) -> None:
        body = reply.read()
        if fault.kind is Kind.REWRITE:
            body = fault.rewrite(body)
        self._head(reply, len(body))
        if fault.kind is Kind.TRUNCATE:
            body = body[: fault.keep_bytes]
            self.close_connection = True
        self.wfile.write(body)

    def _stream(self, reply: http.client.HTTPResponse) -> None:
        """Piece by piece, as a watch comes; reset and black hole strike at once, also between pieces."""
        pieces: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_read_pieces, args=(reply, pieces), daemon=True).start()
        self._head(reply, None)
        while self.server.proxy.is_open:
            fault = self.server.proxy.now(self.command, self.path)
            if fault.kind is Kind.RESET:
                self._reset()
                return
            if fault.kind is Kind.BLACK_HOLE:
                self.server.proxy.wait()
                continue
            try:
                piece = pieces.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.flush()
            if not piece:
                return
        self.close_connection = True

    def _head(self, reply: http.client.HTTPResponse, length: int | None) -> None:
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in HOP_BY_HOP | {"server", "date"}:
                self.send_header(name, value)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _refuse(self, fault: Fault) -> None:
        self.send_response(fault.status)
        if fault.retry_after_s is not None:
            self.send_header("Retry-After", str(fault.retry_after_s))
        self.send_header("Content-Length", str(len(fault.body)))
        self.end_headers()
        self.wfile.write(fault.body)

    def _reset(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            # linger of zero seconds: close sends RST and not FIN
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Requests are in `FaultProxy.requests`."""


def _read_pieces(reply: http.client.HTTPResponse, pieces: queue.SimpleQueue[bytes]) -> None:
    """The empty piece is the end, however it came."""
    # closing a reply under its reader shows as one of the last two
    with suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
        while piece := reply.read1(65536):
            pieces.put(piece)
    pieces.put(b"")
