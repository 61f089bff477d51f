"""A real Alertmanager, and a receiver behind it that keeps what it is told."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.real.parts import require_part
from tests.real.servers import Server, free_port
from tests.real.web import fetch


class Receiver:
    """A webhook on loopback. Use as a context manager."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def heard(self, name: str, since: int = 0) -> list[tuple[str, int]]:
        """Of groups with that alert: firing or resolved, and how many alerts; in the order of their coming."""
        found = []
        for group in self.told[since:]:
            alerts = [a for a in group["alerts"] if a["labels"]["alertname"] == name]
            if alerts:
                found.append((group["status"], len(alerts)))
        return found

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Alertmanager:
    """Groups by name, tells its receiver at once and again within a second of a change.

    web_config: the file of --web.config.file (users, TLS); then this object asks it nothing, only whether it listens.
    """

    def __init__(self, folder: Path, receiver: str, web_config: Mapping[str, Any] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"{'http' if web_config is None else 'https'}://127.0.0.1:{port}"
        (folder / "web.json").write_text(json.dumps(web_config or {}))
        self._port, self._open = port, web_config is None
        route = {
            "receiver": "oncall", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s",
            "repeat_interval": "12h",
        }  # fmt: skip
        receivers = [{"name": "oncall", "webhook_configs": [{"url": receiver, "send_resolved": True}]}]
        settings = folder / "alertmanager.json"
        settings.write_text(json.dumps({"route": route, "receivers": receivers}))  # JSON is YAML
        self.server = Server(
            "alertmanager",
            [
                require_part("alertmanager"),
                f"--config.file={settings}",
                f"--web.config.file={folder / 'web.json'}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            folder / "alertmanager.log",
        )

    def start(self) -> None:
        """The first start and every later one, on the same data and port."""
        self.server.start(self._ready)

    def _ready(self) -> bool:
        if self._open:
            return fetch(f"{self.url}/-/ready", timeout_s=1.0).status == 200
        with socket.create_connection(("127.0.0.1", self._port), timeout=1.0):
            return True

    def alerts(self, name: str, **wanted: str) -> list[dict[str, Any]]:
        """What it holds of that name now. wanted: active, silenced = "true" or "false"."""
        query = "&".join(f"{key}={value}" for key, value in wanted.items())
        found = fetch(f"{self.url}/api/v2/alerts?{query}").json()
        return [a for a in found if a["labels"]["alertname"] == name]

    def silence(self, name: str, seconds: float) -> None:
        def at(moment_s: float) -> str:
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment_s))

        body = {
            "matchers": [{"name": "alertname", "value": name, "isRegex": False}],
            "startsAt": at(time.time() - 5), "endsAt": at(time.time() + seconds), "createdBy": "a test",
            "comment": "maintenance",
        }  # fmt: skip
        answer = fetch(
            f"{self.url}/api/v2/silences", method="POST", body=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        assert answer.status == 200, answer.body
