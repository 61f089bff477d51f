"""The path to a day ahead beside seasonal-naive by day, calibrated in the same way: prints a table, or with --docs
writes docs/benchmarks/path.md. The loads are those of the forecast benchmark and two generated ones.

    nice -n 15 .venv/bin/python -m tests.bench.bench_path [--data DIR] [--docs DIR]

Exit codes: 0 better than the baseline in most buckets of horizons, in the geometric mean over sources; 1 not; 2 data is
missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.adapters.traces import Trace
from autoscaler.domain.series import Floats, Panel
from autoscaler.forecasting.path import EDGES_S, PathForecaster
from autoscaler.forecasting.path_experts import BASELINE
from autoscaler.simulator.shop import shop_load, shop_window
from tests.bench.bench_fleet import _commit
from tests.bench.forecast.listed import LISTED, absent, load

ROOT: Final = Path(__file__).resolve().parents[2]
ORIGINS: Final = 40
DAY_S: Final = 86400
NAMES: Final = ("to 15 min", "to 1 h", "to 3 h", "to 6 h", "to 12 h", "to 24 h")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """ratios: [bucket], our pinball loss over the baseline's. whole: over all horizons. coverage: [level], ours."""

    source: str
    name: str
    step_s: int
    ratios: Floats
    whole: float
    coverage: Floats


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--docs", type=Path, default=None)
    asked = parser.parse_args(arguments)
    if gone := absent(asked.data):
        print(f"{gone[0]} is missing: the benchmark cannot be made without it (--data DIR)", file=sys.stderr)
        return 2
    cases = []
    for source, trace in (*generated(), *((one.source, load(asked.data, one)) for one in LISTED)):
        cases.append(case_of(source, trace))
        print(_row(cases[-1]), flush=True)
    mean = means(cases)
    told = page(cases, mean)
    print(told)
    if asked.docs is not None:
        (asked.docs / "path.md").write_text(told, encoding="utf-8")
    return 0 if (mean < 1).sum() > len(mean) / 2 else 1


def generated() -> tuple[tuple[str, Trace], ...]:
    """The synthetic shop, and a noisy day whose level wanders."""
    shop = shop_load(shop_window().first_step, 28 * 1440)
    rng, steps = np.random.default_rng(8), 28 * 1440
    level = np.exp(np.cumsum(rng.normal(0, 0.004, steps)))
    day = 1.5 + np.sin(2 * np.pi * np.arange(steps) / 1440)
    walk = 100 * level * day * rng.lognormal(0, 0.1, steps)
    return (
        ("generated", Trace("shop (generated)", 60, shop.first_step, shop.seen.copy())),
        ("generated", Trace("wandering level (generated)", 60, shop.first_step, walk)),
    )


def case_of(source: str, trace: Trace) -> Case:
    """At origins spread evenly over what is left after two weeks, or half of a shorter record."""
    panel, day = Panel.of(trace.as_seen()), DAY_S // trace.step_s
    steps = len(trace.values)
    begin = trace.first_step + (15 * day if steps > 18 * day else steps // 2)
    origins = np.unique(np.linspace(begin, trace.end_step - day, ORIGINS).astype(np.int64))
    ours, theirs, below = [], [], []
    for origin in origins.tolist():
        truth = panel.learnable(origin, origin + day)[0][:, None]
        path, base = PathForecaster().path(panel, origin), PathForecaster(BASELINE).path(panel, origin)
        levels = np.array(path.levels)
        misses = [truth - each.quantiles[0] for each in (path, base)]
        losses = [np.maximum(levels * miss, (levels - 1) * miss) for miss in misses]
        both = np.isnan(losses[0]) | np.isnan(losses[1])
        ours.append(np.where(both, np.nan, losses[0]))
        theirs.append(np.where(both, np.nan, losses[1]))
        below.append(np.where(np.isnan(misses[0]), np.nan, misses[0] <= 0))
    mine, its = np.array(ours), np.array(theirs)
    cuts = [slice(a // trace.step_s, max(-(-b // trace.step_s), a // trace.step_s + 1)) for a, b in pairwise(EDGES_S)]
    ratios = np.array([np.nansum(mine[:, cut]) / np.nansum(its[:, cut]) for cut in cuts])
    coverage = np.nanmean(np.array(below), axis=(0, 1))
    return Case(source, trace.name, trace.step_s, ratios, float(np.nansum(mine) / np.nansum(its)), coverage)


def means(cases: Sequence[Case]) -> Floats:
    """[bucket + 1], geometric over the series of a source, then over sources; the last one is over all horizons."""
    logs = {case.source: [] for case in cases}  # type: dict[str, list[Floats]]
    for case in cases:
        logs[case.source].append(np.log(np.append(case.ratios, case.whole)))
    return np.exp(np.mean([np.mean(each, axis=0) for each in logs.values()], axis=0))


def page(cases: Sequence[Case], mean: Floats) -> str:
    head = f"| load | step | {' | '.join(NAMES)} | all | coverage at .5, .9, .95 |"
    rows = "\n".join(map(_row, cases))
    return f"""# The path to a day ahead

Mean pinball loss over the levels .5, .9 and .95 of single steps, as a ratio to seasonal-naive by day whose bands are \
calibrated in the same way: below 1 is better. {ORIGINS} origins over each load. \
`python -m tests.bench.bench_path`, {datetime.now(UTC):%Y-%m-%d}, commit {_commit()}.

{head}
|---|--:|{"--:|" * (len(NAMES) + 1)}---|
{rows}
| **geometric mean, each source alike** | | {" | ".join(f"**{each:.2f}**" for each in mean)} | |
"""


def _row(case: Case) -> str:
    ratios = " | ".join(f"{each:.2f}" for each in (*case.ratios, case.whole))
    return f"| {case.name} | {case.step_s} s | {ratios} | {', '.join(f'{each:.3f}' for each in case.coverage)} |"


if __name__ == "__main__":
    sys.exit(main())
