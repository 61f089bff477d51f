"""A real Prometheus with any history and live scrapes, on data that survives its death."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.real.history import History, write_openmetrics
from tests.real.parts import require_part
from tests.real.servers import Server, free_port
from tests.real.web import Answer, fetch

LOAD_S = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    scrape: Sequence[str] = ()
    """host:port of the targets, all in the job `live`. Prometheus looks at them first five seconds after its start."""
    scrape_interval: str = "1s"
    flags: Sequence[str] = ()
    """Further command-line flags, such as --query.max-samples=1000."""
    web_config: Mapping[str, Any] = field(default_factory=dict)
    """The file of --web.config.file: basic_auth_users (bcrypt), tls_server_config."""
    auth: tuple[str, str] | None = None
    """User and password for this object's own calls, where web_config asks for them."""
    ca: Path | None = None
    """Whom this object's own calls trust, where web_config serves TLS."""
    debian: bool = False
    """Debian's Prometheus 2.x in place of the pinned 3.x."""
    rules: Sequence[Mapping[str, Any]] = ()
    """Rule groups, as in a rules file."""


class Prometheus:
    def __init__(self, folder: Path, settings: Settings) -> None:
        self.settings = settings
        self.data = folder / "data"
        self._tls = ssl.create_default_context(cafile=str(settings.ca)) if settings.ca else None
        port = free_port()
        self.url = f"{'https' if settings.ca else 'http'}://localhost:{port}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rules.json").write_text(json.dumps({"groups": list(settings.rules)}))
        (folder / "prometheus.json").write_text(json.dumps(_configuration(settings, folder)))  # JSON is YAML
        (folder / "web.json").write_text(json.dumps(settings.web_config))
        self.server = Server(
            "prometheus",
            [
                require_part("prometheus", debian=settings.debian),
                f"--config.file={folder / 'prometheus.json'}",
                f"--web.config.file={folder / 'web.json'}",
                f"--storage.tsdb.path={self.data}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--storage.tsdb.retention.time=20y",  # shorter than the history, and its blocks go at once
                *settings.flags,
            ],
            folder / "prometheus.log",
        )

    def load(self, history: History) -> None:
        """Write blocks. Before the start, or between a stop and a restart."""
        assert not self.server.running, "blocks are read at the start"
        text = self.data.with_suffix(".om")
        write_openmetrics(history, text)
        self.data.mkdir(exist_ok=True)
        command = [
            str(require_part("promtool", debian=self.settings.debian)),
            *("tsdb", "create-blocks-from"),
            "--max-block-duration=336h",  # hidden; with the default of two hours months take minutes
            *("openmetrics", str(text), str(self.data)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_S, check=False)
        assert done.returncode == 0, f"promtool refused the history:\n{done.stdout}\n{done.stderr}"
        text.unlink()

    def start(self) -> None:
        """The first start and every later one, on the same data, port and settings."""
        self.server.start(lambda: self.get("/-/ready", timeout_s=1.0).status == 200)

    def stop(self) -> None:
        self.server.stop()

    def kill(self) -> None:
        """kill -9: what was scraped is in the write-ahead log or lost."""
        self.server.kill()

    def get(self, path: str, timeout_s: float = 10.0, **query: str | float) -> Answer:
        headers = {}
        if self.settings.auth:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(self.settings.auth).encode()).decode()
        url = f"{self.url}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        return fetch(url, headers=headers, timeout_s=timeout_s, tls=self._tls)

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """The instant query's result; AssertionError with Prometheus's own words where it refuses."""
        when = {} if at is None else {"time": at}
        return _result(self.get("/api/v1/query", query=expression, **when))

    def query_range(self, expression: str, start: float, end: float, step_s: float) -> list[dict[str, Any]]:
        return _result(self.get("/api/v1/query_range", query=expression, start=start, end=end, step=step_s))


def _result(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, f"{answer.status}: {answer.body[:500]!r}"
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return found


def _configuration(settings: Settings, folder: Path) -> dict[str, Any]:
    jobs: Iterable[dict[str, Any]] = (
        [{"job_name": "live", "static_configs": [{"targets": list(settings.scrape)}]}] if settings.scrape else []
    )
    timing = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), settings.scrape_interval)
    return {"global": timing, "scrape_configs": list(jobs), "rule_files": [str(folder / "rules.json")]}
