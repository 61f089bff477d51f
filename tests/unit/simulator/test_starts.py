"""Times to Ready: their quantiles, what they depend on, and how the cluster twin counts them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.workload import Actuation, Lead
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster
from autoscaler.simulator.starts import LONGEST, ReadySpread, StartTimes

SPREAD = ReadySpread(90.0, 240.0)


@given(p50_s=st.floats(1, 600), ratio=st.floats(1, 20), seed=st.integers(0, 2**32))
def test_both_quantiles_are_met_and_nothing_takes_for_ever(p50_s: float, ratio: float, seed: int) -> None:
    spread = ReadySpread(p50_s, p50_s * ratio)
    drawn = spread.drawn(np.random.default_rng(seed), 4000)
    # the share below a quantile: four standard errors of 4,000 draws
    assert abs((drawn <= spread.p50_s * (1 + 1e-9)).mean() - 0.5) < 0.032 or ratio < 1 + 1e-9
    assert abs((drawn <= spread.p95_s * (1 + 1e-9)).mean() - 0.95) < 0.014 or ratio < 1 + 1e-9
    assert drawn.min() > 0
    assert drawn.max() <= LONGEST * spread.p95_s * (1 + 1e-9)


def test_equal_quantiles_are_a_fixed_time() -> None:
    times = StartTimes(ReadySpread(120.0, 120.0))
    np.testing.assert_allclose(times.seconds(999.0, 5.0, 3, (1, 2, 3)), [125.0] * 3)


@pytest.mark.parametrize(("p50_s", "p95_s"), [(0.0, 5.0), (-1.0, 5.0), (6.0, 5.0), (1.0, np.inf), (np.nan, 1.0)])
def test_quantiles_that_are_none_are_refused(p50_s: float, p95_s: float) -> None:
    with pytest.raises(ValueError, match="need 0 < p50 ≤ p95"):
        ReadySpread(p50_s, p95_s)


def test_shares_and_seeds_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1, not 1\.5"):
        StartTimes(failing=1.5)
    with pytest.raises(ValueError, match="a seed is zero or more, not -1"):
        StartTimes(seed=-1)


def test_draws_depend_on_seed_workload_step_and_order_alone() -> None:
    times = StartTimes(SPREAD, failing=0.3, seed=4)
    first = times.seconds(180.0, 0.0, 6, (7, 5_000_000, 0))
    np.testing.assert_array_equal(first, times.seconds(180.0, 0.0, 6, (7, 5_000_000, 0)))
    others = [StartTimes(SPREAD, 0.3, 5).seconds(180.0, 0.0, 6, (7, 5_000_000, 0))]
    others += [times.seconds(180.0, 0.0, 6, key) for key in ((8, 5_000_000, 0), (7, 5_000_001, 0), (7, 5_000_000, 1))]
    for other in others:
        assert (other != first).all()
    assert len(times.seconds(180.0, 0.0, 6, (7, -3, 0))) == 6  # before 1970


def test_a_failed_start_takes_a_second_time_and_its_own_draw() -> None:
    assert StartTimes(failing=1.0).seconds(100.0, 20.0, 2, (1, 1, 0)).tolist() == [240.0, 240.0]
    once = StartTimes(SPREAD).seconds(0.0, 0.0, 500, (1, 1, 0))
    twice = StartTimes(SPREAD, failing=1.0).seconds(0.0, 0.0, 500, (1, 1, 0))
    assert (twice > once).all()
    assert len(np.unique(np.round(twice / once, 6))) > 400


class _Told:
    """Draws nothing: the times that a test wants, in order."""

    alike = False

    def __init__(self, *seconds: float) -> None:
        self._seconds = seconds

    def seconds(self, ready_s: float, rest_s: float, count: int, key: tuple[int, int, int]) -> np.ndarray:
        return np.array(self._seconds[:count])


def _cluster(
    make_fleet: Callable[..., Fleet], *told: float, replicas: int = 2, early_s: float = 0.0
) -> tuple[Fleet, MemoryCluster]:
    fleet = make_fleet(lanes=1, actuation=Actuation.SCALE, lead=Lead(999.0), max_replicas=10_000)
    settings = ClusterSettings(early_s=early_s)
    cluster = MemoryCluster(fleet, 60, np.array([False]), np.array([replicas]), settings)
    cluster.pending[0].times = _Told(*told)  # type: ignore[assignment]
    return fleet, cluster


def _ready(cluster: MemoryCluster, first: int, steps: int) -> list[int]:
    found = []
    for step in range(first, first + steps):
        cluster.begin(step)
        found.append(int(cluster.ready[0]))
    return found


def test_each_replica_serves_from_the_first_step_after_its_own_time(make_fleet: Callable[..., Fleet]) -> None:
    fleet, cluster = _cluster(make_fleet, 61.0, 30.0, 60.0, 200.0)
    cluster.begin(1_000)
    cluster.apply(fleet, [ScaleRequest(0, 6, 1e9)], 0.0)
    assert int(cluster.ready[0]) == 2
    # 30 s and 60 s: step 1; 61 s: step 2; 200 s: step 4
    assert _ready(cluster, 1_001, 4) == [4, 5, 5, 6]


def test_a_request_that_took_effect_within_the_step_before_is_ready_that_much_sooner(
    make_fleet: Callable[..., Fleet],
) -> None:
    fleet, cluster = _cluster(make_fleet, 61.0, 30.0, 130.0, early_s=45.0)
    cluster.begin(1_000)
    cluster.apply(fleet, [ScaleRequest(0, 5, 1e9)], 0.0)
    assert int(cluster.ready[0]) == 3  # 30 s were over before the step began
    assert _ready(cluster, 1_001, 2) == [4, 5]


def test_the_newest_start_is_dropped_first_though_it_would_be_ready_sooner(make_fleet: Callable[..., Fleet]) -> None:
    fleet, cluster = _cluster(make_fleet, 300.0, 300.0)
    cluster.begin(1_000)
    cluster.apply(fleet, [ScaleRequest(0, 4, 1e9)], 0.0)
    cluster.begin(1_001)
    cluster.pending[0].times = _Told(60.0, 60.0)  # type: ignore[assignment]
    cluster.apply(fleet, [ScaleRequest(0, 6, 1e9)], 0.0)
    cluster.apply(fleet, [ScaleRequest(0, 4, 1e9)], 0.0)
    assert _ready(cluster, 1_002, 4) == [2, 2, 2, 4]


def test_the_same_step_starts_the_same_whatever_was_started_before(make_fleet: Callable[..., Fleet]) -> None:
    """A policy that differs early on must not shift the luck of everything after it."""

    def waits(before: int) -> list[int]:
        fleet = make_fleet(lanes=1, actuation=Actuation.SCALE, max_replicas=10_000)
        settings = ClusterSettings(spread=SPREAD, start_failure=0.2, seed=3)
        cluster = MemoryCluster(fleet, 60, np.array([False]), np.array([0]), settings)
        cluster.begin(100)
        if before:
            cluster.apply(fleet, [ScaleRequest(0, before, 1e9)], 0.0)
        cluster.begin(500)
        assert int(cluster.ready[0]) == before
        cluster.apply(fleet, [ScaleRequest(0, before + 200, 1e9)], 0.0)
        return [each - before for each in _ready(cluster, 501, 30)]

    assert waits(0) == waits(7) == waits(50)
    assert waits(0)[0] < waits(0)[3] < waits(0)[-1] == 200
