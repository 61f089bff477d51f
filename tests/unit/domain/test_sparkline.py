"""The line of text that shows a series: heights from zero, peaks kept, unknown never zero."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.domain.sparkline import UNKNOWN, sparkline

NAN = float("nan")


def test_heights_rise_from_zero_to_the_largest():
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8) == "▁▂▃▄▅▆▇█"


def test_a_series_far_from_zero_looks_flat():
    """Scaled between its least and most, noise of one percent would look like an incident."""
    assert sparkline([100, 101, 99, 100], 4) in {"████", "██▇█", "█▇█▇"} or set(sparkline([100, 101, 99], 3)) <= {"█"}


def test_unknown_is_a_dot_and_zero_is_the_lowest_block():
    assert sparkline([0, None, 8, NAN], 4) == f"▁{UNKNOWN}█{UNKNOWN}"
    assert sparkline([None, None], 2) == UNKNOWN * 2
    assert sparkline([0, 0], 2) == "▁▁"


def test_a_peak_of_one_sample_is_never_averaged_away():
    values: list[float | None] = [1.0] * 1000
    values[500] = 8.0
    assert "█" in sparkline(values, 10)


def test_ascii_where_the_terminal_has_no_more():
    assert sparkline([0, None, 4, 8], 4, plain=True) == "_ =#"


def test_nothing_is_an_empty_line():
    assert sparkline([], 10) == sparkline([1, 2], 0) == ""


@given(
    st.lists(st.none() | st.floats(min_value=0, max_value=1e300) | st.just(NAN), max_size=200),
    st.integers(1, 60),
)
def test_never_wider_than_asked_and_the_largest_is_shown_full(values, width):
    line = sparkline(values, width)
    assert len(line) == min(width, len(values))
    if any(v is not None and v > 0 for v in values):
        assert "█" in line
