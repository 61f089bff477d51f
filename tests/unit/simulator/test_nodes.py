"""Nodes under the cluster twin, worked by hand: who waits, for how long, and when a node goes."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.workload import Actuation, Lead
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster
from autoscaler.simulator.nodes import NodePool, NodeSettings

STEP_S = 60
Play = Callable[..., tuple[list[int], list[int]]]


@pytest.fixture(scope="session")
def play(make_fleet: Callable[..., Fleet]) -> Play:
    """([step] ready, [step] nodes) of asked-for counts by step; a start on a node takes 60 s."""

    def played(
        nodes: NodeSettings, asked: dict[int, int], steps: int, replicas: int = 4, lead_s: float = 60.0
    ) -> tuple[list[int], list[int]]:
        fleet = make_fleet(lanes=1, actuation=Actuation.SCALE, lead=Lead(lead_s), max_replicas=10_000)
        settings = ClusterSettings(nodes=nodes)
        cluster = MemoryCluster(fleet, STEP_S, np.array([False]), np.array([replicas]), settings)
        ready, there = [], []
        for step in range(steps):
            cluster.begin(1_000 + step)
            if step in asked:
                cluster.apply(fleet, [ScaleRequest(0, asked[step], 1e12)], 0.0)
            ready.append(int(cluster.ready[0]))
            there.append(int(cluster.nodes[0]))
        return ready, there

    return played


def test_what_fits_starts_at_once_and_the_rest_waits_for_a_node(play: Play) -> None:
    # 4 replicas on one node of 6: two of the four asked for in step 1 fit, the others wait two steps for a second one
    ready, nodes = play(NodeSettings(6, 0, 120.0), {1: 8}, 6)
    assert ready == [4, 4, 6, 6, 8, 8]
    assert nodes == [1, 1, 1, 2, 2, 2]


def test_waiting_and_starting_are_rounded_up_once_together(play: Play) -> None:
    # 90 s for the node and 20 s for the start are 110 s: two steps, not three
    assert play(NodeSettings(4, 0, 90.0), {1: 5}, 5, lead_s=20.0)[0] == [4, 4, 4, 5, 5]
    assert play(NodeSettings(4, 0, 0.0), {1: 5}, 4, lead_s=20.0)[0] == [4, 4, 5, 5]
    assert play(NodeSettings(4, 0, 0.0), {1: 5}, 4, lead_s=0.0)[0] == [4, 5, 5, 5]


def test_a_spare_node_takes_a_start_in_and_is_replaced(play: Play) -> None:
    # one node holds the four, one is spare; the fifth uses the spare, and another is there two minutes later
    ready, nodes = play(NodeSettings(4, 1, 120.0), {1: 5}, 5)
    assert ready == [4, 4, 5, 5, 5]
    assert nodes == [2, 2, 2, 3, 3]
    # nine at once: four on the spare, five wait for the two nodes ordered now; a third becomes the new spare
    ready, nodes = play(NodeSettings(4, 1, 120.0), {1: 13}, 6)
    assert ready == [4, 4, 8, 8, 13, 13]
    assert nodes == [2, 2, 2, 5, 5, 5]


def test_a_node_that_nobody_needs_goes_after_ten_minutes(play: Play) -> None:
    # three nodes until step 2; needed until then, so they go in step 12
    _, nodes = play(NodeSettings(4, 0, 120.0), {2: 3}, 15, replicas=12)
    assert nodes == [3] * 12 + [1] * 3
    # the spare stays
    _, nodes = play(NodeSettings(4, 1, 120.0), {2: 3}, 15, replicas=12)
    assert nodes == [4] * 12 + [2] * 3
    # needed again for one step in between: ten minutes from there on
    _, nodes = play(NodeSettings(4, 0, 120.0), {2: 3, 5: 8, 6: 3}, 18, replicas=12)
    assert nodes == [3] * 12 + [2] * 4 + [1] * 2


def test_a_node_ordered_for_nothing_stays_ten_minutes_as_well(play: Play) -> None:
    # asked for in step 1 and taken back in step 2; the node comes in step 21 all the same, and goes in step 31
    ready, nodes = play(NodeSettings(4, 0, 1200.0), {1: 5, 2: 4}, 33)
    assert ready == [4] * 33
    assert nodes == [1] * 21 + [2] * 10 + [1] * 2


def test_who_waits_is_dropped_before_who_starts_and_who_serves(play: Play) -> None:
    # ten are asked for: two start on the node's free places, four wait; of the five taken back one had started
    assert play(NodeSettings(6, 0, 120.0), {1: 10, 2: 5}, 6, lead_s=180.0)[0] == [4, 4, 4, 4, 5, 5]
    # a place that became free is used at once
    assert play(NodeSettings(6, 0, 120.0), {1: 3, 2: 6}, 5)[0] == [4, 3, 3, 6, 6]


@given(
    orders=st.lists(st.integers(0, 60), min_size=1, max_size=30),
    holds=st.integers(1, 9),
    spares=st.integers(0, 2),
    node_steps=st.integers(0, 5),
)
def test_replicas_are_conserved_have_a_place_and_all_serve_in_the_end(
    make_fleet: Callable[..., Fleet], orders: list[int], holds: int, spares: int, node_steps: int
) -> None:
    fleet = make_fleet(lanes=1, actuation=Actuation.SCALE, lead=Lead(130.0), max_replicas=10_000)
    nodes = NodeSettings(holds, spares, node_steps * 60.0)
    cluster = MemoryCluster(fleet, STEP_S, np.array([False]), np.array([4]), ClusterSettings(nodes=nodes))
    for order in orders:
        cluster.begin()
        cluster.apply(fleet, [ScaleRequest(0, order, 1e12)], 0.0)
        pending, ready = cluster.pending[0], int(cluster.ready[0])
        assert ready + pending.starting + pending.waiting == order
        assert ready >= 0
        assert ready + pending.starting <= int(cluster.nodes[0]) * holds
    for _ in range(node_steps + 4):
        cluster.begin()
    assert int(cluster.ready[0]) == orders[-1]
    for _ in range(11):
        cluster.begin()
    assert int(cluster.nodes[0]) == nodes.needed(orders[-1])


@pytest.mark.parametrize(("replicas", "spares", "ready_s"), [(0, 0, 1.0), (4, -1, 1.0), (4, 0, -1.0), (4, 0, np.nan)])
def test_settings_that_make_no_node_are_refused(replicas: int, spares: int, ready_s: float) -> None:
    with pytest.raises(ValueError, match="a node"):
        NodeSettings(replicas, spares, ready_s)


def test_a_pool_begins_with_what_is_needed() -> None:
    assert NodePool(NodeSettings(4, 1), 0).ready == 1
    assert NodePool(NodeSettings(4, 1), 9).ready == 4
