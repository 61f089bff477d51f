"""From answers to rows: grids, chunks, verdicts, and what a break leaves behind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.adapters.prometheus.decode import Answer, Series
from autoscaler.adapters.prometheus.faults import fault
from autoscaler.adapters.prometheus.recovery import Recovery
from autoscaler.adapters.prometheus.rows import Grid, Row, batch_of
from autoscaler.domain.series import LAST_VALUED, DataVerdict

NAN = float("nan")
OK, PARTIAL, RECOVERING, MISSING = (
    DataVerdict.OK,
    DataVerdict.PARTIAL,
    DataVerdict.RECOVERING,
    DataVerdict.MISSING,
)


def series(first_step: int, *values: float | None, step_s: int = 60, **labels: str) -> Series:
    """One value a step; None in its place leaves a hole."""
    kept = [(k, v) for k, v in enumerate(values) if v is not None]
    times = np.array([(first_step + k + 1) * step_s for k, _ in kept], dtype=np.float64)
    return Series(labels, times, np.array([v for _, v in kept], dtype=np.float64))


def answer(*found: Series, warnings: tuple[str, ...] = ()) -> Answer:
    return Answer("matrix", found, warnings, server_time_s=1e9)


def row_of(*found: Series, end: int = 110, warnings: tuple[str, ...] = ()) -> Row:
    grid = Grid(100, end, 60)
    row = Row("q", grid)
    row.take(answer(*found, warnings=warnings), grid)
    return row


def verdicts(row: Row) -> list[DataVerdict]:
    return [DataVerdict(int(v)) for v in batch_of([row], row.grid).verdicts[0]]


@given(st.integers(0, 10_000), st.integers(0, 500), st.integers(1, 120))
def test_chunks_cover_each_step_once_and_end_on_multiples(first, width, most):
    grid = Grid(first, first + width, 60)
    chunks = list(grid.chunks(most))
    assert [k for c in reversed(chunks) for k in range(c.first, c.end)] == list(range(first, first + width))
    assert all(0 < c.width <= most for c in chunks)
    assert all(c.first % most == 0 for c in chunks[:-1])


def test_a_step_is_asked_at_its_end():
    grid = Grid(10, 13, 60)
    assert (grid.first_s, grid.end_s) == (660, 780)
    assert grid.times().tolist() == [660, 720, 780]
    assert grid.columns(np.array([660.0, 780.0, 840.0, 600.0])).tolist() == [0, 2, 3, -1]


def test_what_no_number_is_gets_its_verdict_and_no_value():
    row = row_of(series(100, 1.0, NAN, np.inf, -np.inf, -1.0, None, 0.0), end=108)
    assert verdicts(row) == [OK, *[DataVerdict.NOT_FINITE] * 3, DataVerdict.NEGATIVE, MISSING, OK, MISSING]
    assert np.isnan(batch_of([row], row.grid).values[0]).tolist() == [False, *[True] * 5, False, True]


def test_several_series_count_where_they_overlap():
    row = row_of(series(100, 1.0, 2.0, pod="a"), series(101, 3.0, 4.0, pod="b"), end=103)
    assert verdicts(row) == [OK, DataVerdict.SEVERAL_SERIES, OK]
    many = row_of(*(series(100, 1.0, pod=f"p{k}") for k in range(9)), end=101)
    assert many.note is not None
    assert many.note.startswith('9 series: {pod="p0"}')
    assert "and 4 more" in many.note


@given(st.lists(st.sampled_from([1.0, 0.0, NAN, np.inf, -2.0, None]), min_size=1, max_size=12), st.booleans())
def test_a_value_is_there_exactly_where_its_verdict_lets_it(values, warned):
    row = row_of(series(100, *values), end=100 + len(values), warnings=("w",) if warned else ())
    row.mark(np.arange(len(values)) % 3 == 0, DataVerdict.STALE, "old")
    Recovery().note(row, 60.0, None)
    batch = batch_of([row], row.grid)  # SeriesBatch checks itself
    assert (np.isnan(batch.values) == (batch.verdicts > LAST_VALUED)).all()


def test_warnings_make_values_lower_bounds_and_absence_stays_missing():
    row = row_of(series(100, 1.0, None), end=102, warnings=("store x is down", "y"))
    assert verdicts(row) == [PARTIAL, MISSING]
    assert batch_of([row], row.grid).notes == {0: "store x is down; y"}


def test_a_failed_part_leaves_the_others_alone():
    grid = Grid(100, 104, 60)
    row = Row("q", grid)
    row.take(answer(series(102, 1.0, 2.0)), Grid(102, 104, 60))
    row.fail(Grid(100, 102, 60), fault(DataVerdict.TOO_HEAVY, "too many samples"))
    assert verdicts(row) == [DataVerdict.TOO_HEAVY, DataVerdict.TOO_HEAVY, OK, OK]
    assert batch_of([row], grid).notes == {}, "a note is about the newest step"
    row.cut(102)
    assert row.raw.shape == (2,)


def test_notes_of_a_row_that_is_well_are_not_told():
    row = row_of(series(100, 1.0), end=101)
    row.note = "something old"
    assert batch_of([row], row.grid).notes == {}


def test_a_histogram_is_of_the_wrong_type():
    histogram = Series({}, np.empty(0), np.empty(0), histogram=True)
    row = row_of(histogram, end=102)
    assert verdicts(row) == [DataVerdict.WRONG_TYPE] * 2


def test_after_a_gap_values_are_lower_bounds_for_a_window():
    values = [1.0, 1.0, None, None, 1.0, 1.0, 1.0, 1.0, 1.0]
    row = row_of(series(100, *values), end=109)
    Recovery().note(row, 120.0, None)
    assert verdicts(row) == [OK, OK, MISSING, MISSING, RECOVERING, RECOVERING, RECOVERING, OK, OK]


def later(
    recovery: Recovery, first: int, end: int, *, down: bool = False, window_s: float = 120.0
) -> list[DataVerdict]:
    grid = Grid(first, end, 60)
    row = Row("q", grid)
    if down:
        row.fail(grid, fault(DataVerdict.UNREACHABLE, "gone"))
    else:
        row.take(answer(series(first, *[1.0] * (end - first))), grid)
    recovery.note(row, 120.0, None)
    return verdicts(row)


def test_a_gap_reaches_into_the_next_load():
    recovery = Recovery()
    row = row_of(series(100, 1.0, None, None), end=103)
    recovery.note(row, 120.0, None)
    assert later(recovery, 103, 108) == [RECOVERING, RECOVERING, RECOVERING, OK, OK]
    assert later(recovery, 104, 109) == [RECOVERING, RECOVERING, OK, OK, OK], "read again, it is judged the same"


def test_after_silence_everything_since_is_recovering_for_a_window():
    recovery = Recovery()
    assert later(recovery, 100, 105) == [OK] * 5
    assert later(recovery, 101, 106, down=True)[-1] == DataVerdict.UNREACHABLE
    assert later(recovery, 102, 107, down=True)[-1] == DataVerdict.UNREACHABLE
    assert later(recovery, 103, 108) == [OK, OK, RECOVERING, RECOVERING, RECOVERING]
    assert later(recovery, 106, 111) == [RECOVERING] * 5
    assert later(recovery, 107, 112) == [*[RECOVERING] * 4, OK], "a window and a step after it was back"


def test_a_source_that_was_never_heard_is_recovering_when_it_first_answers():
    recovery = Recovery()
    later(recovery, 100, 105, down=True)
    assert later(recovery, 100, 106) == [*[OK] * 4, RECOVERING, RECOVERING]


@pytest.mark.parametrize(
    ("heard", "want"), [(False, [OK, OK, OK, RECOVERING, RECOVERING]), (True, [OK, *[RECOVERING] * 4])]
)
def test_a_restart_is_counted_from_the_last_good_step(heard, want):
    recovery = Recovery()
    if heard:
        later(recovery, 95, 101)
    row = row_of(series(100, *[1.0] * 5), end=105)
    recovery.note(row, 120.0, 103 * 60.0)
    assert verdicts(row) == want


def test_the_past_is_judged_by_its_own_gaps_only():
    row = row_of(series(100, None, 1.0, 1.0), end=103)
    Recovery.note_past(row, 0.0)
    assert verdicts(row) == [MISSING, RECOVERING, OK]


def test_what_nobody_asks_is_forgotten():
    recovery = Recovery()
    later(recovery, 100, 105, down=True)
    recovery.forget_others(set())
    assert later(recovery, 100, 106) == [OK] * 6
