"""`foresail run` as a process of its own, on the scene's clock."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hack.real_world.demand import SceneClock
from tests.real.servers import Server, free_port
from tests.real.web import fetch

COMMAND = [sys.executable, "-m", "autoscaler"]
ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class ForesailRun:
    """Its clock cannot be set from outside: how long it takes from its start to its clock's start is measured at the
    first start, and the next starts are given that much less of the past.
    """

    folder: Path
    fleet: Path
    kubeconfig: Path
    clock: SceneClock
    tick_s: int
    boot_s: float = 0.0
    store: Path = field(init=False)
    _server: Server | None = None
    _port: int = 0

    def __post_init__(self) -> None:
        self.store = self.folder / "foresail.db"

    def start(self) -> float:
        """Seconds that its clock is ahead of the scene's, which the first start sets."""
        first = self._server is None
        from_s = self.clock.now_s() + self.boot_s * self.clock.speed
        self._port = free_port()
        self._server = Server("foresail run", self._command(from_s), self.folder / "foresail.log")
        began = time.monotonic()
        self._server.start(lambda: self._health() is not None)
        told = self._health() or {"now": datetime.fromtimestamp(from_s, UTC).isoformat()}
        its_s = datetime.fromisoformat(told["now"]).timestamp()
        if first:
            self.boot_s = time.monotonic() - began - (its_s - from_s) / self.clock.speed
            self.clock.set(its_s)
        return its_s - self.clock.now_s()

    def kill(self) -> None:
        """SIGKILL."""
        if self._server is not None:
            self._server.kill()

    def end(self) -> None:
        if self._server is not None:
            self._server.stop()

    @property
    def log(self) -> str:
        return (self.folder / "foresail.log").read_text(errors="replace")

    @property
    def history(self) -> str:
        """How much of the past the back-fill has, in the product's words."""
        told = self._health()
        return str(told["backfill"]) if told else "not answering"

    def call(self, *words: str) -> str:
        """Another command of the product on the same record."""
        done = subprocess.run(
            [*COMMAND, *words, "--store", str(self.store)],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def _health(self) -> dict[str, Any] | None:
        answer = fetch(f"http://127.0.0.1:{self._port}/healthz", timeout_s=1.0)
        return json.loads(answer.body) if answer.status in {200, 503} else None

    def _command(self, from_s: float) -> list[str | Path]:
        return [
            *COMMAND, "run", self.fleet, "--kubeconfig", self.kubeconfig, "--store", self.store,
            "--replay-from", datetime.fromtimestamp(from_s, UTC).isoformat(), "--speed", f"{self.clock.speed:g}",
            "--tick", f"{self.tick_s}s", "--step", "60s", "--listen", f"127.0.0.1:{self._port}",
        ]  # fmt: skip
