"""What is counted while an operator runs: its ticks, its calls, its queries, its memory."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.real.prometheus import Prometheus
from tests.real.web import fetch

WRITES = frozenset({"create", "update", "patch", "delete"})
_LINE = re.compile(r"^([a-z_]+)(?:\{([^}]*)\})? (\S+)$")


def numbers(page: str) -> dict[str, float]:
    """Sums over the labels of each metric of an exposition."""
    found: dict[str, float] = {}
    for line in page.splitlines():
        if m := _LINE.match(line):
            found[m[1]] = found.get(m[1], 0.0) + float(m[3])
    return found


def rss_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def open_of(pid: int) -> tuple[int, int]:
    """Sockets and threads of a process."""
    sockets = 0
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets += str(fd.readlink()).startswith("socket:")
        except OSError:
            continue  # closed meanwhile
    return sockets, len(list(Path(f"/proc/{pid}/task").iterdir()))


def cpu_s(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def waited_s(pid: int) -> float:
    """For how long threads of a process were ready to run and had no core: how much of a slow run is the machine's."""
    waits = (t.read_text().split()[1] for t in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(map(int, waits)) / 1e9


@dataclass
class Ticks:
    """Watches an operator's own metrics: when its ticks began, how long they took, what it has in memory."""

    port: int
    pid: int
    begins: list[float] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    most_mib: float = 0.0
    _sum: float = 0.0
    _count: float = 0.0

    def watch(self, seconds: float, until: Callable[[], bool] | None = None) -> float:
        """Look each half second for so long, or until something holds; how long that was."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            self.look()
            if until is not None and until():
                break
            time.sleep(0.5)
        return time.monotonic() - began

    def look(self) -> None:
        self.most_mib = max(self.most_mib, rss_mib(self.pid))
        try:
            page = numbers(fetch(f"http://127.0.0.1:{self.port}/metrics", timeout_s=20.0).body.decode())
        except OSError:
            return
        done = page.get("foresail_tick_duration_seconds_count", 0.0)
        total = page.get("foresail_tick_duration_seconds_sum", 0.0)
        if done > self._count:
            self.durations += [(total - self._sum) / (done - self._count)] * int(done - self._count)
        self._sum, self._count = total, done
        began = page.get("foresail_last_tick_timestamp_seconds", 0.0)
        if began and (not self.begins or began > self.begins[-1]):
            self.begins.append(began)

    def fresh(self) -> None:
        """Forget what was seen: a new stretch begins."""
        self.look()
        self.begins, self.durations, self.most_mib = self.begins[-1:], [], 0.0


def lateness(begins: Sequence[float], period_s: float) -> list[float]:
    """Of each moment at which a tick was due, until one began; one that was left out counts until the next one.

    The schedule's own phase is that of the tick that was least late of all.
    """
    if not begins:
        return []
    offsets = [(b - begins[0] + period_s / 2) % period_s - period_s / 2 for b in begins]
    due, found, k = begins[0] + min(offsets), [], 0
    while due <= begins[-1] + 1e-6:
        while begins[k] < due - 1e-6:
            k += 1
        found.append(begins[k] - due)
        due += period_s
    return found


@dataclass(frozen=True)
class Calls:
    """Of one user in a stretch of the audit log: calls by verb, resource and result."""

    by: Counter[tuple[str, str]]

    @property
    def total(self) -> int:
        return sum(self.by.values())

    @property
    def writes(self) -> int:
        return sum(n for (verb, _), n in self.by.items() if verb in WRITES)

    def words(self, most: int = 8) -> str:
        return ", ".join(f"{verb} {resource} {n}" for (verb, resource), n in self.by.most_common(most))


class AuditTail:
    """Reads an audit log onwards from where it was last read."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._at = log.stat().st_size if log.exists() else 0

    def skip(self) -> None:
        self._at = self.log.stat().st_size

    def calls(self, user: str) -> Calls:
        """Since the last call of this or of `skip`; leases are left out: they are of the process, not of an object."""
        found: Counter[tuple[str, str]] = Counter()
        with self.log.open("rb") as file:
            file.seek(self._at)
            for raw in file:
                if not raw.endswith(b"\n"):
                    break
                self._at += len(raw)
                if user.encode() not in raw:
                    continue
                event = json.loads(raw)
                about = event.get("objectRef") or {}
                if event["user"].get("username") == user and about.get("resource") != "leases":
                    found[event["verb"], "/".join(filter(None, (about.get("resource"), about.get("subresource"))))] += 1
        return Calls(found)


def queries(server: Prometheus) -> dict[str, float]:
    """Requests that a Prometheus has answered so far, by handler."""
    found: dict[str, float] = {}
    for line in server.get("/metrics", timeout_s=30.0).body.decode().splitlines():
        if m := re.match(r'prometheus_http_requests_total\{.*handler="([^"]+)"[^}]*\} (\S+)$', line):
            found[m[1]] = found.get(m[1], 0.0) + float(m[2])
    return found


def apart(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {k: v - before.get(k, 0.0) for k, v in after.items() if v > before.get(k, 0.0) and k.startswith("/api/")}


def share(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else float("nan")


def load_average() -> str:
    return f"{os.getloadavg()[0]:.1f}"
