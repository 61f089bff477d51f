"""S08, D05 under policies: a poisoned history can ask for so much only, and a tolerance stops small moves."""

import numpy as np
import pytest

from autoscaler.bootstrap.lanes import side_by_side
from autoscaler.bootstrap.worlds import World
from autoscaler.domain.policy import Guarded, Trust
from autoscaler.domain.workload import Actuation, Demand, Lead, ScalingRule, Target, Workload, WorkloadRef

FIRST, STEP_S = 5_800_000, 300
DAY = 86_400 // STEP_S


def granted(demand: np.ndarray, step_s: int = STEP_S, **changes: object) -> np.ndarray:
    """What is granted at each step to one workload under Scale of which a replica serves ten."""
    load = Workload(
        WorkloadRef("shop", "w"), Target("apps/v1", "Deployment", "w"), (Demand("d", "p", "q", 10.0),), 1, 500,
        Lead(60.0), actuation=Actuation.SCALE, **changes,  # type: ignore[arg-type]
    )  # fmt: skip
    (lane,) = side_by_side(step_s, FIRST, demand[np.newaxis], [load], World())
    return np.asarray(lane.granted)


def poisoned(days: int = 14) -> tuple[np.ndarray, slice]:
    """An hour of each night asks for ever more, until the attack stops; and that hour of the last night."""
    t = np.arange((days + 1) * DAY)
    demand = 100.0 + 20 * np.sin(2 * np.pi * t / DAY)
    hour = slice(3 * DAY // 24, 4 * DAY // 24)
    for day in range(days):
        demand[day * DAY + hour.start : day * DAY + hour.stop] *= 1 + day
    return demand, slice(days * DAY + hour.start, days * DAY + hour.stop)


@pytest.mark.slow
def test_S08_after_a_drift_of_fourteen_days_a_forecast_asks_for_no_more_than_policy_believes() -> None:
    demand, night = poisoned()
    quick = ScalingRule()
    free = granted(demand, scale_down=quick)[night]
    need = int(np.ceil(demand[night] / 10).max())
    assert free.max() > 3 * need, "the attack works without the policy, or this test shows nothing"
    bounded = granted(demand, scale_down=quick, guarded=Guarded(trust=Trust(over=2.0)))[night]
    assert bounded.max() <= 2 * need + 1
    assert (bounded >= np.ceil(np.roll(demand, 1)[night] / 10)).all()  # and never below what is needed


def test_D05_within_its_tolerance_a_workload_does_not_move_at_all() -> None:
    t = np.arange(24 * 60)
    wobble = 205 + 8 * np.sin(2 * np.pi * t / 37)
    moves = []
    for tolerance in (0.0, 0.15):
        rule = ScalingRule(tolerance=tolerance)
        settled = granted(wobble, 60, scale_up=rule, scale_down=rule)[12 * 60 :]
        moves.append(int((np.diff(settled) != 0).sum()))
        assert (settled * 10 >= np.roll(wobble, 1)[12 * 60 :]).all()
    assert moves[0] > 20
    assert moves[1] <= 2
