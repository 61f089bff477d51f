"""Jobs in processes of their own with limits: one that hangs, dies or eats memory costs its own answer and no other.

Processor time and memory are limited by the kernel (setrlimit) inside the child; a wall clock in the parent ends what
merely waits. Where the platform has no such limits, the wall clock is what remains.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

GRACE_S: Final = 2.0
POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """processor_s: of one job. wall_s: until it is ended whatever it does. memory_bytes: beyond what the process holds
    when the job begins.
    """

    processor_s: int = 180
    wall_s: float = 900.0
    memory_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Answer(Generic[Result]):
    name: str
    value: Result


@dataclass(frozen=True, slots=True)
class Lost:
    """why: one line for a reader."""

    name: str
    why: str


@dataclass(slots=True)
class _Running:
    process: BaseProcess
    inbox: Connection
    began: float


def run_isolated(
    function: Callable[[Item], Result], items: Mapping[str, Item], limits: Limits | None = None, *,
    workers: int = 1, preload: tuple[str, ...] = (), done: Callable[[str], None] | None = None,
) -> Generator[Answer[Result] | Lost, None, None]:  # fmt: skip
    """function(item) for each named item, each in a new process, `workers` at a time, in order of their end.

    function and items must pickle: nothing of them leaves this machine. preload: modules that the fork server loads
    once for all jobs. Whoever stops reading ends what still runs.
    """
    limits = limits or Limits()
    context: Any = multiprocessing.get_context("forkserver" if _can_fork() else "spawn")
    if preload and _can_fork():
        context.set_forkserver_preload(list(preload))
    waiting, running = list(items.items()), dict[str, _Running]()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                name, item = waiting.pop(0)
                running[name] = _start(context, function, item, limits)
            for name in _over(running, limits):
                answer = _collect(name, running.pop(name), limits)
                if done is not None:
                    done(name)
                yield answer
    finally:
        for each in running.values():
            _end(each)


def _can_fork() -> bool:
    return "forkserver" in multiprocessing.get_all_start_methods()


def _start(context: Any, function: Callable[[Any], Any], item: object, limits: Limits) -> _Running:
    inbox, outbox = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(outbox, function, item, limits), daemon=True)
    process.start()
    outbox.close()
    return _Running(process, inbox, time.monotonic())


def _over(running: dict[str, _Running], limits: Limits) -> list[str]:
    """Names of those that answered, died or overran their time."""
    ready = wait([each.inbox for each in running.values()], timeout=POLL_S)
    now = time.monotonic()
    return [
        name for name, each in running.items() if each.inbox in ready or now - each.began > limits.wall_s
    ]  # fmt: skip


def _collect(name: str, one: _Running, limits: Limits) -> Answer[Any] | Lost:
    try:
        if not one.inbox.poll():
            return Lost(name, f"ended after {limits.wall_s:g} s by the clock")
        kind, value = one.inbox.recv()
    except EOFError:
        one.process.join(GRACE_S)
        return Lost(name, _death(one.process.exitcode, limits))
    finally:
        _end(one)
    return Answer(name, value) if kind == "value" else Lost(name, str(value))


def _death(code: int | None, limits: Limits) -> str:
    if code == -signal.SIGXCPU:
        return f"ended after {limits.processor_s} s of processor time"
    if code is not None and code < 0:
        return (
            f"its process died ({signal.Signals(-code).name}): out of memory, killed from outside, or a library's crash"
        )
    return f"its process ended without an answer (exit code {code})"


def _end(one: _Running) -> None:
    if one.process.is_alive():
        one.process.terminate()
        one.process.join(GRACE_S)
        if one.process.is_alive():
            one.process.kill()
    one.process.join()
    one.inbox.close()


def _child(outbox: Connection, function: Callable[[Any], Any], item: object, limits: Limits) -> None:
    """Whatever happens here stays here."""
    try:
        _limit(limits)
        answer = ("value", function(item))
    except MemoryError:
        answer = ("lost", f"needs more than {limits.memory_bytes / 2**20:,.0f} MiB")
    except Exception as error:  # noqa: BLE001 - libraries raise what they like; it costs this answer alone
        answer = ("lost", f"raised {type(error).__name__}: {error}"[:300])
    outbox.send(answer)


def _limit(limits: Limits) -> None:
    try:
        import resource
    except ImportError:
        return
    # the soft limit sends SIGXCPU, which ends the process; a library that catches it meets SIGKILL at the hard one
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + limits.processor_s
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_AS, (_held_bytes() + limits.memory_bytes,) * 2)


def _held_bytes() -> int:
    """Address space of this process; where the system does not tell, 4 GiB: the libraries alone take up to that."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return 4 << 30
    import resource

    return pages * resource.getpagesize()
