"""What a thousand PredictiveAutoscalers cost on real servers, and KEDA beside them: `make bench-operator`, or

    nice -n 10 .venv/bin/python -m tests.bench.bench_operator [--count N] [--runs queries,fleet,spread,…]

Everything runs on this machine, one after the other: the API server, etcd, the controllers, kwok's pods, Prometheus and
the measured process share its cores, which the figures of time suffer from. Figures go to DIR/measured.json after each
run; docs/benchmarks/operator.md is written from them by hand, with what they mean.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.bench.operator.runs import Bench, burst, fleet, keda, together

STEADY_S = 180.0


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--count", type=int, default=1000)
    asked.add_argument("--namespaces", type=int, default=10)
    asked.add_argument("--seconds", type=float, default=STEADY_S)
    asked.add_argument("--runs", default="queries,fleet,burst,keda")
    asked.add_argument("--scratch", type=Path, default=None)
    told = asked.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended
    with tempfile.TemporaryDirectory(prefix="bench-operator-") as own:
        folder = told.scratch or Path(own)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder, told.count)
        runs = {
            "fleet": lambda: fleet(bench, folder, told.count, told.namespaces, told.seconds),
            "spread": lambda: fleet(bench, folder, told.count, told.count, told.seconds),
            "queries": lambda: together(bench, folder, told.count),
            "burst": lambda: burst(bench, folder, 2 * told.count),
            "keda": lambda: keda(bench, folder, told.count, told.namespaces, told.seconds),
        }
        for run in told.runs.split(","):
            runs[run]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
