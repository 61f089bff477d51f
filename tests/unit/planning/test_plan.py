from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autoscaler.domain.decision import SIZING_REASONS
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.forecast import LEVELS, ForesightAt
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import Actuation, Workload
from autoscaler.planning.plan import Plan, plan
from autoscaler.planning.room import Room

SCALE, FLOOR = Actuation.SCALE, Actuation.HPA_FLOOR
NONE = np.nan


@pytest.fixture(scope="session")
def planned(make_fleet: Callable[..., Fleet], make_seen: Callable[..., ForesightAt]) -> Callable[..., Plan]:
    def build(observed: Any, peak: Any = NONE, margin: float = 1.0, current: int = 7, **changes: Any) -> Plan:
        fleet = make_fleet(lanes=1, **changes)
        seen = make_seen(fleet, 100, observed, peak)
        return plan(fleet, seen, LEVELS, np.full(len(fleet), margin), np.full(len(fleet), current))

    return build


@pytest.mark.parametrize(
    ("observed", "peak", "actuation", "wanted", "why"),
    [
        (95.0, NONE, SCALE, 10, Reason.NO_FORECAST),
        (95.0, 201.0, SCALE, 21, Reason.FORECAST_PEAK),
        (95.0, 40.0, SCALE, 10, Reason.OBSERVED_NEED),
        (NONE, 40.0, SCALE, 7, Reason.UNKNOWN_DEMAND),  # what is there stays
        (NONE, 95.0, SCALE, 10, Reason.FORECAST_PEAK),
        (NONE, NONE, SCALE, 7, Reason.UNKNOWN_DEMAND),
        (95.0, NONE, FLOOR, 7, Reason.NO_FORECAST),  # not raised for what is observed: the HPA does that
        (35.0, NONE, FLOOR, 4, Reason.NO_FORECAST),  # but observed load takes it down
        (5.0, NONE, FLOOR, 2, Reason.NO_FORECAST),
        (95.0, 201.0, FLOOR, 21, Reason.FORECAST_PEAK),
        (95.0, 5.0, FLOOR, 2, Reason.AT_MINIMUM),
        (NONE, 5.0, FLOOR, 2, Reason.AT_MINIMUM),
        (NONE, NONE, FLOOR, 7, Reason.UNKNOWN_DEMAND),
    ],
)
def test_worked_examples(
    planned: Callable[..., Plan], observed: float, peak: float, actuation: Actuation, wanted: int, why: Reason
) -> None:
    got = planned(observed, peak, actuation=actuation, min_replicas=2)
    assert int(got.wanted[0]) == wanted
    assert SIZING_REASONS[int(got.sizing[0])] is why


@pytest.mark.parametrize(
    ("median", "peak", "running", "wanted", "why"),
    [
        (95.0, 100.0, 14, 14, Reason.AHEAD_OF_HPA),  # 1.425 · 9.5 = 13.5, no more than runs
        (120.0, 125.0, 20, 18, Reason.AHEAD_OF_HPA),  # 1.425 · 12 = 17.1
        (105.0, 110.0, 14, 15, Reason.AHEAD_OF_HPA),  # 1.425 · 10.5 = 14.96, as far as the HPA asks now
        (95.0, 142.0, 14, 15, Reason.FORECAST_PEAK),  # the quantile's 15 passes what runs, and is what the HPA asks
        (50.0, 40.0, 20, 8, Reason.AHEAD_OF_HPA),  # 1.425 · 5 = 7.1, below what runs: nothing rises
        (100.0, 300.0, 14, 30, Reason.FORECAST_PEAK),
    ],
)
def test_a_floor_rises_no_less_than_its_hpa_would(
    make_fleet: Callable[..., Fleet], make_seen: Callable[..., ForesightAt],
    median: float, peak: float, running: int, wanted: int, why: Reason,
) -> None:  # fmt: skip
    """Room 1.5; 100 is observed, so that the HPA asks for 15 now; a replica serves 10."""
    fleet = make_fleet(lanes=1, actuation=FLOOR, min_replicas=2)
    seen = make_seen(fleet, 100, 100.0, peak, quantiles=np.array([[median, peak, peak]]))
    room = Room(np.array([1.5]), np.array([1.425]), np.array([running]))
    got = plan(fleet, seen, LEVELS, np.ones(1), np.array([2]), room=room)
    assert int(got.wanted[0]) == wanted
    assert SIZING_REASONS[int(got.sizing[0])] is why


def test_the_margin_carries_the_quantile_and_headroom_comes_after_it(planned: Callable[..., Plan]) -> None:
    got = planned(50.0, 100.0, margin=1.5, headroom=1.2)
    assert int(got.predicted_need[0]) == 18  # 100 · 1.5 · 1.2 / 10
    assert got.shadow[0] == 15  # judged without headroom
    assert int(got.observed_need[0]) == 5
    assert int(planned(50.0, 10.0, headroom=1.2).wanted[0]) == 6


def test_the_largest_of_several_demands_wins_and_the_worst_data_counts(
    make_workload: Callable[..., Workload], make_seen: Callable[..., ForesightAt]
) -> None:
    fleet = Fleet((make_workload("a", (10.0, 1.0, 5.0)), make_workload("b", (2.0,))))
    seen = make_seen(fleet, 100, [100.0, 30.0, NONE, 8.0], [120.0, NONE, 40.0, NONE])
    got = plan(fleet, seen, LEVELS, np.ones(2), np.array([3, 3]))
    assert got.observed_need.tolist() == [30, 4]
    assert got.predicted_need.tolist() == [12, 0]
    assert got.predicted.tolist() == [True, False]
    assert got.verdict.tolist() == [DataVerdict.MISSING, DataVerdict.OK]
    assert got.data_age_s.tolist() == [np.inf, 0.0]


def test_shadow_is_judged_only_where_forecast_and_demand_are_known(planned: Callable[..., Plan]) -> None:
    assert np.isnan(planned(NONE, 100.0).shadow[0])
    assert np.isnan(planned(50.0, NONE).shadow[0])
    assert planned(50.0, 20.0).shadow[0] == 5


@pytest.mark.parametrize("peak", [1e12, 1e308, np.finfo(np.float64).max])
def test_M06_F03_an_absurd_forecast_saturates(planned: Callable[..., Plan], peak: float) -> None:
    got = planned(1e300, peak, margin=8.0, headroom=3.0)
    assert got.wanted.dtype == np.int64
    assert 10**9 < int(got.wanted[0]) <= NO_LIMIT
