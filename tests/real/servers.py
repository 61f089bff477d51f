"""Real processes on loopback: started, waited for, ended by their own process id; their logs are kept."""

from __future__ import annotations

import ctypes
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
PORTS = range(20_000, 32_000)  # below the range that outgoing connections take theirs from
TERM_S = 2.0
PATIENCE_S = 60.0
"""No wait gives up earlier: on a busy machine all is late, and patience costs nothing where all is well."""
TAIL_LINES = 60
PR_SET_PDEATHSIG = 1
LINUX = sys.platform == "linux"
LIBC = ctypes.CDLL(None)  # loaded here: nothing may be between fork and exec

LIVE: list[Server] = []
"""Servers that run now, for the report of a failing test."""

_given: set[int] = set()


def free_port() -> int:
    """A loopback port nobody listens on, and that this process has not given out before."""
    dice = random.SystemRandom()
    for _ in range(200):
        port = dice.choice(PORTS)
        with socket.socket() as probe:
            # a port in TIME_WAIT is free to a server, which sets this too
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                if port not in _given:
                    probe.bind(("127.0.0.1", port))
                    _given.add(port)
                    return port
    raise RuntimeError("no free loopback port")


def wait_until(ask: Callable[[], T], what: str, within_s: float = PATIENCE_S, every_s: float = 0.05) -> T:
    """The first true answer. AssertionError with the last one when time is up; OSError counts as not yet.

    within_s: less than PATIENCE_S is as much; a claim about speed is an assertion of its own.
    """
    within_s = max(within_s, PATIENCE_S)
    deadline = time.monotonic() + within_s
    last: object = None
    while True:
        try:
            answer = ask()
        except OSError as refused:
            last = refused
        else:
            if answer:
                return answer
            last = answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what}; last answer: {last!r}")
        time.sleep(every_s)


class Server:
    """One process. It ends with this one, however this one ends."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None):
        self.name = name
        self.log = log
        self._command = [str(word) for word in command]
        self._env = dict(env) if env is not None else None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} has not been started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, ready: Callable[[], object], within_s: float = 30.0) -> None:
        """Start, or start again on the same data and port, and wait until `ready` says yes."""
        assert not self.running, f"{self.name} runs already"
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,  # Ctrl-C reaches pytest alone, which then ends servers in their order
                preexec_fn=_end_with_parent if LINUX else None,  # noqa: PLW1509 - one system call
            )
        LIVE.append(self)

        def up() -> object:
            if not self.running:
                raise AssertionError(f"{self.name} ended with {self._process and self._process.returncode}")
            return ready()

        try:
            wait_until(up, f"{self.name} is ready", within_s)
        except BaseException as failed:
            self.stop()
            failed.add_note(f"--- end of the log of {self.name}\n{self.tail()}")
            raise

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after two seconds: an API server without its etcd ignores the first for minutes."""
        if self._process is not None and self.running:
            self._process.terminate()
            try:
                self._process.wait(TERM_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._gone()

    def kill(self) -> None:
        """SIGKILL: no time to write anything."""
        if self._process is not None:
            self._process.kill()
        self._gone()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nobody answers, until `resume`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]) if self.log.exists() else ""

    def _gone(self) -> None:
        if self._process is not None:
            self._process.wait()
        if self in LIVE:
            LIVE.remove(self)


def _end_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
