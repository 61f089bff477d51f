"""Claims: three rows, both sides each, and never a comparison that the record cannot carry."""

import numpy as np
import pytest

from autoscaler.simulator.claims import NOT_COMPARABLE, claims
from autoscaler.simulator.comparison import Entry, Tuning
from autoscaler.simulator.figures import Asked, Served, score

TITLES = ("as set", "retuned", "ours")
HOURS_A_DAY = 24


def entry(replicas_by_day: list[int], demand: float = 95.0, spikes: dict[int, float] | None = None) -> Entry:
    """Hourly steps; one replica serves 10. spikes: step → demand."""
    replicas = np.repeat(np.array(replicas_by_day, dtype=np.int64), HOURS_A_DAY)
    load = np.full(len(replicas), demand)
    for step, value in (spikes or {}).items():
        load[step] = value
    one = Served(3600, 0, 0, 10.0, load, replicas, replicas)
    return Entry("x", Tuning.AS_SET, None, one, score(one, Asked(0, 0.01)))


def test_three_rows_with_both_sides_worked_by_hand():
    spikes = {5: 115.0, 30: 135.0}
    found = claims(
        entry([12] * 4, spikes=spikes), entry([14] * 4, spikes=spikes), entry([11, 14, 10, 10], spikes=spikes), TITLES
    )
    as_set, retuned, ours = found.rows
    assert (as_set.replica_hours.value, as_set.short_minutes.value) == (12 * 96, 60)
    assert as_set.saving is None
    assert retuned.saving is not None
    assert retuned.saving.value == pytest.approx(1 - 14 / 12)
    assert retuned.saving.low == pytest.approx(retuned.saving.high), "the same ratio on every day"
    assert retuned.avoided_minutes is not None
    assert retuned.avoided_minutes.value == 60
    assert (ours.replica_hours.value, ours.short_minutes.value) == (45 * 24, 60)
    assert ours.saving is not None
    assert ours.saving.low is not None
    assert ours.saving.high is not None
    assert ours.saving.value == pytest.approx(1 - 45 / 48)
    assert ours.saving.low < ours.saving.value < ours.saving.high
    assert not found.caveats


def test_without_an_observed_shortage_nothing_is_claimed_at_equal_risk():
    found = claims(entry([12] * 4), entry([11] * 4), entry([10] * 4), TITLES)
    assert any(NOT_COMPARABLE in words and "no shortage was observed" in words for words in found.caveats)


def test_where_no_target_keeps_our_risk_the_row_is_left_out_and_said():
    found = claims(entry([12] * 4, spikes={3: 130.0}), None, entry([13] * 4), TITLES)
    assert [row.title for row in found.rows] == ["as set", "ours"]
    assert any(NOT_COMPARABLE in words and "at no target" in words for words in found.caveats)


def test_a_day_or_two_carry_no_interval_and_that_is_said():
    found = claims(entry([12] * 2, spikes={3: 130.0}), None, entry([12] * 2), TITLES)
    assert found.rows[0].replica_hours.low is None
    assert found.rows[1].saving is not None
    assert found.rows[1].saving.low is None
    assert any("fewer than 3 days" in words for words in found.caveats)
