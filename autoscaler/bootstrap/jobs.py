"""Many independent jobs at once: in this process, in processes of this machine, or on a Dask cluster.

The answers come in the order of the items and are the same wherever the jobs run: each runs with one thread of
linear algebra, and what one raises costs only its own answer. Knows nothing of what a job is.

Dask is spoken to directly: joblib's bridge to it waits for ever when a worker dies under a job.
"""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from uuid import uuid4

from autoscaler.domain.errors import AutoscalerError, Refused, Retryable, SourceDown

DASK_ENV: Final = "FORESAIL_DASK"
CONNECT_S: Final = 15
SCHEMES: Final = ("tcp://", "tls://", "ws://", "wss://", "ucx://")

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int, str], None]
"""(how many are done, of how many, the name of the last one); told in the order of the items."""


class WorkerLost(Retryable):
    """A process that ran jobs is gone, and with it what was not finished."""


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    name: str
    value: Result


@dataclass(frozen=True, slots=True)
class Failed:
    """why: one line for a user. trace: where it was raised, for an author."""

    name: str
    why: str
    trace: str = ""


def scheduler_of(option: str | None, environment: Mapping[str, str]) -> str | None:
    """The Dask cluster that is asked for: what is typed, else FORESAIL_DASK; None = this machine."""
    address = option or environment.get(DASK_ENV) or None
    if address is not None and not address.startswith(SCHEMES):
        named = "--dask" if option else DASK_ENV
        raise Refused(f"{named} {address!r} is no address of a Dask scheduler; write it like tcp://scheduler:8786")
    return address


def run_jobs(
    function: Callable[[Item], Result], items: Mapping[str, Item], *,
    workers: int | None = None, scheduler: str | None = None, progress: Progress | None = None,
) -> Iterator[Done[Result] | Failed]:  # fmt: skip
    """function(item) for each named item; one answer each, in order, as soon as it and all before it are there.

    workers: processes of this machine; None = as many as cores that may be used, 1 = here, without another process.
    scheduler: address of a Dask scheduler, whose workers are used instead. Raises WorkerLost with the names of what
    is not finished if a process dies; on Dask, only the job that killed its workers fails.
    """
    if workers is not None and workers < 1:
        raise Refused(f"{workers} workers cannot do anything; take 1 or more")
    if not items:
        return
    if scheduler is not None:
        answers = _on_dask(function, items, scheduler)
    else:
        answers = _on_this_machine(function, items, workers)
    for done, answer in enumerate(answers, start=1):
        if progress is not None:
            progress(done, len(items), answer.name)
        yield answer


def _on_this_machine(
    function: Callable[[Item], Result], items: Mapping[str, Item], workers: int | None
) -> Iterator[Done[Result] | Failed]:
    from joblib import Parallel, cpu_count, delayed, parallel_config
    from joblib.externals.loky.process_executor import BrokenProcessPool

    count = min(cpu_count() if workers is None else workers, len(items))
    if count == 1:
        yield from (_attempt(function, name, item) for name, item in items.items())
        return
    left = list(items)
    # the environment of the workers limits libraries that a job loads only later, which `_attempt` cannot see
    with parallel_config(backend="loky", n_jobs=count, inner_max_num_threads=1):
        pool = Parallel(return_as="generator", batch_size=1)
    try:
        for answer in pool(delayed(_attempt)(function, name, item) for name, item in items.items()):
            left.pop(0)
            yield answer
    except BrokenProcessPool as error:  # TerminatedWorkerError is one
        raise WorkerLost(
            f"a worker process died (killed from outside, out of memory, or a crash in a library) with {len(left)} of "
            f"{len(items)} jobs unfinished: {_some(left)}; with one worker the job that does it shows itself"
        ) from error


def _on_dask(
    function: Callable[[Item], Result], items: Mapping[str, Item], address: str
) -> Iterator[Done[Result] | Failed]:
    if importlib.util.find_spec("distributed") is None:
        how = "pip install './foresail[dask]' beside a checkout"
        raise Refused(f"a Dask cluster was asked for ({address}) and Dask is not installed: {how}")
    from distributed import Client
    from distributed.scheduler import KilledWorker

    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SourceDown(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as error:
            raise SourceDown(f"the Dask scheduler at {address} has no worker") from error
        run = uuid4().hex  # the same job asked again is another job: no answer of an older run may stand for it

        def submitted(name: str, note: str = "") -> Any:
            key = f"foresail-{run}-{name}{note}"
            return client.submit(_attempt, function, name, items[name], key=key, pure=False)

        def answer(name: str) -> Done[Result] | Failed:
            try:
                try:
                    return futures[name].result()
                except KilledWorker:
                    # Dask blames every job that was on the worker, waiting ones too; alone the guilty one is known
                    futures[name] = submitted(name, "-again")
                    return futures[name].result()
            except KilledWorker:
                return Failed(name, "every worker that ran it died (killed, out of memory, or a crash in a library)")
            except Exception as error:  # noqa: BLE001 - what cannot reach a worker, or its answer us: its own loss
                return Failed(name, _words(error), traceback.format_exc())

        futures = {name: submitted(name) for name in items}
        try:
            for name in items:
                yield answer(name)
                futures.pop(name)
        finally:
            client.cancel(list(futures.values()))


def _attempt(function: Callable[[Item], Result], name: str, item: Item) -> Done[Result] | Failed:
    """Runs where the job runs: processes times threads would only wait for each other."""
    from threadpoolctl import threadpool_limits

    try:
        with threadpool_limits(limits=1):
            return Done(name, function(item))
    except Exception as error:  # noqa: BLE001 - one failing job never stops the others
        return Failed(name, _words(error), traceback.format_exc())


def _words(error: Exception) -> str:
    """Our own errors speak for themselves; others need their kind."""
    return str(error) if isinstance(error, AutoscalerError) else f"{type(error).__name__}: {error}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
