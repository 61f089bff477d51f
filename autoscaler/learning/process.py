"""Runs one piece of training in a process of its own, with a limit of time and of memory.

What it makes comes back as files in a folder that it is given, such as an artefact; nothing that it returns is taken
over, and no object travels back. A job that hangs, eats memory, raises or crashes costs its own process alone: the
caller's thread waits without holding anything, so ticks keep their period.
"""

from __future__ import annotations

import contextlib
import faulthandler
import math
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

Job = Callable[..., None]
"""A function of a module: job(folder, *arguments) writes what it makes into `folder`, which is there and empty."""
NICE = 10
POLL_S = 0.2
LEAST_MEMORY_BYTES = 64 * 1024**2
MOST_WORDS = 4096
MEMORY_WORDS = b"memory"


class End(StrEnum):
    DONE = "Done"
    RAISED = "Raised"
    OUT_OF_MEMORY = "OutOfMemory"
    OVERRAN = "Overran"
    DIED = "Died"
    STOPPED = "Stopped"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended. words: a sentence for the log, with the way out. taken_s: how long it ran, start included."""

    end: End
    words: str
    taken_s: float

    @property
    def done(self) -> bool:
        return self.end is End.DONE


@dataclass(frozen=True, slots=True)
class _Order:
    """What the child is to do, and within which limits."""

    job: Job
    folder: Path
    arguments: tuple[Any, ...]
    seconds: float
    memory_bytes: int


def run_limited(
    job: Job,
    folder: Path,
    arguments: Sequence[Any] = (),
    *,
    seconds: float,
    memory_bytes: int,
    stop: threading.Event | None = None,
) -> Ended:
    """Run job(folder, *arguments) and wait; never raises for what the job does.

    seconds: of time, start of the process included; over it, the job and what it has started are killed.
    memory_bytes: of data that the process may hold, the interpreter and its libraries included; what is over it raises
    MemoryError inside. folder: made here; removed unless the job is done. stop: ends the job early when set.
    Raises ValueError for limits that no job could keep, FileExistsError when the folder is there.
    """
    if not (math.isfinite(seconds) and seconds > 0) or memory_bytes < LEAST_MEMORY_BYTES:
        raise ValueError(f"a job needs some seconds and at least {LEAST_MEMORY_BYTES} bytes: {seconds}, {memory_bytes}")
    folder.mkdir(parents=True)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    order = _Order(job, folder, tuple(arguments), seconds, memory_bytes)
    child = context.Process(target=_child, args=(theirs, order), daemon=True)
    begin_s = time.monotonic()
    try:
        child.start()
        theirs.close()
        end, words = _waited(child, ours, begin_s + seconds, stop)
    except BaseException:
        _killed(child)
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        ours.close()
    taken_s = time.monotonic() - begin_s
    if end is not End.DONE:
        shutil.rmtree(folder, ignore_errors=True)
    limits = f"limits: {seconds:g} s, {memory_bytes / 1024**2:.0f} MiB"
    return Ended(end, words if end is End.DONE else f"{words} after {taken_s:.1f} s ({limits})", taken_s)


def _waited(child: SpawnProcess, ours: Connection, until_s: float, stop: threading.Event | None) -> tuple[End, str]:
    """Until the child ends or has to."""
    while True:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            _killed(child)
            return End.OVERRAN, "it did not end in time and was killed: give it more time, or less data"
        if stop is not None and stop.is_set():
            _killed(child)
            return End.STOPPED, "it was stopped"
        if wait([child.sentinel], timeout=min(left_s, POLL_S)):
            break
    told = _told(ours)
    _killed(child)  # and what it has started and left behind
    if child.exitcode == 0:
        return End.DONE, "done"
    if told == MEMORY_WORDS:
        return End.OUT_OF_MEMORY, "it needs more memory than it may have: give it more, or less data"
    if told:
        return End.RAISED, f"it raised {told.decode(errors='replace')}"
    code = child.exitcode or 0
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return End.DIED, f"it died by {how}, as when memory runs out inside a library"


def _told(ours: Connection) -> bytes:
    """What the child said last, as plain bytes: nothing from it is unpickled."""
    try:
        return ours.recv_bytes(MOST_WORDS) if ours.poll() else b""
    except (EOFError, OSError):
        return b""


def _killed(child: SpawnProcess) -> None:
    """Kill the child and its group, which has its id, before that id is given back."""
    if child.pid is None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()  # it may not have had its group yet
    child.join()


def _child(theirs: Connection, order: _Order) -> None:
    """The child's life. Exit code 0: done; 1: said why not."""
    os.setsid()
    os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever stops the service stops us, by killing
    faulthandler.disable()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_DATA, order.memory_bytes)
    _lower(resource.RLIMIT_CPU, math.ceil(order.seconds * (os.cpu_count() or 1)) + 60)  # should the parent be stopped
    try:
        order.job(order.folder, *order.arguments)
    except MemoryError:
        _lower(resource.RLIMIT_DATA, resource.getrlimit(resource.RLIMIT_DATA)[1])
        theirs.send_bytes(MEMORY_WORDS)
    except Exception as why:  # noqa: BLE001 - whatever it is, it is told and costs this process alone
        theirs.send_bytes(f"{type(why).__name__}: {why}".encode(errors="replace")[: MOST_WORDS // 2])
    else:
        sys.stdout.flush()
        os._exit(0)
    os._exit(1)


def _lower(which: int, value: int) -> None:
    """Never above what the system allows us."""
    _, hard = resource.getrlimit(which)
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (least, hard))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.killpg(0, signal.SIGKILL)
