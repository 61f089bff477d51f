"""What the serving forecaster's expectation is worth to detection, in place of the engine's own:

    nice -n 15 .venv/bin/python -m tests.bench.anomalies.fed [--data DIR] [--only nab]

The forecaster that serves is asked one step ahead (lead 0, no delay), origin after origin, and sees only steps before:
its median is fed as Block.expected. Recall at 0.25 and 1 false pages a week as the benchmark counts it, thresholds set
on other series; beside the same without anything fed. Figures stand in docs/adr/0012.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autoscaler.detection.contract import Block, Watched
from autoscaler.detection.engine import DAY_S, DetectionEngine
from autoscaler.domain.series import Floats, Panel, SeriesBatch
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer, Rows
from tests.bench.anomalies import cases as recorded
from tests.bench.anomalies.cases import Case
from tests.bench.anomalies.measure import Scored, curves, grid_of, transfer

ROOT = Path(__file__).resolve().parents[3]
BUDGETS = (0.25, 1.0)


def expected(case: Case) -> Floats:
    """[row, step], the median that was served for each step before it came; NaN where nothing was."""
    panel = Panel.of(SeriesBatch.judge(case.step_s, case.first_step, case.values))
    rows = Rows.punctual(case.keys, np.zeros(len(case.keys), dtype=np.int64))
    server, out = PeakServer(serving_models()), np.full(case.values.shape, np.nan)
    day, steps = DAY_S // case.step_s, case.values.shape[1]
    for first in range(0, steps, day):
        origins = case.first_step + np.arange(first, min(first + day, steps), dtype=np.int64)
        found = server.forecast(panel, rows, origins)
        out[:, first : first + day] = np.where(found.present, found.quantiles[:, :, 0], np.nan)
    return out


def surprise(case: Case, fed: Floats | None) -> Floats:
    watched = Watched(case.keys, case.group, np.full(len(case.groups), 0.25))
    block = Block(case.step_s, case.first_step, case.values, fed)
    return DetectionEngine(watched, case.step_s).relive(block).groups.surprise


def residuals(case: Case, fed: Floats) -> str:
    """Median over rows of the fed forecast's mean error over that of the value before."""
    with np.errstate(invalid="ignore"):
        theirs = np.abs(case.values - fed)[:, 1:]
        naive = np.where(np.isnan(theirs), np.nan, np.abs(np.diff(case.values, axis=1)))
        ratio = np.nanmean(theirs, axis=1) / np.nanmean(naive, axis=1)
    known = float(np.isfinite(fed).mean())
    return f"{case.name} {case.step_s} s: error {np.nanmedian(ratio):.2f} of the last value's, {known:.0%} of steps fed"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", choices=("nab", "ms-cloud"))
    asked = parser.parse_args(arguments)
    warnings.simplefilter("ignore", RuntimeWarning)
    for name, load in (("nab", recorded.nab), ("ms-cloud", recorded.ms_cloud)):
        if asked.only in (None, name):
            some = load(asked.data)
            fed = [expected(case) for case in some]
            for case, each in zip(some, fed, strict=True):
                print(residuals(case, each), flush=True)
            nothing: list[Floats | None] = [None] * len(some)
            for title, told in (("own", nothing), ("fed", fed)):
                scored = [Scored(case, surprise(case, f)) for case, f in zip(some, told, strict=True)]
                levels, found, steps = grid_of(scored), [], []
                for one in scored:
                    mine = curves(one, levels)
                    found += mine
                    steps += [one.case.step_s] * len(mine)
                at = [transfer(found, steps, budget) for budget in BUDGETS]
                said = ", ".join(f"{t.recall:.3f} ({t.low:.2f} to {t.high:.2f}) at {t.rate:.2f}" for t in at)
                print(f"{name} {title}: recall {said} false a week", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
