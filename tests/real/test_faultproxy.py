"""Each fault of the proxy, in front of a plain HTTP server."""

from __future__ import annotations

import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from tests.real.faultproxy import BLACK_HOLE, PASS, RESET, latency, rewrite, status, truncate
from tests.real.servers import wait_until
from tests.real.web import fetch


class Upstream(BaseHTTPRequestHandler):
    """Answers with what it was sent; `/stream` gives a piece every 50 ms, without end."""

    protocol_version = "HTTP/1.1"

    def do_PATCH(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        said = {"method": self.command, "path": self.path, "sent": sent, "token": self.headers.get("Authorization")}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_PATCH()

    def do_GET(self):
        if self.path != "/stream":
            self.do_PATCH()
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"5\r\ntick\n\r\n")
                time.sleep(0.05)
        except OSError:
            self.close_connection = True

    def log_message(self, format, *args):  # noqa: A002
        pass


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture
def proxy(fault_proxy):
    server = Quiet(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield fault_proxy(f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_passes_everything_on_and_counts_it(proxy):
    answer = fetch(f"{proxy.url}/a?b=c", method="PATCH", body=b"{}", headers={"Authorization": "Bearer x"})
    assert answer.json() == {"method": "PATCH", "path": "/a?b=c", "sent": "{}", "token": "Bearer x"}
    assert proxy.requests == [("PATCH", "/a?b=c")]


def test_latency(proxy):
    proxy.set(latency(0.4))
    started = time.monotonic()
    assert fetch(proxy.url).status == 200
    assert time.monotonic() - started >= 0.4


def test_reset(proxy):
    proxy.set(RESET)
    with pytest.raises(ConnectionResetError):
        fetch(proxy.url)


def test_truncated_body(proxy):
    proxy.set(truncate(10))
    with pytest.raises(http.client.IncompleteRead) as cut:
        fetch(proxy.url)
    assert len(cut.value.partial) == 10


def test_black_hole_answers_nothing_until_it_ends(proxy):
    proxy.set(BLACK_HOLE)
    with pytest.raises(TimeoutError):
        fetch(proxy.url, timeout_s=0.3)
    proxy.set(PASS)
    assert fetch(proxy.url).status == 200


@pytest.mark.parametrize(("code", "after"), [(429, 7), (503, None)])
def test_status_with_retry_after(proxy, code, after):
    proxy.set(status(code, retry_after_s=after))
    answer = fetch(f"{proxy.url}/x", method="POST", body=b"abc")
    assert answer.status == code
    assert answer.headers.get("Retry-After") == (None if after is None else str(after))


def test_rewritten_body(proxy):
    proxy.set(rewrite(lambda body: body.replace(b'"GET"', b'"got"')))
    assert fetch(proxy.url).json()["method"] == "got"


def test_only_some_requests_and_only_so_often(proxy):
    proxy.set(status(500), only=lambda _method, path: path.startswith("/bad"), times=2)
    assert [fetch(f"{proxy.url}/{p}").status for p in ("good", "bad", "bad", "bad")] == [200, 500, 500, 200]


@pytest.fixture
def stream(proxy, request):
    """The parameter: how many seconds a reader is patient."""
    address = urlsplit(proxy.url)
    line = http.client.HTTPConnection(address.hostname or "", address.port, timeout=request.param)
    line.request("GET", "/stream")
    reply = line.getresponse()
    yield reply
    reply.close()
    line.close()


@pytest.mark.parametrize("stream", [1.0], indirect=True)
def test_a_running_stream_stalls(proxy, stream):
    assert stream.readline() == b"tick\n"
    proxy.set(BLACK_HOLE)

    def stalled() -> bool:
        try:
            return stream.readline() != b"tick\n"  # what was under way may still come
        except TimeoutError:
            return True

    wait_until(stalled, "the stream stalls")


@pytest.mark.parametrize("stream", [30.0], indirect=True)
def test_a_running_stream_is_reset(proxy, stream):
    assert stream.readline() == b"tick\n"
    proxy.set(RESET)

    def broken():
        try:
            return stream.readline() == b""
        except ConnectionResetError:
            return True
        except TimeoutError as stalled:
            raise AssertionError("the stream stalled and was not reset") from stalled

    wait_until(broken, "the stream breaks")
