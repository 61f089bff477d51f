"""A load with a sharp rise at the same minutes each day: the plan that keeps what is usual costs less, and serves."""

from collections.abc import Callable

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import ForesightAt
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.workload import ScalingRule
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState

STEPS, EACH, RISK = 900, 40, 0.01


def test_what_comes_each_day_is_kept_from_usual_days_once_that_costs_less(
    make_fleet: Callable[..., Fleet], make_seen: Callable[..., ForesightAt]
) -> None:
    """Lane 0 rises above its Q.95 at usual steps, lane 1 at others, of lane 2 nothing usual is known; each at one step
    in forty, which is two and a half times the risk.
    """
    fleet = make_fleet(lanes=3, risk=RISK, scale_down=ScalingRule())
    state, known, count = LoopState.fresh(fleet, 300), np.ones(3, dtype=np.bool_), np.full(3, 5)
    rises, late = np.array([0, 20, 20]), fleet.lead_steps(300)
    sizes, margins = [], []
    for step in range(STEPS):
        before = np.where((step - 1) % EACH == rises, 300.0, 100.0)
        usual = 300.0 if step % EACH in {EACH - 1, 0} else 100.0
        seen = make_seen(
            fleet, step, before, 200.0, step_s=300, lead_steps=late, usual=np.array([usual, usual, np.nan])
        )
        status = ReplicaStatus(known, count, count, count, np.full(3, 1000))
        decisions, state = decide(fleet, seen, status, state, (), now_s=300.0 * step)
        sizes.append(decisions.wanted.tolist())
        margins.append(decisions.margin.tolist())
    assert state.twofold.serves.tolist() == [1, 0, 0]
    assert state.twofold.cost[1, 0] < state.twofold.cost[0, 0]
    assert state.twofold.short[1, 0] < RISK < state.twofold.short[0, 0]
    np.testing.assert_array_equal(state.twofold.second.log_margin[2], state.margin.log_margin[2])
    assert margins[-1][0] < 1.05 < margins[-1][2], "without misses its margin came down"
    last = np.array(sizes[-EACH:])
    assert last[10, 0] < last[10, 2], "it need not be ready for a rise all day"
    assert last[:, 0].max() >= 25 > last[:, 0].min(), "only where it comes"
