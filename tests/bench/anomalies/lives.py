"""What learning from history takes in its process: processor seconds and the most memory, of so many rows.

    nice -n 10 .venv/bin/python -m tests.bench.anomalies.lives [ROWS] [--days 16] [--step 60] [--refit]

Of a service's own job (bootstrap.anomaly_learning.Learner), the files that it is handed and that come back included.
Exit codes: 0 all rows have learned, 1 some have not, and it says why.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autoscaler.bootstrap.anomaly_learning import Done, Learner, Order
from autoscaler.domain.series import Floats
from autoscaler.domain.signals import SignalKind
from autoscaler.pipeline.detecting import Asked, Group, Watch

DAY_S = 86_400
FIRST_DAY = 20_000
TOGETHER = 200


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="?", default=1000)
    parser.add_argument("--days", type=int, default=16)
    parser.add_argument("--step", type=int, default=60, help="seconds")
    parser.add_argument("--refit", action="store_true", help="the daily refit instead of a life")
    parser.add_argument("--memory-mb", type=int, default=3072)
    asked = parser.parse_args(arguments)
    watch = Watch.of_groups([_group(k) for k in range(asked.rows)])
    values = fleet(asked.rows, asked.days, asked.step)
    order = Order(watch, asked.step, FIRST_DAY * DAY_S // asked.step, values.shape[1], lives=not asked.refit)
    with tempfile.TemporaryDirectory() as folder:
        learner = Learner(Path(folder) / "learning", memory_bytes=asked.memory_mb * 1024**2)
        began_s = time.monotonic()
        learner.begin(order)
        for at in range(0, asked.rows, TOGETHER):
            while learner.busy and not learner.wants:
                time.sleep(0.01)
            learner.add(values[at : at + TOGETHER])
        done: Done | None = None
        while done is None and learner.busy:
            time.sleep(0.2)
            done = learner.taken()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    there = 0 if done is None or done.failed is not None else len(done.arrays["engine.key"])
    print(
        f"{there} of {asked.rows} rows, {asked.days} days at {asked.step} s: {used.ru_utime + used.ru_stime:.1f} s of "
        f"the processor, at most {used.ru_maxrss / 1024:.0f} MiB, {time.monotonic() - began_s:.1f} s by the clock"
    )
    if learner.trouble is not None:
        print(learner.trouble, file=sys.stderr)
    return 0 if there == asked.rows else 1


def _group(k: int) -> Group:
    return Group(f"shop/service{k}", 1.0, (Asked("requests", "main", f"service{k}", SignalKind.DEMAND),))


def fleet(rows: int, days: int, step_s: int) -> Floats:
    """Made-up days of many services: sizes and noises of all kinds, some holes, an event in each."""
    rng = np.random.default_rng(3)
    steps = days * DAY_S // step_s
    t = np.arange(steps) * step_s / DAY_S
    values = np.empty((rows, steps))
    for row in range(rows):
        daily = 1.2 + np.sin(2 * np.pi * (t + rng.uniform()))
        line = rng.lognormal(3, 2) * daily * (1 + rng.uniform(0.02, 0.3) * rng.standard_normal(steps))
        at = int(rng.integers(steps // 2, steps - 90))
        line[at : at + 90] *= 4.0
        line[at // 2 : at // 2 + int(rng.integers(0, 12))] = np.nan
        values[row] = line
    return values


if __name__ == "__main__":
    sys.exit(main())
