"""What keeping the loop's state costs: `python tests/bench/bench_engine_state.py [--lanes 10000]`.

The state is that of a real loop: ticks every 15 s over noisy demand, with the windows that are given. Says seconds,
bytes per workload, and by how much a tick-like numpy load beside the saving thread is delayed.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from autoscaler.bootstrap.engine_state import arrays_of
from autoscaler.bootstrap.engine_state_keeper import EngineStateKeeper
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.workload import Demand, Lead, ScalingRule, Target, Workload, WorkloadRef
from autoscaler.pipeline.state import MOST_ENTRIES, LoopState
from autoscaler.planning.margin import remember

TICK_S, STEP_S = 15.0, 60
NOW_S = datetime(2026, 6, 10, 9, tzinfo=UTC).timestamp()


def fleet_of(lanes: int, window_s: int) -> Fleet:
    return Fleet(
        tuple(
            Workload(
                WorkloadRef(f"team-{i % 97}", f"service-number-{i}"), Target("apps/v1", "Deployment", f"w{i}"),
                (Demand("requests", "bench", f"q{i}", 45.0),), 1, 200, Lead(60.0 * (1 + i % 5)),
                scale_down=ScalingRule(window_s),
            )
            for i in range(lanes)
        )
    )  # fmt: skip


def state_after(fleet: Fleet, window_s: float, ticks: int) -> LoopState:
    """Demand of a random walk with a tenth of noise, as replicas."""
    rng = np.random.default_rng(7)
    lanes, state = len(fleet), LoopState.fresh(fleet, STEP_S)
    level = rng.uniform(2, 150, lanes)
    known = np.ones(lanes, dtype=np.bool_)
    for k in range(ticks):
        now_s = NOW_S - TICK_S * (ticks - 1 - k)
        level *= rng.lognormal(0, 0.02, lanes)
        wanted = np.ceil(level * rng.lognormal(0, 0.1, lanes))
        counts = wanted.astype(np.int64)
        state = state.noted(now_s, counts, counts, known, window_s)
        state = state.learned(remember(state.margin, int(now_s // STEP_S), wanted))
    margin = replace(state.margin, log_margin=rng.normal(0.2, 0.2, lanes))
    return state.learned(margin)


def ticklike(seconds: float) -> list[float]:
    """Times of pieces of numpy work as a tick does it, one after the other."""
    values = np.random.default_rng(1).normal(size=(10_000, 60))
    taken, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        np.where(values > 0, values, 0.0).max(axis=1)
        taken.append(time.perf_counter() - begin)
    return taken


def measure(lanes: int, window_s: int, folder: Path) -> None:
    fleet = fleet_of(lanes, window_s)
    ticks = min(int(window_s / TICK_S) + 1, 2 * MOST_ENTRIES)
    state, now = state_after(fleet, float(window_s), ticks), datetime.fromtimestamp(NOW_S, UTC)
    keeper = EngineStateKeeper(folder, STEP_S, interval_s=3600.0)
    keeper.offer(state, now)  # begins the thread
    begin = time.perf_counter()
    keeper.offer(state, now)
    offered_s = time.perf_counter() - begin
    begin = time.perf_counter()
    keeper.save()
    save_s = time.perf_counter() - begin
    if keeper.trouble is not None:
        raise SystemExit(f"not saved: {keeper.trouble}")
    newest = max(folder.iterdir(), key=lambda p: int(p.name))
    packed = sum(p.stat().st_size for p in newest.iterdir())
    unpacked = sum(a.nbytes for a in arrays_of(state).values())
    begin = time.perf_counter()
    found = keeper.restore(fleet, now)
    load_s = time.perf_counter() - begin
    if found.state is None or not np.array_equal(found.state.high, state.high):
        raise SystemExit(f"not restored: {found.words}")

    alone = ticklike(2.0)
    stop = threading.Event()

    def save_on() -> None:
        while not stop.is_set():
            keeper.offer(state, now)
            keeper.save()

    saver = threading.Thread(target=save_on)
    saver.start()
    beside = ticklike(4.0)
    stop.set()
    saver.join()
    keeper.close()
    print(
        f"{lanes} workloads, window {window_s} s, {len(state.times_s)} entries: save {save_s:.2f} s, "
        f"load {load_s:.2f} s, hand-over {offered_s * 1e6:.0f} µs; "
        f"{unpacked / lanes:.0f} bytes per workload, {packed / lanes:.0f} packed; "
        f"a 1 ms piece of work p99 {np.quantile(alone, 0.99) * 1e3:.1f} ms alone, "
        f"{np.quantile(beside, 0.99) * 1e3:.1f} ms beside; "
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lanes", type=int, default=10_000)
    lanes = parser.parse_args().lanes
    for window_s in (300, 3600, 21_600):
        with tempfile.TemporaryDirectory() as folder:
            measure(lanes, window_s, Path(folder) / "state")


if __name__ == "__main__":
    main()
