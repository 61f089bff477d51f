"""What forecasts cost for 10,000 workloads at 1-minute steps: `make bench-fleet`, or

    nice -n 15 .venv/bin/python -m tests.bench.bench_fleet [--lanes N] [--sample N] [--scratch DIR]

Fifteen days of history of all of them stand in memory as float32. Measured: a forecast refresh of all rows with warm
fits, one with its turn of refits, one refit of all rows, the most memory, and a loop over statsmodels' ETS for a few
of the series in the same run. Exit codes: 0 every aim is reached, 1 one is missed (the page is written and says which).
With fewer lanes than 10,000 the page goes below --scratch and nothing is judged: part of a benchmark is none.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer, Rows
from autoscaler.simulator.shop import shop_load, shop_window

Answer = TypeVar("Answer")
ROOT: Final = Path(__file__).resolve().parents[2]
LANES: Final = 10_000
STEP_S: Final = 60
DAYS: Final = 15
WEEK: Final = 10_080
REFRESH_S, REFIT_S, MEMORY_MIB = 1.5, 60.0, 1024.0
SAMPLE: Final = 5
LIBRARY_STEP: Final = 5
"""Steps whose mean is a point for the library: its daily season at one minute would be 1,440 states."""
LIBRARY_POINTS: Final = 2016


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of this process's processor time, and by the clock."""

    processor_s: float
    clock_s: float


@dataclass(frozen=True, slots=True)
class Measures:
    """warm: a refresh of all, fits at hand. turn: at the next step, with the refits that fall due. cold: all refitted
    and asked. memory_mib: the most that was resident before statsmodels was loaded. ets_each_s: of one series' ETS fit
    and path, in the median.
    """

    lanes: int
    groups: int
    served: float
    warm: Taken
    turn: Taken
    cold: Taken
    memory_mib: float
    panel_mib: float
    turns_a_day: int
    ets_each_s: float
    sample: int


@dataclass(frozen=True, slots=True)
class Aim:
    words: str
    measured: float
    limit: float

    @property
    def reached(self) -> bool:
        return self.measured <= self.limit


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, default=LANES)
    parser.add_argument("--sample", type=int, default=SAMPLE, help="series that ETS is fitted to")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "benchmarks")
    parser.add_argument("--scratch", type=Path, default=ROOT / "out" / "bench-fleet")
    asked = parser.parse_args(arguments)
    whole = asked.lanes == LANES
    found = measure(asked.lanes, asked.sample)
    judged = aims(found) if whole else ()
    docs = asked.docs if whole else asked.scratch
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "fleet.md").write_text(page(found, judged, f"{datetime.now(UTC):%Y-%m-%d}", _commit()), encoding="utf-8")
    print(f"{docs / 'fleet.md'}")
    for aim in judged:
        print(f"{'reached' if aim.reached else 'MISSED '}  {aim.words}: {aim.measured:,.2f}")
    return 0 if all(aim.reached for aim in judged) else 1


def measure(lanes: int, sample: int) -> Measures:
    values = demand(lanes)
    first = shop_window().first_step
    panel = Panel(STEP_S, first, values, np.empty((0, 0), dtype=np.uint8))  # float32 on purpose
    plan = CalibrationPlan()
    server = PeakServer(serving_models(), plan)
    rows = Rows.punctual([f"bench/w{i}" for i in range(lanes)], 2 + np.arange(lanes, dtype=np.int64) % 5)
    origin: Ints = np.array([first + values.shape[1] - 1], dtype=np.int64)
    _, cold = _timed(lambda: server.forecast(panel, rows, origin))
    print(f"{lanes} lanes, all refitted and asked: {cold.processor_s:.1f} s", flush=True)
    again = [_timed(lambda: server.forecast(panel, rows, origin)) for _ in range(5)]
    warm = sorted((taken for _, taken in again), key=lambda t: t.processor_s)[2]
    print(f"warm refresh: {warm.processor_s:.2f} s", flush=True)
    peaks, turn = _timed(lambda: server.forecast(panel, rows, origin + 1))
    print(f"next step, with its turn of refits: {turn.processor_s:.2f} s", flush=True)
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(f"most memory: {memory_mib:,.0f} MiB, of which {values.nbytes / 2**20:,.0f} MiB history", flush=True)
    ets_each_s = library_loop(values, sample, first)
    print(f"ETS of statsmodels, one series: {ets_each_s:.2f} s", flush=True)
    groups = len({(phase, team.lead) for team in server._grouped(STEP_S, rows) for phase in team.phases.tolist()})
    return Measures(
        lanes, groups, float(peaks.present.mean()), warm, turn, cold, memory_mib, values.nbytes / 2**20,
        86400 // plan.period_s, ets_each_s, sample,
    )  # fmt: skip


def demand(lanes: int) -> np.ndarray:
    """[lane, step], float32: the synthetic shop's weeks with their lost scrapes, scaled and shifted by lane."""
    load: Floats = shop_load(shop_window().first_step, 8 * WEEK).seen
    steps = DAYS * 86400 // STEP_S
    values = np.empty((lanes, steps), dtype=np.float32)
    for lane in range(lanes):
        shift = lane * 37 % WEEK
        values[lane] = np.resize(load[shift:], steps) * (0.5 + shift / WEEK)
    return values


