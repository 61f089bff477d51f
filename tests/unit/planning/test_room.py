"""How far a floor rises ahead of its HPA."""

import numpy as np
import pytest

from autoscaler.planning.room import LOG_MOST, USED_SHARE, RoomState

NOTHING = np.zeros(1, dtype=np.int64)


def _look(state: RoomState, replicas: int, need: float, floor: int = 1, known: bool = True) -> RoomState:
    return state.seen(np.array([replicas]), np.array([need]), np.array([floor]), np.array([known]))


def _hpa(rises: int, target: float, floor: int = 1, seed: int = 0) -> RoomState:
    """An HPA that aims at `target` of capacity, looked at after each of its rises and each of its falls."""
    random = np.random.default_rng(seed)
    state = RoomState.fresh(1)
    for _ in range(rises):
        low, high = random.uniform(3, 10), random.uniform(12, 40)
        state = _look(state, int(np.ceil(low / target)), low, floor)
        state = _look(state, int(np.ceil(high / target)), high, floor)
    return state


@pytest.mark.parametrize("target", [0.5, 0.7, 0.85])
def test_the_target_of_the_hpa_is_found_from_its_rises(target: float) -> None:
    learned = float(_hpa(300, target).now(NOTHING).ahead[0])
    assert learned == pytest.approx(USED_SHARE / target, rel=0.04)


def test_nothing_seen_is_no_room() -> None:
    assert RoomState.fresh(2).now(NOTHING).ahead.tolist() == [1.0, 1.0]


def test_a_rise_that_our_floor_made_teaches_nothing() -> None:
    state = _look(RoomState.fresh(1), 10, 10.0)
    assert _look(state, 30, 10.0, floor=30).now(NOTHING).ahead.tolist() == [1.0]


def test_a_fall_and_a_wait_to_come_down_teach_nothing() -> None:
    state = _look(_look(RoomState.fresh(1), 40, 10.0), 30, 5.0)
    assert _look(state, 30, 2.0).now(NOTHING).ahead.tolist() == [1.0]


def test_M06_unknown_demand_and_an_unknown_target_teach_nothing() -> None:
    state = _look(RoomState.fresh(1), 10, 0.0)
    assert _look(state, 20, 0.0).now(NOTHING).ahead.tolist() == [1.0]
    gone = _look(_look(RoomState.fresh(1), 10, 7.0), 0, 7.0, known=False)
    assert _look(gone, 20, 14.0).now(NOTHING).ahead.tolist() == [1.0], "what it was before is not known"


def test_the_room_is_bounded() -> None:
    state = RoomState.fresh(1)
    for replicas in range(100, 2000, 2):
        state = _look(state, replicas, 3.0)
    assert float(state.log_room[0]) <= LOG_MOST


def test_lanes_keep_their_room_when_the_fleet_changes() -> None:
    state = _hpa(50, 0.7).carried(np.array([-1, 0]))
    assert state.now(NOTHING).ahead[0] == 1.0
    assert state.now(NOTHING).ahead[1] > 1.2
