"""The benchmark of forecasts: `make bench-forecast`, or

    nice -n 15 .venv/bin/python -m tests.bench.bench_forecast [--data DIR] [--only NAME ...] [--workers N]

Exit codes: 0 every aim is reached, 1 an aim is missed (the page is written and says which), 2 data is missing, and the
file is named. `--only` writes its page below `--scratch`: part of a benchmark is none.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from autoscaler.bootstrap.backtest import Choice, Terms, Tested, chosen, run_backtests
from autoscaler.bootstrap.backtest_telling import measured
from autoscaler.learning.backtest.candidates import ENGINE
from autoscaler.learning.backtest.pooled import Measured
from autoscaler.learning.backtest.run import BASELINE, Effort
from tests.bench.forecast.aims import aims
from tests.bench.forecast.listed import DAYS, LISTED, Listed, absent, load
from tests.bench.forecast.page import Case, Told, page

ROOT: Final = Path(__file__).resolve().parents[2]
HORIZON_S: Final = 3600.0
RIVALS: Final = ("ets", "theta", "prophet")
MODELS: Final = (ENGINE, BASELINE, *RIVALS)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "benchmarks")
    parser.add_argument("--scratch", type=Path, default=ROOT / "out" / "bench-forecast")
    parser.add_argument("--only", nargs="+", choices=[one.name for one in LISTED], help="these loads alone")
    parser.add_argument("--workers", type=int, default=1, help="processes for library models")
    asked = parser.parse_args(arguments)
    listed = tuple(one for one in LISTED if not asked.only or one.name in asked.only)
    if gone := absent(asked.data, listed):
        for path in gone:
            print(f"{path} is missing: the benchmark cannot be made without it (--data DIR)", file=sys.stderr)
        return 2
    choice = chosen(MODELS)
    for name, why in choice.missing.items():
        print(f"!!! {name} does not take part: {why}", file=sys.stderr, flush=True)
    began = time.monotonic()
    cases = [_case(asked.data, one, choice, asked.workers) for one in listed]
    found = aims([case.measured for case in cases], RIVALS, cases[0].levels)
    told = Told(f"{datetime.now(UTC):%Y-%m-%d}", _commit(), time.monotonic() - began, DAYS, HORIZON_S, choice.missing)
    docs = asked.scratch if asked.only else asked.docs
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "forecast.md").write_text(page(cases, found, told), encoding="utf-8")
    print(f"{docs / 'forecast.md'}: {len(cases)} series, {time.monotonic() - began:.0f} s")
    for aim in found:
        print(f"{'reached' if aim.reached else 'MISSED '}  {aim.words}: {aim.found}")
    return 0 if all(aim.reached for aim in found) else 1


def _case(data: Path, one: Listed, choice: Choice, workers: int) -> Case:
    trace = load(data, one)
    began = time.monotonic()
    (tested,) = run_backtests(
        (trace,), choice, Terms((HORIZON_S,), decisions=False, effort=Effort(workers=workers))
    )  # fmt: skip
    case = _told(tested, one.source)
    print(f"{time.monotonic() - began:6.0f} s  {one.name}: {_line(case.measured)}", flush=True)
    for (_, model), why in tested.backtest.lost.items():
        print(f"          {one.name}: {model} has no figures: {why}", file=sys.stderr, flush=True)
    return case


def _told(tested: Tested, source: str) -> Case:
    plan = tested.backtest.plan
    origins = int(tested.backtest.horizons[0].scored.common[tested.row].sum())
    return Case(measured(tested, source, 0), plan.levels, plan.step_s, plan.every * plan.step_s, origins)


def _line(found: Measured) -> str:
    return ", ".join(
        f"{name} {f.relative:.3f}" for name, f in found.figures.items() if f is not None and f.relative is not None
    )  # fmt: skip


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(("git", "-C", str(ROOT), *words), capture_output=True, text=True, check=False).stdout

    parts = ("autoscaler/learning", "autoscaler/forecasting", "autoscaler/domain", "tests/bench/forecast")
    changed = git("status", "--porcelain", "--", *parts)
    return (git("rev-parse", "--short", "HEAD").strip() or "unknown") + (" with changes" if changed else "")


if __name__ == "__main__":
    sys.exit(main())