def library_loop(values: np.ndarray, sample: int, first_step: int) -> float:
    """Median processor seconds of one series in a loop over series: statsmodels' ETS fitted to a week of five-minute
    means and asked for an hour.
    """
    from threadpoolctl import threadpool_limits

    from autoscaler.learning.backtest.paths import coarse, filled
    from autoscaler.learning.backtest.references import Ets, Known

    season = 86400 // STEP_S // LIBRARY_STEP
    taken = []
    with threadpool_limits(limits=1):
        for lane in np.linspace(0, len(values) - 1, sample + 1).astype(int).tolist():
            points = filled(coarse(values[lane].astype(np.float64), LIBRARY_STEP), season)[-LIBRARY_POINTS:]
            known = Known(points, season, (first_step + values.shape[1]) // LIBRARY_STEP, STEP_S * LIBRARY_STEP)
            model = Ets()
            began = time.process_time()
            path = model.path(model.fit(known, 12), known, 12)
            taken.append(time.process_time() - began)
            if not np.isfinite(path).all():
                raise AssertionError(f"ETS of lane {lane} answered {path}")
    return float(np.median(taken[1:]))  # the first one loads the library


def aims(found: Measures) -> tuple[Aim, ...]:
    return (
        Aim(f"forecast refresh of all, processor seconds, at most {REFRESH_S:g}", found.warm.processor_s, REFRESH_S),
        Aim(f"one refit of all, processor seconds, at most {REFIT_S:g}", found.cold.processor_s, REFIT_S),
        Aim(f"most memory, MiB, at most {MEMORY_MIB:g}", found.memory_mib, MEMORY_MIB),
    )


def page(found: Measures, judged: Sequence[Aim], date: str, commit: str) -> str:
    loop_s = found.ets_each_s * found.lanes
    missed = [aim.words for aim in judged if not aim.reached]
    verdict = f"**Missed: {'; '.join(missed)}.**" if missed else "Every aim is reached." if judged else "Not judged."
    rows = "\n".join(
        f"| {aim.words} | {aim.measured:,.2f} | {'reached' if aim.reached else '**missed**'} |" for aim in judged
    )
    day_s = found.cold.processor_s * found.turns_a_day
    return f"""# Fleet: forecasts of many workloads at once

{found.lanes:,} workloads at steps of {STEP_S} s, {DAYS} days of history in memory (float32, \
{found.panel_mib:,.0f} MiB), five lead times, {found.groups} groups of one refit turn and lead. \
`make bench-fleet`, {date}, commit {commit}. \
Seconds are of one core; the load is SYNTHETIC.

{verdict}

| aim | measured | |
|---|--:|---|
{rows}

| what | processor s | by the clock, s |
|---|--:|--:|
| forecast refresh of all rows, fits at hand (median of 5) | {found.warm.processor_s:.2f} | {found.warm.clock_s:.2f} |
| the next step's, with the refits that fall due then | {found.turn.processor_s:.2f} | {found.turn.clock_s:.2f} |
| every row refitted and asked, as after a start | {found.cold.processor_s:.1f} | {found.cold.clock_s:.1f} |
| all refits of a day: each row {found.turns_a_day} times, every {24 / found.turns_a_day:g} h | {day_s:,.0f} | |

- {found.served:.2%} of the rows have a forecast. Most memory resident: {found.memory_mib:,.0f} MiB, read before \
statsmodels is loaded. The history of a running service also keeps a verdict for each step and doubles: it is larger.
- The aim speaks of one refit of each row a day. The serving plan refits each row {found.turns_a_day} times a day \
(in its first day every {CalibrationPlan().refit_s / 3600:g} h), some rows at a time, so a day's refits cost \
{found.turns_a_day} × that: {day_s / 86400:.1%} of one core.
- A refit calibrates seven forecasters on seven days of errors, three of them twice: by minute of the \
hour too.
- A loop over the series with statsmodels' ETS (additive, damped, daily season, {LIBRARY_POINTS:,} points of \
{LIBRARY_STEP} minutes, one fit and one path) takes {found.ets_each_s:.2f} s a series (median of {found.sample}). \
For {found.lanes:,} series that is {loop_s:,.0f} s, **extrapolated, not run**: \
{loop_s / found.cold.processor_s:,.0f} × our refit of all, {loop_s / found.warm.processor_s:,.0f} × our refresh. \
ETS gives a mean path without calibrated quantiles.
"""


def _timed(work: Callable[[], Answer]) -> tuple[Answer, Taken]:
    processor, clock = time.process_time(), time.perf_counter()
    answer = work()
    return answer, Taken(time.process_time() - processor, time.perf_counter() - clock)


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(("git", "-C", str(ROOT), *words), capture_output=True, text=True, check=False).stdout

    changed = git("status", "--porcelain", "--", "autoscaler/forecasting", "autoscaler/domain")
    return (git("rev-parse", "--short", "HEAD").strip() or "unknown") + (" with changes" if changed else "")


if __name__ == "__main__":
    sys.exit(main())
