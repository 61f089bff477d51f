"""Spans are sets of steps; a row wants what is open, newest first, in requests that others share."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.series import LAST_VALUED, DataVerdict
from autoscaler.domain.workload import Demand
from autoscaler.intake.gaps import REFETCHED, Reach, RowPast
from autoscaler.intake.spans import Spans, added, runs, without

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 40)), max_size=12)
REACH = Reach(reach_steps=1000, request_steps=100, least_steps=10, settle_steps=5)


def _steps(spans: Spans) -> set[int]:
    return {step for low, high in spans for step in range(low, high)}


@given(changes=PAIRS)
def test_spans_are_sets_of_steps(changes: list[tuple[bool, int, int]]) -> None:
    spans: Spans = []
    want: set[int] = set()
    for more, first, end in changes:
        spans = (added if more else without)(spans, first, end)
        want = want | set(range(first, end)) if more else want - set(range(first, end))
        assert _steps(spans) == want
        assert all(low < high for low, high in spans)
        assert all(a[1] < b[0] for a, b in itertools.pairwise(spans)), "sorted and apart"
        mask = np.isin(np.arange(50), list(want))
        assert runs(mask, 0) == spans
        assert runs(mask, 7) == [(low + 7, high + 7) for low, high in spans]


def _row(first: int = 9_950, end: int = 10_000) -> RowPast:
    row = RowPast(Demand("d", "prom", "q", 1.0), REACH, seen_at=end)
    row.lived(first, end, None)
    return row


def _codes(steps: int, verdict: DataVerdict = DataVerdict.OK) -> np.ndarray:
    return np.full(steps, verdict, dtype=np.uint8)


def test_a_row_lacks_its_newest_steps_until_all_but_a_few_were_answered() -> None:
    row = _row()
    assert row.lacks(700)
    for low in range(9_900, 9_200, -100):
        row.answered(low, _codes(100))
    assert not row.lacks(700)
    assert row.lacks(900)
    row.lived(10_040, 10_050, None)
    assert not row.lacks(700), "a hole of forty steps"
    row.lived(10_200, 10_210, None)
    assert row.lacks(700)


def test_what_the_store_has_is_not_lacking_before_the_first_tick() -> None:
    row = RowPast(Demand("d", "prom", "q", 1.0), REACH, seen_at=10_000)
    assert row.lacks(700)
    row.restored(9_000, _codes(1000), np.ones(1000, dtype=np.bool_), np.zeros(1000, dtype=np.bool_))
    assert not row.lacks(700)


def test_the_past_is_wanted_newest_first_on_absolute_multiples() -> None:
    row, asked = _row(), []
    while (want := row.want()) is not None:
        asked.append(want)
        assert row.answered(want[0], _codes(want[1] - want[0])).all()
    assert asked == [(9_900, 9_950), *((at, at + 100) for at in range(9_800, 8_900, -100))]
    assert not row.open


@pytest.mark.parametrize("verdict", [v for v in DataVerdict if v > LAST_VALUED])
def test_which_live_steps_are_asked_for_again(verdict: DataVerdict) -> None:
    """Not where a sample was there and was rejected: the source would give the same."""
    rejected = {DataVerdict.NOT_FINITE, DataVerdict.NEGATIVE, DataVerdict.STUCK, DataVerdict.UNIT_CHANGE}
    row = _row(first=9_000)
    row.lived(10_000, 10_020, _codes(20, verdict))
    assert row.want() is None, "not before it is back"
    row.lived(10_020, 10_024, _codes(4))
    assert row.want() is None, "nor at once: sources too get late samples"
    row.lived(10_024, 10_030, _codes(6))
    assert (row.want() is None) == (verdict in rejected)
    assert REFETCHED[verdict] != (verdict in rejected)
    if verdict not in rejected:
        assert row.want() == (10_000, 10_020)
        row.answered(10_000, _codes(20, DataVerdict.MISSING))
        assert row.want() is None, "once"


@pytest.mark.parametrize("verdict", [DataVerdict.UNREACHABLE, DataVerdict.THROTTLED, DataVerdict.REFUSED])
def test_silence_is_no_answer(verdict: DataVerdict) -> None:
    row = _row()
    want = row.want()
    assert want is not None
    codes = _codes(want[1] - want[0])
    codes[:30] = verdict
    taken = row.answered(want[0], codes)
    assert taken.tolist() == [False] * 30 + [True] * 20
    assert row.want() == (want[0], want[0] + 30)


def test_a_query_that_cannot_be_asked_is_no_answer_but_a_step_of_it_is() -> None:
    row = _row()
    assert not row.answered(9_900, _codes(50, DataVerdict.SEVERAL_SERIES)).any()
    codes = _codes(50)
    codes[:3] = DataVerdict.SEVERAL_SERIES
    assert row.answered(9_900, codes).all()


def test_two_empty_requests_end_the_history_and_faults_are_not_emptiness() -> None:
    row = _row()
    for first in (9_900, 9_800, 9_700):
        want = row.want()
        assert want is not None
        assert want[0] == first
        row.answered(want[0], _codes(want[1] - want[0], DataVerdict.MISSING))
    assert row.want() is None
    assert row.begins == 9_950
    row = _row()
    row.answered(9_900, _codes(50, DataVerdict.MISSING))
    row.answered(9_800, _codes(100))
    row.answered(9_600, _codes(200, DataVerdict.MISSING))
    assert row.begins == 9_800


def test_a_long_hole_is_asked_for_in_pieces_without_asking_twice() -> None:
    row = _row(first=9_000)
    row.lived(10_000, 10_333, _codes(333, DataVerdict.UNREACHABLE))
    row.lived(10_333, 10_400, _codes(67))
    asked = []
    while (want := row.want()) is not None:
        asked.append(want)
        row.answered(want[0], _codes(want[1] - want[0]))
    assert asked == [(10_240, 10_340), (10_140, 10_240), (10_040, 10_140), (10_000, 10_040)]


def test_what_is_older_than_the_reach_is_forgotten() -> None:
    row = _row()
    row.lived(10_000, 20_000, None)
    assert row.want() is None
    assert not row.open
