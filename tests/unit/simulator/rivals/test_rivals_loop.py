"""The fast closed loop against the general HPA, the cluster twin, and cases worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.workload import Demand, Lead, Target, Workload, WorkloadRef
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster
from autoscaler.simulator.rivals import World
from autoscaler.simulator.rivals.contract import last_known
from autoscaler.simulator.rivals.hpa import Hpa, hpas_requested, percents, plain_loop
from autoscaler.simulator.rivals.loop import Lanes, closed_loop
from autoscaler.simulator.rivals.score import ready

CAPACITY = 10.0
TARGETS = np.array([20, 50, 70, 95, 106])


def world(lead=3, step_s=60, **changes) -> World:
    return World(step_s, 0, CAPACITY, lead, **({"most": 300} | changes))


def bursts(steps: int, seed: int) -> np.ndarray:
    """Levels that stay, ramp, jump and vanish: what moves an HPA."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.choice([0, 3, 40, 120, 900], size=steps), rng.integers(1, 9, size=steps))[:steps]
    demand = level * rng.uniform(0.9, 1.1, steps)
    demand[: rng.integers(0, 4)] = np.nan
    return demand


@given(
    st.integers(0, 10**6), st.integers(0, 6), st.sampled_from([(60, 300), (60, 900), (30, 300), (300, 300), (15, 60)])
)
@settings(max_examples=30, deadline=None)
def test_the_fast_loop_asks_exactly_what_the_general_hpa_asks(seed, lead, steps):
    step_s, down_s = steps
    known, where = last_known(bursts(120, seed)), world(lead, step_s)
    fast = closed_loop(known, where, Lanes(TARGETS, (down_s,)))
    assert np.array_equal(fast, plain_loop(known, where, TARGETS, down_s))


@pytest.mark.parametrize("lead", [0, 1, 3])
def test_the_loop_is_the_cluster_twins(lead):
    demand = bursts(200, 5)
    work = Workload(
        ref=WorkloadRef("n", "w"), target=Target("apps/v1", "Deployment", "w"),
        demands=(Demand("d", "s", "q", CAPACITY),), min_replicas=1, max_replicas=300, lead=Lead(ready_s=60.0 * lead),
    )  # fmt: skip
    one = np.array([1], dtype=np.int64)
    twin = MemoryCluster(Fleet((work,)), 60, np.array([True]), one, ClusterSettings(hpa_target=70))
    asked = Hpa(300, (0.7,)).requested(demand, world(lead))
    served, running = [], []
    for step, known in enumerate(last_known(demand)):
        twin.begin()
        twin.sync_hpas(60.0 * step, np.array([known]))
        served.append(int(twin.ready[0]))
        running.append(int(twin.desired[0]))
    assert asked[0].tolist() == running
    assert ready(asked, lead)[0].tolist() == served


def test_windows_side_by_side_are_one_after_another():
    demand = bursts(300, 2)
    together = hpas_requested(demand, world(), (300, 900), (0.5, 0.7))
    alone = [Hpa(s, (0.5, 0.7)).requested(demand, world()) for s in (300, 900)]
    assert np.array_equal(together, np.concatenate(alone))


def test_a_window_that_is_no_whole_step_takes_the_general_way():
    demand = bursts(60, 3)
    slow = Hpa(300, (0.7,)).requested(demand, world(step_s=70))
    assert np.array_equal(slow, plain_loop(last_known(demand), world(step_s=70), percents((0.7,)), 300))
    with pytest.raises(ValueError, match="whole steps"):
        closed_loop(last_known(demand), world(step_s=70), Lanes(percents((0.7,))))


def test_an_hpa_by_hand():
    """70 requests/s at 10 per replica and a target of 70 %: ten replicas, up by 4 and doublings, down after 300 s."""
    demand = np.concatenate((np.full(4, 7.0), np.full(6, 70.0), np.full(10, 7.0)))
    asked = Hpa(300, (0.7,)).requested(demand, world(lead=0))[0]
    assert asked[:5].tolist() == [1] * 5  # what is known at step 4 is step 3
    assert asked[5] == 10
    assert (asked[5:15] == 10).all()  # the last high recommendation is in the window until 300 s have passed
    assert asked[15:].tolist() == [1] * 5


def test_pods_that_start_are_idle_against_a_rise():
    """One ready pod at 700 % asks for 10; while nine start, those count as idle and nothing more is asked for."""
    demand = np.concatenate((np.full(2, 7.0), np.full(8, 70.0)))
    asked = Hpa(300, (0.7,)).requested(demand, world(lead=5))[0]
    assert asked.tolist() == [1, 1, 1] + [10] * 7


def test_a_second_demand_wins_where_it_is_larger():
    known = np.full(6, 7.0)
    ahead = np.array([np.nan, 7, 210, 210, np.nan, np.nan])
    asked = closed_loop(known, world(lead=0), Lanes(np.array([70])), ahead=ahead)[0]
    assert asked.tolist() == [1, 1, 30, 30, 30, 30]
    assert closed_loop(known, world(lead=0), Lanes(np.array([70])), ahead=np.full(6, np.nan))[0].tolist() == [1] * 6


def test_unequal_groups_are_refused():
    with pytest.raises(ValueError, match="equal groups"):
        closed_loop(np.ones(3), world(), Lanes(np.array([50, 60, 70]), (300, 600)))
