"""kill -9 while demand is fetched and written: the file is sound, and what was flushed is not asked for again.

Run as a script with a path, this file is the service that gets killed: ticks and back-fill over a source that
answers at once, telling after each flush how far the source was asked.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from autoscaler.adapters.demand_store import DemandStore
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import SeriesBatch
from autoscaler.domain.workload import Demand, Lead, Target, Workload, WorkloadRef
from autoscaler.intake.backfill import Backfill
from autoscaler.intake.backfill_progress import BackfillLimits
from autoscaler.intake.history import History
from autoscaler.ports.history import UNASKED

STEP_S, LANES, DAY, RECENT = 60, 12, 1440, 120
NOW = 29_000_000
LIMITS = BackfillLimits(request_steps=2 * DAY, request_points=4 * 2 * DAY, pause_s=0.0, flush_s=0.02)


def fleet() -> Fleet:
    return Fleet(
        tuple(
            Workload(
                WorkloadRef("shop", f"w{k}"), Target("apps/v1", "Deployment", f"w{k}"),
                (Demand("requests", "prom", f"q{k}", 10.0),), 1, 100, Lead(60.0),
            )
            for k in range(LANES)
        )
    )  # fmt: skip


@dataclass
class Formula:
    """Demand is a function of query and step, so that every value can be told to be right. asked: (query, step)."""

    asked: set[tuple[str, int]] = field(default_factory=set)
    watch: bool = False

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        if self.watch:
            self.asked |= {(d.query, step) for d in demands for step in range(first_step, end_step)}
        return SeriesBatch.judge(step_s, first_step, truth([d.query for d in demands], first_step, end_step))


def truth(queries: Sequence[str], first: int, end: int) -> np.ndarray:
    offset = np.array([float(q[1:]) for q in queries])[:, None]
    return np.asarray(np.sqrt(np.arange(first, end)[None, :] % 9973) + offset)


def serve_until_killed(path: str) -> None:
    lanes, history = fleet(), History(STEP_S, 16 * DAY, recent_steps=RECENT)
    reader = Formula()
    store = DemandStore.open(path, keep_days=100_000)
    backfill = Backfill(history, reader, store, LIMITS)
    backfill.restore(lanes, NOW)
    while True:
        history.collect(reader, lanes, NOW)
        backfill.work_once()
        if not backfill._pending.points:
            marks = store.load(lanes.row_keys(), STEP_S, NOW - 28 * DAY, NOW).marks
            print(int((marks != UNASKED).sum()), flush=True)


def killed_after(path: Path, delay_s: float) -> int:
    """Steps that were flushed when the child last said so."""
    with subprocess.Popen([sys.executable, __file__, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = child.stdout.readline()
        time.sleep(delay_s)
        child.send_signal(signal.SIGKILL)
        said += child.stdout.read()
    assert child.returncode == -signal.SIGKILL, "it was to be killed, not to fail"
    return int([line for line in said.splitlines(keepends=True) if line.endswith("\n")][-1])


@pytest.mark.slow
def test_E08_what_was_flushed_survives_kill_9_and_is_not_fetched_again(tmp_path: Path) -> None:
    path, dice, lanes = tmp_path / "demand.db", random.Random(4), fleet()
    keys, queries = lanes.row_keys(), [d.query for d in lanes.demands]
    known = 0
    for _ in range(4):
        said = killed_after(path, dice.uniform(0.0, 0.15))
        raw = sqlite3.connect(path)
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        raw.close()
        with DemandStore.open(path, keep_days=100_000) as store:
            kept = store.load(keys, STEP_S, NOW - 28 * DAY, NOW)
            assert store.set_aside is None
            assert store.chunks_lost == 0
        there = kept.marks != UNASKED
        assert there.sum() >= said >= known
        known = said
        np.testing.assert_array_equal(kept.values[there], truth(queries, NOW - 28 * DAY, NOW)[there])

    reader, history = Formula(watch=True), History(STEP_S, 16 * DAY, recent_steps=RECENT)
    with DemandStore.open(path, keep_days=100_000) as store:
        backfill = Backfill(history, reader, store, LIMITS)
        backfill.restore(lanes, NOW)
        while True:
            panel = history.collect(reader, lanes, NOW)
            if backfill.work_once() >= LIMITS.idle_s and not (history.handover and history.handover.found):
                break
        backfill.stop()
        np.testing.assert_array_equal(history.panel().columns(NOW - 16 * DAY, NOW), truth(queries, NOW - 16 * DAY, NOW))
        assert panel.end_step == NOW
        again = sum((q, NOW - 28 * DAY + c) in reader.asked for i, q in enumerate(queries)
                    for c in np.flatnonzero(there[i]).tolist())  # fmt: skip
        assert again <= LANES * 2 * history.late_steps, "only the late steps"
        whole = store.load(keys, STEP_S, NOW - 28 * DAY, NOW - history.late_steps)
        np.testing.assert_array_equal(whole.values, truth(queries, NOW - 28 * DAY, NOW - history.late_steps))


if __name__ == "__main__":
    serve_until_killed(sys.argv[1])
