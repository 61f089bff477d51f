"""S10: whatever a source echoes, no token or password is in the log, in a page, in the API or in the record."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_run_service import MADE, Running

pytestmark = pytest.mark.slow
estate, workload = MADE["estate"], MADE["workload"]
TOKEN, PASSWORD, IN_URL = "canary-token-4711", "canary-password-4712", "canary-url-4713"
API = "/api/v1/workloads"
OF_ONE = [f"{API}/shop/{name}/{what}" for name in ("bearer", "basic") for what in ("history", "explain", "series")]
PAGES = ("/metrics", "/healthz", "/readyz", API, *OF_ONE)


class Echo(BaseHTTPRequestHandler):
    """Refuses everybody and tells him what he has sent, in the clear and as it was encoded."""

    def do_GET(self) -> None:
        sent = self.headers.get("Authorization", "")
        self.server.heard.append(sent)  # type: ignore[attr-defined]
        body = json.dumps({"status": "error", "errorType": "internal", "error": f"what is {sent}?"}).encode()
        self.send_response(403 if len(self.server.heard) % 2 else 422)  # type: ignore[attr-defined]
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - as http.server looks for it

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is its own
        pass


@pytest.fixture
def echo() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.heard = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def source(name: str, url: str, rest: str = "") -> str:
    return (
        f"apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {{name: {name}}}\n"
        f'spec: {{prometheus: {{url: "{url}"{rest}}}}}\n'
    )


def test_S10_no_canary_of_a_source_is_told_to_anybody(estate: Any, workload: Any, echo: Any, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{echo.server_address[1]}"
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "password").write_text(PASSWORD)
    estate.write(
        source("bearer", url, f', bearerTokenFile: "{tmp_path / "token"}"'),
        source("basic", url, f', basicAuth: {{username: mia, passwordFile: "{tmp_path / "password"}"}}'),
        source("slip", f"http://mia:{IN_URL}@127.0.0.1:1"),
        workload("bearer", source="bearer", query="up"),
        workload("basic", source="basic", query="up"),
    )
    running = Running(tmp_path, "--tick", "500ms", "--store", "record.db")
    try:
        running.until(lambda: len([h for h in echo.heard if h]) > 4 and running.health().get("workloads") == 2)
        running.until(lambda: running.get(PAGES[-1])[0] == 200)
        told = {page: running.get(page) for page in PAGES}
    finally:
        running.process.terminate()
        running.process.wait(20)
    assert any(TOKEN in heard for heard in echo.heard), "it was sent where it belongs"
    assert {status for status, _ in told.values()} <= {200, 503}
    told["log"] = (0, running.log)
    for path in tmp_path.glob("record*"):
        if path.is_file():
            told[path.name] = (0, path.read_bytes().decode("latin-1"))
    basic = next(heard for heard in echo.heard if heard.startswith("Basic ")).removeprefix("Basic ")
    for where, (_, text) in told.items():
        for canary in (TOKEN, PASSWORD, IN_URL, basic):
            assert canary not in text, f"{canary} in {where}"
