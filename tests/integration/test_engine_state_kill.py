"""kill -9 at any moment: the margin comes back as it was at most one interval before, and every start succeeds.

Run as a script with a folder, a first moment and a number of ticks, this file is the service that gets killed.
"""

from __future__ import annotations

import random
import runpy
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pytest

from autoscaler.bootstrap.service import Service, service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.simulator.clock import VirtualClock

MADE = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "bootstrap" / "conftest.py"))
BEGIN = datetime(2026, 6, 10, 2, tzinfo=UTC)
INTERVAL_S, SLACK_S = 0.25, 1.0
"""A write under way when the process was killed may have waited this long, and for as long as its ticks did."""
ROUNDS = 5


def started(folder: Path, at: datetime) -> tuple[Service, VirtualClock]:
    clock = VirtualClock(at)
    settings = ServiceSettings((folder / "fleet",), folder / "record.db", state_every_s=INTERVAL_S)
    return service(settings, clock), clock


def tick_until_killed(folder: str, at: str) -> None:
    """Says after each tick when it was, by both clocks, and its margin."""
    running, clock = started(Path(folder), datetime.fromisoformat(at))
    for _ in count():
        if running.tick() is None or running.pipeline.state is None:
            raise SystemExit("a tick failed")
        margin = float(running.pipeline.state.margin.log_margin[0]).hex()
        print(time.monotonic(), clock.at.isoformat(), margin, flush=True)
        clock.advance(15)


def killed_after(folder: Path, at: datetime, delay_s: float) -> tuple[list[tuple[float, datetime, str]], float]:
    """What the child said, and when it was killed, `delay_s` after its first tick."""
    command = [sys.executable, __file__, str(folder), at.isoformat()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = child.stdout.readline()
        time.sleep(delay_s)
        killed_s = time.monotonic()
        child.send_signal(signal.SIGKILL)
        said += child.stdout.read()
    assert child.returncode == -signal.SIGKILL, "it was to be killed, not to fail"
    whole = [line.split() for line in said.splitlines(keepends=True) if line.endswith("\n")]
    return [(float(s), datetime.fromisoformat(at), margin) for s, at, margin in whole], killed_s


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fleet").mkdir()
    estate = MADE["Estate"](tmp_path / "fleet")
    estate.record("web.csv", "web", steps=2 * 1440, end=BEGIN + timedelta(days=1))
    estate.write(MADE["_source"](), MADE["_workload"]("web"))
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_margin_outlives_kill_9(folder: Path) -> None:
    dice = random.Random(3)
    at, restored_rounds, seen = BEGIN, 0, set()
    for _ in range(ROUNDS):
        ticks, killed_s = killed_after(folder, at, dice.uniform(0.0, 2.4))
        seen |= {margin for _, _, margin in ticks}
        newest_s, newest, _ = ticks[-1]
        running, _ = started(folder, newest + timedelta(seconds=15))
        try:
            at_s = [*(s for s, _, _ in ticks), killed_s]
            allowed_s = INTERVAL_S + SLACK_S + 2 * max(b - a for a, b in pairwise(at_s))
            state, words = running.pipeline.state, running.memory.restored if running.memory else ""
            if state is not None:
                restored_rounds += 1
                back = float(state.margin.log_margin[0]).hex()
                when_s = [s for s, _, margin in ticks if margin == back]
                if killed_s - ticks[0][0] > allowed_s:
                    assert when_s, f"not a margin of this life: {words}"
                    assert max(when_s) >= newest_s - allowed_s
            elif killed_s - ticks[0][0] > allowed_s:
                pytest.fail(f"it lived for {killed_s - ticks[0][0]:.2f} s and kept nothing: {words}")
            assert running.tick() is not None
        finally:
            running.close()
        assert not list((folder / "record-state").glob(".*.part")), "what the kill left half is swept"
        at = newest + timedelta(seconds=30)
    assert restored_rounds >= ROUNDS - 1, "but for the first, which may have been killed before it wrote anything"
    assert len(seen) > ROUNDS, "margins moved, so that one is told from another"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_whatever_is_in_the_state_folder_the_service_starts(folder: Path) -> None:
    """Each file of a kept state, cut, flipped or filled with noise at random: it starts, and says what it did."""
    running, clock = started(folder, BEGIN)
    for _ in range(40):
        assert running.tick() is not None
        clock.advance(15)
    running.close()
    kept = folder / "record-state"
    good = {p: p.read_bytes() for p in kept.rglob("*") if p.is_file()}
    assert good
    dice, noise = random.Random(11), np.random.default_rng(11)
    restored = 0
    for _ in range(24):
        for path, body in good.items():
            bad = bytearray(body)
            match dice.randrange(4):
                case 0:
                    bad = bad[: dice.randrange(len(bad))]
                case 1:
                    bad[dice.randrange(len(bad))] ^= 1 << dice.randrange(8)
                case 2:
                    bad = bytearray(noise.bytes(len(bad)))
            path.write_bytes(bytes(bad))
        again, _ = started(folder, clock.at)
        again.memory = None  # nothing new is kept: the next round is to find what this one found
        try:
            state = again.pipeline.state
            restored += state is not None
            assert state is None or np.isfinite(state.margin.log_margin).all()
            assert again.tick() is not None
        finally:
            again.close()
    assert 0 < restored < 24


@pytest.mark.slow
def test_foresail_run_takes_up_what_it_had_learned(tmp_path: Path) -> None:
    """The command itself, ended by SIGTERM and begun again: its log and /healthz's words say what came back."""
    (tmp_path / "fleet").mkdir()
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    MADE["Estate"](tmp_path / "fleet").record("web.csv", "web", steps=300, end=now + timedelta(minutes=30))
    MADE["Estate"](tmp_path / "fleet").write(MADE["_source"](), MADE["_workload"]("web"))
    command = [str(Path(sys.executable).with_name("foresail")), "run", "fleet", "--listen", "off", "--tick", "200ms"]
    logs = []
    for _ in range(2):
        log = tmp_path / "log.txt"
        with log.open("w") as out, subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=out) as running:
            end = time.monotonic() + 200
            while "decision workload=" not in log.read_text() and time.monotonic() < end:
                assert running.poll() is None, log.read_text()
                time.sleep(0.1)
            running.send_signal(signal.SIGTERM)
            assert running.wait(timeout=60) == 0
        logs.append(log.read_text())
    assert "engine_state foresail-state: nothing was kept there yet; no demand is kept" in logs[0]
    assert "engine_state foresail-state/1: of " in logs[1]
    assert ", 1 of 1 workloads" in logs[1]
    assert sorted(p.name for p in (tmp_path / "foresail-state").iterdir()) == ["1", "2"]
    assert "Traceback" not in "".join(logs)


if __name__ == "__main__":
    tick_until_killed(*sys.argv[1:])
