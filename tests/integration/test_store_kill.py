"""kill -9 at any moment: every tick that flush confirmed is there, the file is sound, and writing goes on.

Run as a script with a path and a first tick, this file is the process that gets killed.
"""

from __future__ import annotations

import random
import runpy
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from autoscaler.adapters.store import DecisionStore, StoreLimits

MAKING = Path(__file__).parents[1] / "unit" / "store" / "conftest.py"
LANES = 40
ROUNDS = 6


def write_until_killed(path: str, first: int) -> None:
    made = runpy.run_path(str(MAKING))
    lanes = made["fleet"](*(f"w{k}" for k in range(LANES)))
    limits = StoreLimits(prune_every_s=0.05, max_bytes=400_000)
    with DecisionStore.open(path, tick_s=made["TICK_S"], limits=limits) as store:
        for k in count(first):
            # a third of the lanes changes every other tick: inserts, updates and pruning are all under way
            granted = [3 + (k // 2 if lane % 3 == 0 else 0) % 5 for lane in range(LANES)]
            store.append(made["build"](lanes, made["START_S"] + k * made["TICK_S"], granted=granted))
            if store.flush(10):
                print(k, flush=True)


def killed_after(path: Path, first: int, delay_s: float) -> list[int]:
    """Ticks that the child said were on disk before it was killed, `delay_s` after its first one."""
    command = [sys.executable, __file__, str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = child.stdout.readline()
        time.sleep(delay_s)
        child.send_signal(signal.SIGKILL)
        said += child.stdout.read()
    assert child.returncode == -signal.SIGKILL, "it was to be killed, not to fail"
    whole = [line for line in said.splitlines(keepends=True) if line.endswith("\n")]
    return [int(line) for line in whole]


@pytest.mark.slow
def test_confirmed_ticks_survive_kill_9(tmp_path):
    made = runpy.run_path(str(MAKING))
    start_s, tick_s = made["START_S"], made["TICK_S"]
    lanes = made["fleet"](*(f"w{k}" for k in range(LANES)))
    path = tmp_path / "foresail.db"
    dice = random.Random(9)
    first, confirmed = 0, 0
    for _ in range(ROUNDS):
        said = killed_after(path, first, dice.uniform(0.0, 0.25))
        confirmed += len(said)
        assert said == list(range(first, first + len(said)))

        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()

        reader = DecisionStore.open_read_only(path)
        since = datetime.fromtimestamp(start_s + first * tick_s, UTC)
        newest = datetime.fromtimestamp(start_s + said[-1] * tick_s, UTC)
        for lane in (1, 2, LANES - 1):
            runs = reader.history(lanes.workloads[lane].ref, since)
            assert runs[-1].last_at >= newest
            assert runs[-1].last_at <= newest + 2 * (
                datetime.fromtimestamp(tick_s, UTC) - datetime.fromtimestamp(0, UTC)
            )
        steady = reader.history(lanes.workloads[1].ref, since)
        assert len(steady) == 1, "it never changed, so this life of the writer is one run"
        assert steady[0].first_at == since
        assert steady[0].ticks >= len(said)
        moving = reader.run_at(lanes.workloads[0].ref, newest)
        assert moving is not None
        assert moving.decision.granted == 3 + (said[-1] // 2) % 5
        reader.close()
        first = said[-1] + 10
    assert confirmed > ROUNDS, "the writer got somewhere between kills"


if __name__ == "__main__":
    write_until_killed(sys.argv[1], int(sys.argv[2]))
