"""What one tick and one simulated step cost: `make bench`.

States the budgets of docs/performance.md as ratios measured in one run, and fails when one is missed. Timings
are of one core; numpy's BLAS is not used by the pipeline.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Panel, SeriesBatch, time_of
from autoscaler.domain.workload import Actuation, Demand, Lead, Mode, Target, Workload, WorkloadRef
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.tick import Pipeline
from autoscaler.simulator.cluster import MemoryCluster
from autoscaler.simulator.metrics import MemoryMetrics
from autoscaler.simulator.run import Recording, Run
from autoscaler.simulator.shop import shop_load, shop_window

STEP_S = 60
MONTH = 43_200


class Nowhere:
    """A decision writer that keeps nothing."""

    def append(self, decisions: Decisions) -> None: ...


@dataclass(frozen=True, slots=True)
class Claim:
    words: str
    measured: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.measured <= self.limit


def fleet_of(lanes: int, actuation: Actuation) -> Fleet:
    return Fleet(
        tuple(
            Workload(
                ref=WorkloadRef("bench", f"w{i}"),
                target=Target("apps/v1", "Deployment", f"w{i}"),
                demands=(Demand("requests", "bench", f"q{i}", 45.0),),
                min_replicas=1,
                max_replicas=200,
                lead=Lead(60.0 * (1 + i % 5)),
                mode=Mode.ACT,
                actuation=actuation,
            )
            for i in range(lanes)
        )
    )


def demand_of(lanes: int, steps: int) -> np.ndarray:
    """[lane, step]: the shop's weeks, scaled and shifted by lane."""
    load = shop_load(shop_window().first_step, 8 * 10080).demand
    shift = np.arange(lanes) * 37 % 10080
    return np.stack([np.resize(load[s:], steps) * (0.5 + s / 10080) for s in shift.tolist()])


def simulate(lanes: int, warm: int, steps: int) -> float:
    """Seconds for `steps` simulated steps of `lanes` lanes, forecast refits and cluster twin included."""
    fleet = fleet_of(lanes, Actuation.SCALE)
    first = shop_window().first_step
    panel = Panel.of(SeriesBatch.judge(STEP_S, first, demand_of(lanes, warm + steps)))
    start = np.full(lanes, 10, dtype=np.int64)
    cluster = MemoryCluster(fleet, STEP_S, np.zeros(lanes, dtype=np.bool_), start)
    run = Run(
        fleet=fleet, recording=Recording(panel, panel), cluster=cluster, first_step=first + warm,
        end_step=first + warm + steps, server=PeakServer(serving_models()), guards=CHAIN,
    )  # fmt: skip
    began = time.process_time()
    run.finish()
    return time.process_time() - began


def live_ticks(lanes: int, ticks: int) -> tuple[float, list[float]]:
    """Seconds of the first tick (history and calibration of all) and of each one after it."""
    fleet = fleet_of(lanes, Actuation.HPA_FLOOR)
    first = shop_window().first_step
    history_steps = 9 * 1440
    series = demand_of(lanes, history_steps + ticks)
    metrics = MemoryMetrics(STEP_S, first, {f"q{i}": series[i] for i in range(lanes)})
    cluster = MemoryCluster(fleet, STEP_S, np.ones(lanes, dtype=np.bool_), np.full(lanes, 10, dtype=np.int64))
    pipeline = Pipeline(
        metrics, cluster, Nowhere(), History(STEP_S, history_steps), PeakServer(serving_models()), CHAIN
    )
    taken = []
    for k in range(ticks):
        now = time_of(first + history_steps + k, STEP_S)
        began = time.process_time()
        pipeline.tick(fleet, now)
        taken.append(time.process_time() - began)
    return taken[0], taken[1:]


def late_data(lanes: int) -> float:
    """Most seconds of a tick while the data's delay flips at every step, after both delays were met once."""
    fleet, first, history_steps, ticks = fleet_of(lanes, Actuation.HPA_FLOOR), shop_window().first_step, 9 * 1440, 30
    series = demand_of(lanes, history_steps + ticks)
    metrics = MemoryMetrics(STEP_S, first, {f"q{i}": series[i] for i in range(lanes)})
    cluster = MemoryCluster(fleet, STEP_S, np.ones(lanes, dtype=np.bool_), np.full(lanes, 10, dtype=np.int64))
    pipeline = Pipeline(
        metrics, cluster, Nowhere(), History(STEP_S, history_steps), PeakServer(serving_models()), CHAIN
    )
    taken = []
    for k in range(ticks):
        metrics.data_delay_steps = k % 2
        began = time.process_time()
        pipeline.tick(fleet, time_of(first + history_steps + k, STEP_S))
        taken.append(time.process_time() - began)
    return max(taken[4:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps and lanes, no verdict")
    quick = parser.parse_args().quick
    share = 10 if quick else 1
    print(f"{datetime.now(UTC):%Y-%m-%d}, numpy {np.__version__}, processor seconds of one core", flush=True)

    month = simulate(1, 15 * 1440, MONTH // share)
    per_step = month / (MONTH // share) * 1e6
    print(f"one lane, {MONTH // share} steps of 1 min: {month:.1f} s, {per_step:.0f} µs a step", flush=True)

    steps = 2880 // share
    wide = simulate(200, 15 * 1440, steps)
    wide_step = wide / steps * 1e6
    print(f"200 lanes, {steps} steps: {wide:.1f} s, {wide_step:.0f} µs a step", flush=True)

    lanes = 10_000 // share
    first, later = live_ticks(lanes, 22)
    middle, worst = float(np.median(later)), max(later)
    jumps = late_data(2_000 // share)
    print(
        f"{2_000 // share} lanes whose data is late by 0, 1, 0, 1 … steps: {jumps:.2f} s at most after the first turns"
    )
    print(f"{lanes} lanes live: first tick {first:.1f} s, then {middle:.2f} s in the middle, {worst:.2f} s at most")

    claims = [
        Claim("one lane, 43,200 steps under 20 s", month * share, 20.0),
        Claim("200 lanes cost at most 8 × one lane per step", wide_step / per_step, 8.0),
        Claim("10,000 lanes, one tick under 1 s", middle * share, 1.0),
        Claim("10,000 lanes, a tick with a turn of refits under 1 s", worst * share, 1.0),
    ]
    for claim in claims:
        print(f"{'ok  ' if claim.holds else 'MISS'} {claim.words}: {claim.measured:.2f}")
    return 0 if quick or all(c.holds for c in claims) else 1


if __name__ == "__main__":
    sys.exit(main())
