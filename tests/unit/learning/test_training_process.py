"""A training that hangs, eats memory, raises, dies or goes on behind our back costs its own process (FAULTS F05)."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.learning.process import End, Ended, Limits, run_limited, run_side_by_side

MIB = 1024**2
ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.slow


def job(folder: Path, what: str, *more: Any) -> None:
    (folder / "begun").write_text(str(os.getpid()))
    if what == "good":
        np.save(folder / "made.npy", np.arange(int(more[0])))
    elif what == "raise":
        raise ArithmeticError("no such root")
    elif what == "memory":
        rows = []
        while True:  # 50,000 points each
            rows.append(np.ones(50_000))
    elif what == "hang":
        time.sleep(600)
    elif what == "spin":
        while True:
            pass
    elif what == "held":  # in C, without giving the interpreter to any other thread
        re.match("(a+)+$", "a" * 64 + "b")
    elif what == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    elif what == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "leave":
        os._exit(3)
    elif what == "long words":
        raise ValueError("x" * 1_000_000)
    elif what == "grandchild":
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        Path(more[0]).write_text(str(subprocess.Popen(command).pid))
        if more[1] == "hang":
            time.sleep(600)


def run(tmp_path: Path, *arguments: Any, seconds: float = 120.0, memory: int = 256 * MIB, **how: Any) -> Ended:
    return run_limited(job, tmp_path / "made", arguments, seconds=seconds, memory_bytes=memory, **how)


def gone(pid: int) -> bool:
    """Not there, or only its entry, which whoever adopted it takes away in its own time."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_a_job_that_ends_well_leaves_its_folder(tmp_path: Path) -> None:
    ended = run(tmp_path, "good", 7)
    assert (ended.end, ended.words) == (End.DONE, "done")
    assert np.load(tmp_path / "made" / "made.npy", allow_pickle=False).tolist() == list(range(7))
    assert int((tmp_path / "made" / "begun").read_text()) != os.getpid()


@pytest.mark.parametrize(
    ("what", "end", "words"),
    [
        ("raise", End.RAISED, "ArithmeticError: no such root"),
        ("memory", End.OUT_OF_MEMORY, "256 MiB"),
        ("segfault", End.DIED, "SIGSEGV"),
        ("leave", End.DIED, "exit code 3"),
        ("long words", End.RAISED, "ValueError: xxx"),
    ],
)
def test_f05_each_way_to_fail_is_told_and_leaves_nothing(tmp_path: Path, what: str, end: End, words: str) -> None:
    ended = run(tmp_path, what)
    assert ended.end is end
    assert words in ended.words
    assert len(ended.words) < 5000
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("what", ["hang", "spin", "deaf"])
def test_f05_what_overruns_its_time_is_killed(tmp_path: Path, what: str) -> None:
    begin = time.monotonic()
    ended = run(tmp_path, what, seconds=4.0)
    assert ended.end is End.OVERRAN
    assert "limits: 4 s" in ended.words
    assert time.monotonic() - begin < 60, "left alone it would take ten minutes"
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("how", ["hang", "end"])
def test_f05_what_it_started_ends_with_it(tmp_path: Path, how: str) -> None:
    for seconds in (4.0, 40.0):  # the second on a machine that is too busy to begin within the first
        ended = run(tmp_path, "grandchild", str(tmp_path / "pid"), how, seconds=seconds)
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            break
    assert ended.end is (End.OVERRAN if how == "hang" else End.DONE)
    assert gone(int((tmp_path / "pid").read_text()))


