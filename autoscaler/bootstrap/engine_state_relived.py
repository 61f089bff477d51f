"""Margins out of the demand that we keep, for a start without the loop's state: the last days are lived through again.

The same `foresee` and `decide` as in a tick, once per step, over a cluster that gives what is wanted at once. What the
loop wanted in that life was never asked of anybody, so margins alone are taken from it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autoscaler.bootstrap.past import Past
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.series import Panel
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.contract import QuantileForecaster
from autoscaler.forecasting.serving import PeakServer
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.foresee import foresee
from autoscaler.pipeline.state import LoopState

MOST_S, LEAST_S = 2 * 86_400, 6 * 3600
MOST_POINTS = 300_000
"""Rows times steps that a start lives through: about ten seconds of one core."""
BLOCK_STEPS = 360


def lived_again(
    past: Past, fleet: Fleet, now_step: int, start: QuantileForecaster | None = None
) -> tuple[LoopState | None, str]:
    """A state with margins from kept demand, or None, and in words what was done. Never raises: a start goes on."""
    first = "margins begin at the first one"
    step_s, rows = past.history.step_s, len(fleet.demands)
    steps = steps_to_relive(rows, step_s)
    if steps == 0:
        return None, f"{rows} demands are too many to live their kept days through again: {first}"
    server = PeakServer(serving_models(), start=start)
    before = server.history_steps(step_s, int(fleet.lead_steps(step_s).max(initial=0)))
    try:
        demand = past.kept(fleet, now_step, steps + before)
        if demand is None:
            return None, f"no demand is kept that could be lived through again: {first}"
        steps = min(steps, demand.end_step - demand.first_step)
        state = relived(demand, fleet, server, steps)
    except Exception as why:  # noqa: BLE001 - whatever is in the store, it must not stop a start
        return None, f"kept demand could not be lived through again ({type(why).__name__}: {why}): {first}"
    return state, f"margins come from {steps * step_s / 3600:.0f} h of kept demand"


def steps_to_relive(rows: int, step_s: int) -> int:
    """How many of the newest steps a start can afford; 0 when that would be too little to learn from."""
    steps = min(MOST_S // step_s, MOST_POINTS // max(1, rows))
    return steps if steps * step_s >= LEAST_S else 0


def relived(demand: Panel, fleet: Fleet, server: PeakServer, steps: int) -> LoopState:
    """A fresh state with the margins that `steps` steps up to the end of `demand` teach.

    demand: rows as in fleet.demands, with the history before those steps that forecasts need.
    """
    step_s, end = demand.step_s, demand.end_step
    state = LoopState.fresh(fleet, step_s)
    known = np.ones(len(fleet), dtype=np.bool_)
    ceiling = np.full(len(fleet), NO_LIMIT, dtype=np.int64)
    count = fleet.min_replicas
    for low in range(end - steps, end, BLOCK_STEPS):
        origins = min(BLOCK_STEPS, end - low)
        foresight = foresee(demand, fleet, server, low, origins=origins)
        for origin in range(origins):
            status = ReplicaStatus(known, count, count, count, ceiling)
            now_s = float((low + origin) * step_s)
            decisions, state = decide(fleet, foresight.at(origin), status, state, (), now_s=now_s)
            count = np.minimum(decisions.granted, NO_LIMIT)
    twofold = replace(state.twofold, second=state.twofold.second.unasked())
    return LoopState.fresh(fleet, step_s).learned(state.margin.unasked(), twofold)
