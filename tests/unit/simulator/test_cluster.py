"""The cluster twin: when replicas serve, what a removal takes first, and what an HPA makes of a raised floor."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.workload import Actuation, Lead
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster

STEP_S = 60


@pytest.fixture(scope="session")
def make_cluster(make_fleet: Callable[..., Fleet]) -> Callable[..., tuple[Fleet, MemoryCluster]]:
    def build(
        replicas: int = 4, *, lanes: int = 1, hpa: bool = False, settings: ClusterSettings | None = None, **changes: Any
    ) -> tuple[Fleet, MemoryCluster]:
        kind = Actuation.HPA_FLOOR if hpa else Actuation.SCALE
        fleet = make_fleet(lanes=lanes, actuation=kind, **changes)
        start = np.full(lanes, replicas, dtype=np.int64)
        return fleet, MemoryCluster(fleet, STEP_S, np.full(lanes, hpa), start, settings)

    return build


def _ask(cluster: MemoryCluster, fleet: Fleet, replicas: int, now_s: float = 0.0, expires_s: float = 1e9) -> None:
    cluster.apply(fleet, [ScaleRequest(0, replicas, expires_s)], now_s)


def _ready(cluster: MemoryCluster, steps: int) -> list[int]:
    got = []
    for _ in range(steps):
        cluster.begin()
        got.append(int(cluster.ready[0]))
    return got


@pytest.mark.parametrize(
    ("lead_s", "served"),
    [
        (0.0, [9, 9, 9, 9, 9]),
        (1.0, [9, 9, 9, 9]),
        (60.0, [9, 9, 9, 9]),
        (61.0, [4, 9, 9, 9]),
        (180.0, [4, 4, 9, 9]),
    ],
)
def test_a_replica_asked_for_in_step_t_serves_in_step_t_plus_lead(
    make_cluster: Callable[..., Any], lead_s: float, served: list[int]
) -> None:
    fleet, cluster = make_cluster(lead=Lead(lead_s))
    cluster.begin()
    _ask(cluster, fleet, 9)
    assert int(cluster.ready[0]) == (9 if lead_s == 0 else 4)
    assert _ready(cluster, len(served)) == served


def test_a_removal_is_immediate_and_takes_starting_replicas_first_the_latest_before(
    make_cluster: Callable[..., Any],
) -> None:
    fleet, cluster = make_cluster(4, lead=Lead(180.0))
    _ask(cluster, fleet, 6)
    cluster.begin()
    _ask(cluster, fleet, 9)
    cluster.begin()
    _ask(cluster, fleet, 5)  # drops the three of the second order and one of the first
    assert int(cluster.ready[0]) == 4
    assert _ready(cluster, 4) == [5, 5, 5, 5]
    _ask(cluster, fleet, 1)
    assert int(cluster.ready[0]) == 1
    assert _ready(cluster, 3) == [1, 1, 1]


@given(
    orders=st.lists(st.integers(0, 30), min_size=1, max_size=30),
    lead=st.integers(0, 5),
    failing=st.sampled_from([0.0, 0.4, 1.0]),
)
def test_replicas_are_conserved_and_all_serve_in_the_end(
    make_cluster: Callable[..., Any], orders: list[int], lead: int, failing: float
) -> None:
    fleet, cluster = make_cluster(lead=Lead(lead * 60.0), settings=ClusterSettings(start_failure=failing, seed=3))
    for order in orders:
        cluster.begin()
        if order != int(cluster.desired[0]):
            _ask(cluster, fleet, order)
        starting = int(cluster.starting[0])
        assert int(cluster.ready[0]) + starting == int(cluster.desired[0]) == order
        assert int(cluster.ready[0]) >= 0
    assert _ready(cluster, 2 * lead + 1)[-1] == orders[-1]


def test_failed_starts_serve_one_lead_later_and_are_seeded(make_cluster: Callable[..., Any]) -> None:
    def run(seed: int, share: float = 0.5) -> list[int]:
        fleet, cluster = make_cluster(
            0, lanes=1, max_replicas=1000, lead=Lead(120.0), settings=ClusterSettings(start_failure=share, seed=seed)
        )
        _ask(cluster, fleet, 200)
        return _ready(cluster, 5)

    first = run(1)
    assert run(1) == first
    assert run(2) != first
    assert first[0] == 0
    assert 60 < first[1] == first[2] < 140
    assert first[3:] == [200, 200]
    assert run(1, 1.0) == [0, 0, 0, 200, 200]
    assert run(1, 0.0) == [0, 200, 200, 200, 200]


def test_expired_requests_and_unknown_workloads_are_dropped(
    make_cluster: Callable[..., Any], make_fleet: Callable[..., Fleet], make_workload: Callable[..., Any]
) -> None:
    fleet, cluster = make_cluster(4)
    _ask(cluster, fleet, 9, now_s=100.1, expires_s=100.0)
    assert (int(cluster.desired[0]), cluster.writes) == (4, 0)
    _ask(cluster, fleet, 9, now_s=100.0, expires_s=100.0)
    assert (int(cluster.desired[0]), cluster.writes) == (9, 1)
    stranger = make_fleet(make_workload("stranger"))
    _ask(cluster, stranger, 50)
    assert (int(cluster.desired[0]), cluster.writes) == (9, 1)


def test_lanes_are_found_by_name_and_strangers_are_not_known(
    make_cluster: Callable[..., Any], make_fleet: Callable[..., Fleet], make_workload: Callable[..., Any]
) -> None:
    _, cluster = make_cluster(4, lanes=3)
    cluster.desired[:] = [1, 2, 3]
    cluster.known[1] = False
    other = make_fleet(make_workload("w2"), make_workload("stranger"), make_workload("w0"), make_workload("w1"))
    status = cluster.observe(other)
    assert status.known.tolist() == [True, False, True, False]
    assert status.desired[[0, 2]].tolist() == [3, 1]
    assert (status.ceiling == NO_LIMIT).all()


def test_what_was_observed_does_not_change_under_the_reader(make_cluster: Callable[..., Any]) -> None:
    fleet, cluster = make_cluster(4, lead=Lead(0.0))
    status = cluster.observe(fleet)
    _ask(cluster, fleet, 9)
    assert (int(status.desired[0]), int(status.ready[0])) == (4, 4)


def test_an_hpa_jumps_to_a_raised_floor_at_once_and_stays_above_it(make_cluster: Callable[..., Any]) -> None:
    fleet, cluster = make_cluster(4, hpa=True, lead=Lead(120.0), max_replicas=40)
    quiet = np.array([28.0])  # 4 replicas at 70 %
    cluster.begin()
    _ask(cluster, fleet, 30)
    assert int(cluster.desired[0]) == 4  # only the HPA moves replicas
    cluster.sync_hpas(0.0, quiet)
    assert int(cluster.desired[0]) == 30
    assert _ready(cluster, 2) == [4, 30]
    cluster.sync_hpas(120.0, np.array([np.nan]))
    assert int(cluster.desired[0]) == 30  # its metric fails: the floor still stands


def test_a_floor_stays_below_the_hpas_max_but_not_below_the_users_own_min(make_cluster: Callable[..., Any]) -> None:
    fleet, cluster = make_cluster(4, hpa=True, min_replicas=3, max_replicas=10)
    status = cluster.observe(fleet)
    assert (int(status.floor[0]), int(status.ceiling[0])) == (3, 9)
    cluster.hpa_max[0] = 2
    assert int(cluster.observe(fleet).ceiling[0]) == 3


def test_no_lanes_are_a_cluster_too(make_cluster: Callable[..., Any]) -> None:
    fleet, cluster = make_cluster(4, lanes=0)
    cluster.begin()
    cluster.sync_hpas(0.0, np.empty(0))
    assert len(cluster.observe(fleet).known) == 0
