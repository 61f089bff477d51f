from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autoscaler.domain.forecast import LEVELS, PeakForecast
from autoscaler.domain.reasons import Reason
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.series import DataVerdict, Panel, SeriesBatch, step_at, time_of

RAW = hnp.arrays(np.float64, st.tuples(st.integers(0, 4), st.integers(0, 12)))


@given(raw=RAW, absent=st.sampled_from([DataVerdict.MISSING, DataVerdict.UNREACHABLE]))
def test_M03_M04_M05_judged_samples_are_demand_or_unknown_with_a_reason(raw: np.ndarray, absent: DataVerdict) -> None:
    before = raw.copy()
    batch = SeriesBatch.judge(60, 100, raw, absent)
    np.testing.assert_array_equal(raw, before)
    fine = np.isfinite(raw) & (raw >= 0)
    np.testing.assert_array_equal(batch.verdicts == DataVerdict.OK, fine)
    np.testing.assert_array_equal(batch.values, np.where(fine, raw, np.nan))
    assert (batch.verdicts[np.isnan(raw)] == absent).all()
    assert (batch.verdicts[raw == np.inf] == DataVerdict.NOT_FINITE).all()
    assert (batch.verdicts[raw < 0] == DataVerdict.NEGATIVE).all()
    assert batch.end_step == 100 + raw.shape[1]


@pytest.mark.parametrize("value", [np.inf, -1.0, np.nan])
def test_a_batch_that_was_not_judged_is_refused(value: float) -> None:
    with pytest.raises(ValueError):
        SeriesBatch(60, 0, np.array([[value]]), np.zeros((1, 1), dtype=np.uint8))


@pytest.mark.parametrize(
    ("values", "verdicts", "step_s"), [((1, 2), (1, 3), 60), ((2,), (2,), 60), ((1, 2), (1, 2), 0)]
)
def test_a_batch_is_one_grid(values: tuple[int, ...], verdicts: tuple[int, ...], step_s: int) -> None:
    with pytest.raises(ValueError):
        SeriesBatch(step_s, 0, np.ones(values), np.zeros(verdicts, dtype=np.uint8))


def test_a_batch_cannot_be_changed_afterwards() -> None:
    batch = SeriesBatch.judge(60, 0, np.ones((1, 3)))
    with pytest.raises(ValueError, match="read-only"):
        batch.values[0, 0] = 2.0


@given(first=st.integers(-20, 40), width=st.integers(0, 30))
def test_a_panel_is_unknown_outside_and_never_wraps_around(first: int, width: int) -> None:
    values = np.arange(1.0, 21.0).reshape(2, 10)
    panel = Panel.of(SeriesBatch.judge(60, 5, values))
    got, faults = panel.columns(first, first + width), panel.faults(first, first + width)
    assert got.shape == faults.shape == (2, width)
    for k in range(width):
        step = first + k
        if 5 <= step < 15:
            np.testing.assert_array_equal(got[:, k], values[:, step - 5])
            assert (faults[:, k] == DataVerdict.OK).all()
        else:
            assert np.isnan(got[:, k]).all()
            assert (faults[:, k] == DataVerdict.MISSING).all()
    np.testing.assert_array_equal(panel.columns(first, first + width, np.array([1])), got[1:])
    got[:] = 0
    np.testing.assert_array_equal(panel.values, values)


@pytest.mark.parametrize(("end", "left"), [(0, 0), (100, 0), (102, 2), (110, 3)])
def test_a_cut_keeps_nothing_at_or_after_its_end(end: int, left: int) -> None:
    assert SeriesBatch.judge(60, 100, np.ones((2, 3))).upto(end).values.shape == (2, left)


def test_steps_are_anchored_to_the_epoch() -> None:
    when = datetime(2026, 3, 1, 12, 0, 59, tzinfo=UTC)
    assert time_of(step_at(when, 60), 60) == datetime(2026, 3, 1, 12, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        step_at(datetime(2026, 3, 1), 60)


@pytest.mark.parametrize(
    "quantiles", [[1.0, np.inf, np.inf], [-1.0, 2.0, 3.0], [np.nan, 1.0, 2.0], [3.0, 2.0, 4.0], [1.0, 2.0]]
)
def test_a_forecast_that_is_none_is_refused(quantiles: list[float]) -> None:
    with pytest.raises(ValueError):
        PeakForecast(LEVELS, np.array([[quantiles]]), np.array([[True]]), np.array([[0]]), ("m",))


def test_replica_counts_are_one_shape_and_never_negative() -> None:
    one, yes = np.array([1]), np.array([True])
    ReplicaStatus(yes, one, one, one, one)
    with pytest.raises(ValueError, match="agree"):
        ReplicaStatus(yes, one, np.array([1, 2]), one, one)
    with pytest.raises(ValueError, match="negative"):
        ReplicaStatus(yes, -one, one, one, one)


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("limit", [None, 7.0, 7.25])
def test_every_reason_has_a_sentence(reason: Reason, limit: float | None) -> None:
    words = reason.words(3, 5, limit)
    assert "{" not in words
    assert len(words) > 10


@pytest.mark.parametrize("verdict", DataVerdict)
def test_every_verdict_has_words(verdict: DataVerdict) -> None:
    assert verdict.words
