"""What every way of making a component shares: progress, a log, children that end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TAIL_LINES = 25
TICK_S = 0.2
PLAIN_EVERY_S = 30.0


class CannotMake(Exception):
    """This component cannot be made here; the message says what to do about it."""


class UnderWay:
    """Making one component: a progress line, a log, and children that never outlive it.

    The line reads `etcd v3.6.8: building, 12 s of about 30 s`; renewed in place on a terminal, every 30 s elsewhere.
    """

    def __init__(self, label: str, expected_s: int, log: Path, env: Mapping[str, str]) -> None:
        self.label = label
        self.expected_s = expected_s
        self.log = log
        self.env = dict(env)
        self._started = time.monotonic()
        self._live = sys.stdout.isatty()
        self._shown_s = 0.0
        log.write_bytes(b"")
        print(f"{label}, about {expected_s} s", end="" if self._live else "\n", flush=True)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def run(self, command: Sequence[str | Path], cwd: Path) -> int:
        """Run to the end, its output in the log. However we leave, the child and its children are gone."""
        with self.log.open("ab") as out:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=cwd,
                start_new_session=True,  # its own group: ended as a whole
            )
            try:
                while True:
                    try:
                        return child.wait(TICK_S)
                    except subprocess.TimeoutExpired:
                        self._tick()
            finally:
                if child.poll() is None:
                    _end_group(child)

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines)

    def end(self, said: str) -> None:
        print(f"\r\033[K{said}" if self._live else said, flush=True)

    def done(self, said: str) -> None:
        """The end of a success: nobody needs its log."""
        self.end(said)
        self.log.unlink()

    def _tick(self) -> None:
        if self.elapsed_s - self._shown_s < (1.0 if self._live else PLAIN_EVERY_S):
            return
        self._shown_s = self.elapsed_s
        line = f"{self.label}, {self.elapsed_s:.0f} s of about {self.expected_s} s"
        print(f"\r\033[K{line}" if self._live else line, end="" if self._live else "\n", flush=True)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(2)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
