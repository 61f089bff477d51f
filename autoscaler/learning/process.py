"""Runs a training or a library's fits in processes of their own, each with a limit of time and of memory.

What a job makes comes back as files in a folder that it is given, such as an artefact; nothing that it returns is taken
over, and no object travels back. A job that hangs, eats memory, raises or crashes costs its own process alone: the
caller's thread waits without holding anything, so ticks keep their period.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import math
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
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
class Limits:
    """seconds: of time, start of the process included; over it, the job and what it has started are killed.
    memory_bytes: of data that the process may hold, the interpreter and its libraries included; what is over it raises
    MemoryError inside. processor_s: of processor time, None = as much as there is in `seconds`.

    Raises ValueError for limits that no job could keep.
    """

    seconds: float
    memory_bytes: int
    processor_s: float | None = None

    def __post_init__(self) -> None:
        given = (self.seconds, *(() if self.processor_s is None else (self.processor_s,)))
        if not all(math.isfinite(s) and s > 0 for s in given) or self.memory_bytes < LEAST_MEMORY_BYTES:
            raise ValueError(f"a job needs some seconds and at least {LEAST_MEMORY_BYTES} bytes: {self.words}")

    @property
    def words(self) -> str:
        processor = "" if self.processor_s is None else f"{self.processor_s:g} s of processor time, "
        return f"{self.seconds:g} s, {processor}{self.memory_bytes / 1024**2:.0f} MiB"


@dataclass(frozen=True, slots=True)
class _Order:
    """What the child is to do, and within which limits."""

    job: Job
    folder: Path
    arguments: tuple[Any, ...]
    limits: Limits


@dataclass(frozen=True, slots=True)
class _Running:
    order: _Order
    child: BaseProcess
    ours: Connection
    begin_s: float

    @property
    def left_s(self) -> float:
        return self.begin_s + self.order.limits.seconds - time.monotonic()


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

    seconds, memory_bytes: as in Limits. folder: made here; removed unless the job is done. stop: ends the job early
    when set. Raises ValueError for limits that no job could keep, FileExistsError when the folder is there.
    """
    order = _Order(job, folder, tuple(arguments), Limits(seconds, memory_bytes))
    one = _begun(multiprocessing.get_context("spawn"), order)
    try:
        while True:
            if stop is not None and stop.is_set():
                return _ended(one, (End.STOPPED, "it was stopped"))
            if one.left_s <= 0 or wait([one.child.sentinel], timeout=min(one.left_s, POLL_S)):
                return _ended(one)
    except BaseException:
        _dropped(one)
        raise


def run_side_by_side(
    job: Job,
    jobs: Mapping[str, Sequence[Any]],
    scratch: Path,
    limits: Limits,
    *,
    workers: int = 1,
    preload: Sequence[str] = (),
) -> Generator[tuple[str, Path, Ended], None, None]:
    """job(folder, *arguments) for each name, `workers` at a time: (name, folder, how it ended), as they end.

    scratch: an existing folder; a job's own is made in it, and removed when the next answer is asked for. preload:
    modules that are loaded once for all jobs, so that a short job does not pay for a library's import. Whoever stops
    reading ends what still runs.
    """
    context: Any = multiprocessing.get_context("forkserver" if preload else "spawn")
    if preload:
        context.set_forkserver_preload(list(preload))
    waiting = list(enumerate(jobs.items()))
    running: dict[str, _Running] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                k, (name, arguments) = waiting.pop(0)
                running[name] = _begun(context, _Order(job, scratch / str(k), tuple(arguments), limits))
            soonest = min(one.left_s for one in running.values())
            ready = wait([one.child.sentinel for one in running.values()], timeout=max(0.0, min(soonest, POLL_S)))
            for name in [n for n, one in running.items() if one.child.sentinel in ready or one.left_s <= 0]:
                one = running.pop(name)
                try:
                    yield name, one.order.folder, _ended(one)
                finally:
                    shutil.rmtree(one.order.folder, ignore_errors=True)
    finally:
        for one in running.values():
            _dropped(one)


def _begun(context: Any, order: _Order) -> _Running:
    order.folder.mkdir(parents=True)
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, order), daemon=True)
    one = _Running(order, child, ours, time.monotonic())
    try:
        child.start()
    except BaseException:
        _dropped(one)
        raise
    finally:
        theirs.close()
    return one


def _ended(one: _Running, early: tuple[End, str] | None = None) -> Ended:
    """How it ended, for one that has or that has to now; its process is gone then, and its folder unless it is done."""
    end, words = early or _how(one)
    if end is End.DONE:
        _killed(one.child)  # what it has started and left behind
        one.ours.close()
    else:
        _dropped(one)
    taken_s = time.monotonic() - one.begin_s
    if end is not End.DONE:
        words = f"{words} after {taken_s:.1f} s (limits: {one.order.limits.words})"
    return Ended(end, words, taken_s)


def _how(one: _Running) -> tuple[End, str]:
    if not wait([one.child.sentinel], timeout=0):
        return End.OVERRAN, "it did not end in time and was killed: give it more time, or less data"
    told = _told(one.ours)
    one.child.join()
    code = one.child.exitcode or 0
    if code == 0:
        return End.DONE, "done"
    if told == MEMORY_WORDS:
        return End.OUT_OF_MEMORY, "it needs more memory than it may have: give it more, or less data"
    if told:
        return End.RAISED, f"it raised {told.decode(errors='replace')}"
    if code == -signal.SIGXCPU:
        return End.OVERRAN, "it used up its processor time: give it more, or less data"
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return End.DIED, f"it died by {how}, as when memory runs out inside a library"


def _dropped(one: _Running) -> None:
    """Nothing of it is left."""
    _killed(one.child)
    one.ours.close()
    shutil.rmtree(one.order.folder, ignore_errors=True)


def _told(ours: Connection) -> bytes:
    """What the child said last, as plain bytes: nothing from it is unpickled."""
    try:
        return ours.recv_bytes(MOST_WORDS) if ours.poll() else b""
    except (EOFError, OSError):
        return b""


def _killed(child: BaseProcess) -> None:
    """Kill the child and its group, which has its id: that stays taken while anything of the group lives."""
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
    _end_though_busy()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_DATA, order.limits.memory_bytes)
    _lower(resource.RLIMIT_CPU, math.ceil(_processor_s(order.limits)))
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


def _processor_s(limits: Limits) -> float:
    """Beyond what a child has used by now; without a limit, one for a child whose parent was stopped."""
    if limits.processor_s is None:
        return limits.seconds * (os.cpu_count() or 1) + 60
    return time.process_time() + limits.processor_s


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


def _end_though_busy() -> None:
    """A thread cannot end a process while a library's code holds the interpreter: the kernel itself signals the group
    when the pipe from the parent closes (SIGIO, whose default on Linux is to end).
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        pipe = parent.sentinel
        fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
