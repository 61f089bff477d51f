"""What judging one workload costs: 30 days at one minute, ours and every rival at its defaults: `make bench`.

    nice -n 15 .venv/bin/python tests/bench/bench_simulate.py

States processor seconds of one core, into which waiting does not count, and fails when a budget is missed. The load is
the synthetic shop's. `--ladders` measures the rivals over their whole ladders too, as `foresail report` runs them.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime

import numpy as np
from threadpoolctl import threadpool_limits

from autoscaler.adapters.traces import Trace
from autoscaler.bootstrap.comparing import setting_of
from autoscaler.bootstrap.simulate import Outcome, derived_capacity, simulate, typed_workload, warm_steps
from autoscaler.bootstrap.worlds import World
from autoscaler.domain.workload import Actuation
from autoscaler.simulator.comparison import entries_and_ladders
from autoscaler.simulator.figures import Asked
from autoscaler.simulator.rivals.contract import DEFAULT_TARGET, TARGETS
from autoscaler.simulator.shop import shop_load, shop_window

STEP_S, DAYS, WARM_DAYS = 60, 30, 7
LEAD_S, RISK = 180.0, 0.005
OURS_S = {Actuation.SCALE: 20.0, Actuation.HPA_FLOOR: 20.0}
RIVALS_S = 60.0


def month() -> Trace:
    load = shop_load(shop_window().first_step, DAYS * 1440)
    return Trace("SYNTHETIC shop", load.step_s, load.first_step, np.array(load.seen))


def ours(trace: Trace, actuation: Actuation) -> tuple[Outcome, float]:
    """With its cost, in processor seconds: reading and forecasts and decisions and figures."""
    world = World(warmup_s=WARM_DAYS * 86_400.0)
    capacity = derived_capacity(trace, warm_steps(trace, world))
    workload = typed_workload(capacity, lead_s=LEAD_S, risk=RISK, actuation=actuation)
    began = time.process_time()
    outcome = simulate(trace, workload, world)
    return outcome, time.process_time() - began


def rivals(trace: Trace, outcome: Outcome, knobs: tuple[float, ...]) -> tuple[int, float]:
    """How many there are and what they cost, in processor seconds."""
    load, world = outcome.workload, World(warmup_s=WARM_DAYS * 86_400.0)
    setting = setting_of(load, world, trace.step_s)
    asked = Asked(setting.lead, load.risk, load.min_replicas)
    began = time.process_time()
    found = list(
        entries_and_ladders(outcome.served, asked, outcome.log.seen, setting, most=load.max_replicas, knobs=knobs)
    )
    return len(found), time.process_time() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ladders", action="store_true")
    whole = parser.parse_args().ladders
    trace = month()
    print(f"{datetime.now(UTC):%Y-%m-%d}, numpy {np.__version__}, processor seconds of one core", flush=True)
    print(f"{DAYS} days at {STEP_S} s ({len(trace.values):,} steps), lead {LEAD_S:g} s, risk {RISK:.1%}")
    held = True
    outcomes = []
    for actuation, budget in OURS_S.items():
        outcome, spent = ours(trace, actuation)
        outcomes.append(outcome)
        held &= told(f"Foresail, {actuation.value}", spent, budget)
    count, spent = rivals(trace, outcomes[0], (DEFAULT_TARGET,))
    held &= told(f"{count} rivals at their defaults", spent, RIVALS_S)
    if whole:
        count, spent = rivals(trace, outcomes[0], TARGETS)
        print(f"     {count} rivals over their whole ladders: {spent:.1f} s (no budget)")
    return 0 if held else 1


def told(words: str, spent: float, budget: float) -> bool:
    print(f"{'ok  ' if spent <= budget else 'MISS'} {words}: {spent:.1f} s (budget {budget:g} s)", flush=True)
    return spent <= budget


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        sys.exit(main())
