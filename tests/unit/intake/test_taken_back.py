"""What nothing is learned from: spans by row and verdict, bounded, and the same after a restart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.series import DataVerdict
from autoscaler.intake.taken_back import MOST_SPANS, Taken, TakenBack

CODES = (int(DataVerdict.PARTIAL), int(DataVerdict.STUCK), int(DataVerdict.UNIT_CHANGE))
spans = st.builds(
    lambda key, first, steps, code: Taken(key, first, first + steps, code),
    st.sampled_from(["shop/web/a=p:q", "shop/web/b=p:q"]), st.integers(0, 300), st.integers(1, 40),
    st.sampled_from(CODES),
)  # fmt: skip


def steps(found: TakenBack) -> set[tuple[str, int, int]]:
    return {(t.key, k, t.code) for t in found.within(0, 10_000) for k in range(t.first, t.end)}


@given(st.lists(spans, max_size=30), st.integers(0, 350))
def test_spans_are_the_steps_that_were_said_and_survive(some: list[Taken], before: int) -> None:
    found = TakenBack()
    for each in some:
        found.add(each)
    said = {(t.key, k, t.code) for t in some for k in range(t.first, t.end)}
    assert steps(found) == said
    again = TakenBack()
    again.restore({name: np.array(array) for name, array in found.arrays().items()})
    assert steps(again) == said
    gone = {(t.key, k, t.code) for t in again.cut(before) for k in range(t.first, t.end)}
    assert gone == {each for each in said if each[1] < before}
    assert steps(again) == said - gone


def test_a_row_that_is_wrong_again_and_again_stays_small_and_learns_nothing_wrong() -> None:
    found, many = TakenBack(), 10 * MOST_SPANS
    at = [100 * k + 7 * (k % 3) for k in range(many)]
    for first in at:
        found.add(Taken("web", first, first + 2, CODES[1]))
    arrays = found.arrays()
    assert arrays["span"].nbytes == MOST_SPANS * 24
    assert {first + k for first in at for k in (0, 1)} <= {k for _, k, _ in _far(found)}


def _far(found: TakenBack) -> set[tuple[str, int, int]]:
    return {(t.key, k, t.code) for t in found.within(0, 1 << 40) for k in range(t.first, t.end)}


def test_only_rows_that_are_asked_for_are_looked_at() -> None:
    found = TakenBack()
    found.add(Taken("a", 5, 9, CODES[1]))
    found.add(Taken("b", 7, 8, CODES[0]))
    assert [t.key for t in found.within(0, 100, ["b", "c"])] == ["b"]
    assert [t.key for t in found.within(8, 100)] == ["a"]
    assert not list(found.within(9, 100))


@pytest.mark.parametrize("lacking", ["key", "count", "span"])
def test_what_another_version_wrote_is_refused_whole(lacking: str) -> None:
    found, here = TakenBack(), TakenBack()
    found.add(Taken("a", 5, 9, CODES[1]))
    saved = found.arrays()
    with pytest.raises(ValueError, match=lacking):
        here.restore({name: array for name, array in saved.items() if name != lacking})
    with pytest.raises(ValueError, match="belong together"):
        here.restore(saved | {"count": np.array([3])})
    assert not steps(here)
