"""Jobs give the same answers here, in processes and on a Dask cluster; one failing or dying job is named."""

from __future__ import annotations

import os
from collections.abc import Iterator

import dask.config
import numpy as np
import pytest
from distributed import LocalCluster
from threadpoolctl import threadpool_info

from autoscaler.bootstrap.jobs import Done, Failed, WorkerLost, run_jobs, scheduler_of
from autoscaler.domain.errors import BadTrace, Refused, SourceDown

# sockets of workers that were killed on purpose
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def spread(seed: int) -> float:
    """Linear algebra whose last digits depend on the number of threads."""
    square = np.random.default_rng(seed).standard_normal((64, 64))
    return float(np.linalg.eigvalsh(square @ square.T)[-1])


def picky(number: int) -> int:
    if number == 2:
        raise BadTrace("line 2: no number")
    if number == 3:
        raise ZeroDivisionError("nobody expected this")
    return number * 10


def deadly(number: int) -> int:
    if number == 1:
        os._exit(1)
    return number


def threads_and_process(_: int) -> tuple[int, int]:
    return max(pool["num_threads"] for pool in threadpool_info()), os.getpid()


@pytest.fixture(scope="module")
def dask_cluster() -> Iterator[str]:
    # one death is enough to give a job up, else each costs four starts of a worker
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, silence_logs=50
        ) as cluster,
    ):
        yield cluster.scheduler_address


SEEDS = {f"job-{seed}": seed for seed in range(5)}


def test_one_after_another_in_order_with_progress_and_lazily():
    told: list[tuple[int, int, str]] = []
    jobs = run_jobs(picky, {"b": 1, "a": 4}, workers=1, progress=lambda *news: told.append(news))
    assert told == []
    assert next(jobs) == Done("b", 10)
    assert told == [(1, 2, "b")]
    assert list(jobs) == [Done("a", 40)]
    assert told[-1] == (2, 2, "a")


def test_nothing_to_do():
    assert list(run_jobs(picky, {}, workers=4)) == []


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_failing_job_is_named_and_stops_no_other(workers):
    first, second, third, last = run_jobs(picky, {"one": 1, "two": 2, "three": 3, "four": 4}, workers=workers)
    assert (first, last) == (Done("one", 10), Done("four", 40))
    assert isinstance(second, Failed)
    assert (second.name, second.why) == ("two", "line 2: no number")
    assert isinstance(third, Failed)
    assert (third.name, third.why) == ("three", "ZeroDivisionError: nobody expected this")
    assert "in picky" in third.trace


@pytest.mark.slow
def test_processes_answer_as_this_one_does_with_one_thread_each():
    assert list(run_jobs(spread, SEEDS, workers=2)) == list(run_jobs(spread, SEEDS, workers=1))
    seen = [answer.value for answer in run_jobs(threads_and_process, SEEDS, workers=2) if isinstance(answer, Done)]
    assert len(seen) == len(SEEDS)
    assert {threads for threads, _ in seen} == {1}
    assert os.getpid() not in {process for _, process in seen}


@pytest.mark.slow
def test_a_process_that_dies_is_a_clear_error():
    jobs = run_jobs(deadly, {"fine": 0, "kills": 1, "late": 2}, workers=2)
    with pytest.raises(WorkerLost, match=r"a worker process died .* unfinished: .*kills, late; with one worker"):
        list(jobs)
    assert list(run_jobs(deadly, {"a": 5, "b": 6}, workers=2)) == [Done("a", 5), Done("b", 6)]  # and a later run works


@pytest.mark.slow
def test_a_dask_cluster_answers_as_this_process_does(dask_cluster):
    assert list(run_jobs(spread, SEEDS, scheduler=dask_cluster)) == list(run_jobs(spread, SEEDS, workers=1))
    seen = [
        answer.value
        for answer in run_jobs(threads_and_process, SEEDS, scheduler=dask_cluster)
        if isinstance(answer, Done)
    ]
    assert len(seen) == len(SEEDS)
    assert {threads for threads, _ in seen} == {1}
    assert os.getpid() not in {process for _, process in seen}


@pytest.mark.slow
def test_on_dask_only_the_job_that_fails_or_kills_its_workers_is_lost(dask_cluster):
    one, two, *_ = run_jobs(picky, {"one": 1, "two": 2}, scheduler=dask_cluster)
    assert one == Done("one", 10)
    assert isinstance(two, Failed)
    assert two.why == "line 2: no number"
    fine, kills, late = run_jobs(deadly, {"fine": 0, "kills": 1, "late": 2}, scheduler=dask_cluster)
    assert (fine, late) == (Done("fine", 0), Done("late", 2))
    assert isinstance(kills, Failed)
    assert kills.why.startswith("every worker that ran it died")


def test_an_absent_dask_scheduler_is_named(monkeypatch):
    monkeypatch.setattr("autoscaler.bootstrap.jobs.CONNECT_S", 0.2)
    with pytest.raises(SourceDown, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1:"):
        list(run_jobs(picky, {"one": 1}, scheduler="tcp://127.0.0.1:1"))


def test_dask_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(Refused, match=r"pip install '\./foresail\[dask\]'"):
        list(run_jobs(picky, {"one": 1}, scheduler="tcp://127.0.0.1:1"))


def test_no_workers_are_refused():
    with pytest.raises(Refused, match="0 workers"):
        list(run_jobs(picky, {"one": 1}, workers=0))


def test_where_to_run_is_typed_or_in_the_environment():
    assert scheduler_of(None, {}) is None
    assert scheduler_of(None, {"FORESAIL_DASK": ""}) is None
    assert scheduler_of(None, {"FORESAIL_DASK": "tcp://a:1"}) == "tcp://a:1"
    assert scheduler_of("tcp://b:2", {"FORESAIL_DASK": "tcp://a:1"}) == "tcp://b:2"
    with pytest.raises(Refused, match="--dask 'b:2' is no address"):
        scheduler_of("b:2", {})
    with pytest.raises(Refused, match="FORESAIL_DASK 'x' is no address"):
        scheduler_of(None, {"FORESAIL_DASK": "x"})
