"""The clairvoyant bound against its definition, and writes that take effect later."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.workload import Actuation, Lead
from autoscaler.simulator.clairvoyant import UNOBSERVED, clairvoyant, held
from autoscaler.simulator.cluster import MemoryCluster
from autoscaler.simulator.postponed import PostponedCluster


@given(st.lists(st.integers(UNOBSERVED, 9), max_size=40), st.integers(0, 50))
def test_the_bound_is_the_largest_need_of_this_and_the_next_lead_steps(needed, lead):
    known = held(np.array(needed, dtype=np.int64))
    bound = clairvoyant(np.array(needed, dtype=np.int64), lead)
    assert bound.tolist() == [known[t : t + lead + 1].max() for t in range(len(needed))]


def test_unobserved_needs_hold_the_last_value():
    assert held(np.array([-1, 3, -1, -1, 0, -1])).tolist() == [0, 3, 3, 3, 0, 0]


def test_a_negative_lead_is_refused():
    with pytest.raises(ValueError, match="zero or more"):
        clairvoyant(np.array([1]), -1)


def _played(fleet: Fleet, delay: int, asked: dict[int, int], steps: int = 8) -> tuple[list[int], list[int]]:
    inner = MemoryCluster(fleet, 60, np.array([False]), np.array([3]))
    cluster = PostponedCluster(inner, delay)
    ready, desired = [], []
    for step in range(steps):
        cluster.begin()
        requests = (ScaleRequest(0, asked[step], (step + 2) * 60.0, 3),) if step in asked else ()
        cluster.apply(fleet, requests, step * 60.0)
        ready.append(int(inner.ready[0]))
        desired.append(int(cluster.observe(fleet).desired[0]))
    return ready, desired


def test_a_postponed_write_is_seen_at_once_and_takes_effect_later(make_fleet: Callable[..., Fleet]):
    fleet = make_fleet(lanes=1, actuation=Actuation.SCALE, lead=Lead(120.0))
    assert _played(fleet, 0, {1: 5, 5: 2})[0] == [3, 3, 3, 5, 5, 2, 2, 2]
    ready, desired = _played(fleet, 2, {1: 5, 5: 2})
    assert ready == [3, 3, 3, 3, 3, 5, 5, 2]
    assert desired == [3, 5, 5, 5, 5, 2, 2, 2]


def test_a_negative_delay_is_refused(make_fleet: Callable[..., Fleet]):
    fleet = make_fleet(lanes=1)
    with pytest.raises(ValueError, match="zero or more steps"):
        PostponedCluster(MemoryCluster(fleet, 60, np.array([False]), np.array([3])), -1)
