"""What a service itself takes while it hands over the values that detection learns from: most memory, longest tick.

    nice -n 10 .venv/bin/python -m tests.bench.anomalies.turns [ROWS] [--days 14] [--step 60]

A gate over a history of so many rows; values go to the disk as in a service, and the job that would learn from them is
left out. Memory is that beyond what the history and the gate take before. Exit code 1 where not all was handed over.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.bootstrap import anomaly_learning
from autoscaler.bootstrap.anomaly_gate import AnomalyGate
from autoscaler.bootstrap.anomaly_learning import Learner
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Panel
from autoscaler.domain.workload import Demand, Lead, Target, Workload, WorkloadRef
from autoscaler.intake.history import History
from autoscaler.learning.process import End, Ended

FIRST_DAY = 20_000
TICK_S = 60.0
LOOK_STEPS = 11


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="?", default=10_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--step", type=int, default=60, help="seconds")
    asked = parser.parse_args(arguments)
    steps = asked.days * 86_400 // asked.step
    first = FIRST_DAY * 86_400 // asked.step
    values = np.random.default_rng(1).normal(100.0, 5.0, (asked.rows, steps))
    panel = Panel(asked.step, first, values, np.zeros(values.shape, dtype=np.uint8))
    fleet = Fleet(tuple(_workload(k) for k in range(asked.rows)))
    handed: list[int] = []

    def left_out(_job: Any, _folder: Path, arguments: Any, **_: Any) -> Ended:
        handed.append(Path(arguments[1]).stat().st_size)
        return Ended(End.STOPPED, "left out by the benchmark", 0.0)

    setattr(anomaly_learning, "run_limited", left_out)  # noqa: B010 - not exported
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        history = History(asked.step, steps)
        gate = AnomalyGate(asked.step, Learner(Path(folder) / "learning"), None, history)
        history._first, history._end, history._values, history._verdicts = first, first + steps, values, panel.verdicts
        young = Panel(asked.step, first + steps - 80, values[:, -80:-LOOK_STEPS], panel.verdicts[:, -80:-LOOK_STEPS])
        gate.judge(young, fleet, first + steps - LOOK_STEPS)  # too little to learn from
        before = _reset_peak()
        longest_s, began_s = 0.0, time.monotonic()
        while not handed and time.monotonic() - began_s < 600:
            at_s, used_s = time.monotonic(), time.thread_time()
            gate.judge(panel, fleet, first + steps)
            longest_s = max(longest_s, time.thread_time() - used_s)
            if hasattr(gate, "between_ticks"):
                gate.between_ticks(partial(_left_s, at_s + TICK_S))
            time.sleep(0.2)
        peak = _status("VmHWM")
        gate.learner.close()
    print(
        f"{asked.rows} rows, {asked.days} days at {asked.step} s: {sum(handed) / 1e6:.0f} MB handed over in "
        f"{time.monotonic() - began_s:.1f} s, at most {(peak - before) / 1024:.0f} MiB beside the history, longest "
        f"tick {1000 * longest_s:.0f} ms of the processor"
    )
    return 0 if handed and handed[0] >= values.nbytes else 1


def _workload(k: int) -> Workload:
    demands = (Demand("requests", "main", f"service{k}", 10.0),)
    name = f"service{k}"
    return Workload(WorkloadRef("shop", name), Target("apps/v1", "Deployment", name), demands, 1, 50, Lead(60.0))


def _left_s(until_s: float) -> float:
    return until_s - time.monotonic()


def _status(name: str) -> int:
    """kB of /proc/self/status."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])


def _reset_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


if __name__ == "__main__":
    sys.exit(main())
