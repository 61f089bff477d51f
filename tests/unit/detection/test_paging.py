import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.detection import paging

NEVER = np.array([-(10**15)])


def _tail(several: bool = False) -> paging.Tail:
    return paging.Tail(np.array([0.9]), np.array([True]), np.array([several]))


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("asked", [0.01, 0.1, 0.25, 1.0, 3.0])
def test_the_rate_at_the_surprise_of_a_rate_is_that_rate(several: bool, asked: float) -> None:
    tail = _tail(several)
    at = tail.surprise_at(np.array([asked]))
    np.testing.assert_allclose(tail.rate(at[:, None]), asked, rtol=1e-9)


def test_rates_fall_with_surprise_and_never_asked_never_pages() -> None:
    rates = _tail().rate(np.linspace(0, 12, 200)[None])[0]
    assert (np.diff(rates) < 0).all()
    assert _tail().surprise_at(np.array([0.0]))[0] == np.inf


def test_what_is_unknown_or_still_learning_has_no_rate() -> None:
    assert _tail().rate(np.array([[np.nan]]))[0, 0] == np.inf
    learning = paging.Tail(np.array([0.9]), np.array([False]), np.array([False]))
    assert learning.rate(np.array([[9.0]]))[0, 0] == np.inf


def test_a_livelier_fleet_moves_the_edge_and_an_empty_one_keeps_the_usual() -> None:
    none = np.full((3, paging.BLOCKS), np.nan, dtype=np.float32)
    lively = np.full((3, paging.BLOCKS), 1.5, dtype=np.float32)
    both = np.array([False, False, True])
    np.testing.assert_array_equal(paging.Tail.of(none, both).edge, paging.USUAL_EDGE)
    edge = paging.Tail.of(lively, both).edge
    assert (edge > 1.2).all()
    assert paging.Tail.of(lively, both).ready.all()
    assert not paging.Tail.of(none, both).ready.any()


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(0, 59), st.integers(1, 12))
def test_events_do_not_depend_on_how_steps_come(alarms: list[bool], cut: int, quiet: int) -> None:
    alarm = np.array([alarms])
    whole = paging.events(alarm, NEVER, 100, quiet)
    cut = min(cut, len(alarms))
    first = paging.events(alarm[:, :cut], NEVER, 100, quiet)
    second = paging.events(alarm[:, cut:], first[2], 100 + cut, quiet)
    for k in (0, 1):
        np.testing.assert_array_equal(np.concatenate([first[k], second[k]], axis=1), whole[k])


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 12))
def test_one_page_for_each_event_and_every_alarm_is_in_one(alarms: list[bool], quiet: int) -> None:
    alarm = np.array([alarms])
    on, page, _ = paging.events(alarm, NEVER, 0, quiet)
    assert on[alarm].all()
    assert alarm[page].all()
    starts = np.flatnonzero(np.diff(np.concatenate(([0], on[0].astype(int)))) == 1)
    np.testing.assert_array_equal(np.flatnonzero(page[0]), starts)