def test_it_is_stopped_when_the_service_stops(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    assert run(tmp_path, "hang", seconds=60.0, stop=stop).end is End.STOPPED


@pytest.mark.parametrize("what", ["hang", "held"])
def test_f05_it_ends_when_the_service_is_killed(tmp_path: Path, what: str) -> None:
    code = (
        "import sys; from pathlib import Path; from autoscaler.learning.process import run_limited\n"
        "from tests.unit.learning.test_training_process import job\n"
        f"if __name__ == '__main__': run_limited(job, Path({str(tmp_path / 'made')!r}), ({what!r},), "
        "seconds=60, memory_bytes=2**28)\n"
    )
    script = tmp_path / "service.py"
    script.write_text(code)
    with subprocess.Popen([sys.executable, str(script)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}) as service:
        begun = tmp_path / "made" / "begun"
        for _ in range(300):
            if begun.exists() and begun.read_text():
                break
            time.sleep(0.1)
        pid = int(begun.read_text())
        time.sleep(0.2)  # it is in the midst of its job
        service.kill()
    ended = gone(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    assert ended


def test_f05_a_thread_that_ticks_keeps_its_period(tmp_path: Path) -> None:
    """While a job spins and another eats memory: the longest pause of a loop that ticks each 20 ms."""
    ended: list[Ended] = []

    def train() -> None:
        for what, seconds in (("memory", 120.0), ("spin", 4.0)):
            ended.append(run_limited(job, tmp_path / what, (what,), seconds=seconds, memory_bytes=256 * MIB))

    trainer = threading.Thread(target=train)
    trainer.start()
    pauses, last = [], time.monotonic()
    while trainer.is_alive():
        time.sleep(0.02)
        now = time.monotonic()
        pauses.append(now - last)
        last = now
    trainer.join()
    assert [each.end for each in ended] == [End.OUT_OF_MEMORY, End.OVERRAN]
    assert np.quantile(pauses, 0.99) < 2.0
    assert max(pauses) < 10.0, "no tick of 15 s is missed"


def test_limits_that_no_job_could_keep_are_refused(tmp_path: Path) -> None:
    for seconds, memory in ((0.0, 256 * MIB), (float("nan"), 256 * MIB), (5.0, 1)):
        with pytest.raises(ValueError, match="a job needs"):
            run(tmp_path, "good", 1, seconds=seconds, memory=memory)
    (tmp_path / "made").mkdir()
    with pytest.raises(FileExistsError):
        run(tmp_path, "good", 1)


def test_a_job_that_is_no_function_of_a_module_is_an_error_here(tmp_path: Path) -> None:
    def inner(folder: Path) -> None:
        (folder / "x").touch()

    with pytest.raises(Exception, match=r"pickle|local object"):
        run_limited(inner, tmp_path / "made", seconds=5.0, memory_bytes=256 * MIB)
    assert not (tmp_path / "made").exists()


def side_by_side(tmp_path: Path, *what: str, limits: Limits, preload: tuple[str, ...] = ()) -> dict[str, Ended]:
    """How each ended; a good one's file is read while its folder is there."""
    found = {}
    jobs = {f"{k}/{each}": (each, 7) for k, each in enumerate(what)}
    for name, folder, ended in run_side_by_side(job, jobs, tmp_path, limits, workers=3, preload=preload):
        found[name.partition("/")[2]] = ended
        assert folder.exists() == ended.done
        if ended.done:
            assert np.load(folder / "made.npy", allow_pickle=False).tolist() == list(range(7))
    return found


@pytest.mark.parametrize("preload", [(), ("numpy",)])
def test_f05_of_several_jobs_each_fault_costs_its_own_answer(tmp_path: Path, preload: tuple[str, ...]) -> None:
    """F05: thrown, out of memory, overrun by the clock and by processor time, dead; the good one answers."""
    limits = Limits(seconds=120.0, memory_bytes=256 * MIB, processor_s=4.0)
    faults = ("raise", "memory", "segfault", "leave", "spin")
    found = side_by_side(tmp_path, "good", *faults, limits=limits, preload=preload)
    ends = [End.RAISED, End.OUT_OF_MEMORY, End.DIED, End.DIED, End.OVERRAN]
    assert {name: one.end for name, one in found.items()} == {
        "good": End.DONE,
        **dict(zip(faults, ends, strict=True)),
    }
    assert "processor time" in found["spin"].words.partition("(")[0]
    assert "limits: 120 s, 4 s of processor time, 256 MiB" in found["raise"].words
    soon = Limits(seconds=2.0, memory_bytes=256 * MIB, processor_s=4.0)  # shorter than a busy machine needs to begin
    hung = side_by_side(tmp_path, "hang", limits=soon, preload=preload)["hang"]
    assert (hung.end, "did not end in time" in hung.words) == (End.OVERRAN, True)
    assert list(tmp_path.iterdir()) == [], "every folder is gone with its answer"


def test_no_jobs_are_done_at_once(tmp_path: Path) -> None:
    assert list(run_side_by_side(job, {}, tmp_path, Limits(5.0, 256 * MIB))) == []


@pytest.mark.parametrize("preload", [(), ("numpy",)])
def test_who_stops_reading_ends_what_still_runs(tmp_path: Path, preload: tuple[str, ...]) -> None:
    jobs = {"a": ("good", 7), "b": ("grandchild", str(tmp_path / "pid"), "hang")}
    answers = run_side_by_side(job, jobs, tmp_path, Limits(120.0, 256 * MIB), workers=2, preload=preload)
    assert next(answers)[0] == "a"
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.02)
    began = time.monotonic()
    answers.close()
    assert time.monotonic() - began < 60, "it does not wait for their ends"
    assert gone(int((tmp_path / "pid").read_text()))
    assert [p.name for p in tmp_path.iterdir()] == ["pid"]


def test_a_limit_of_processor_time_is_checked_too() -> None:
    with pytest.raises(ValueError, match="a job needs"):
        Limits(5.0, 256 * MIB, processor_s=0.0)
