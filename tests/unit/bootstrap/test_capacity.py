"""Recorded series become five minutes of one replica, and a capacity."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from autoscaler.bootstrap.capacity import BLOCK_S, CapacityQuestion, Row, capacity_of
from autoscaler.domain.errors import Refused
from autoscaler.planning.capacity import Bound, Refusal

STEP_S = 60
A_DAY = 86400 // STEP_S
STEPS = 4 * A_DAY
FIRST = 1_780_000_000 // BLOCK_S * BLOCK_S // STEP_S
BEGIN = datetime.fromtimestamp(FIRST * STEP_S, UTC)
PER = 25 * (1 - np.cos(np.arange(STEPS) * 2 * np.pi / A_DAY))
REPLICAS = 2.0 + np.arange(STEPS) // 600 % 3


def row(values: Any, name: str = "--load x", step_s: int = STEP_S, first: int = FIRST) -> Row:
    return Row(name, step_s, first, np.asarray(values, dtype=np.float64))


def test_totals_are_divided_by_the_replicas_and_the_limit_is_of_one():
    found = capacity_of(
        CapacityQuestion(1.0, summed=True), row(PER * REPLICAS), row((0.1 + 0.02 * PER) * REPLICAS), row(REPLICAS)
    )
    assert found.found.per_replica == pytest.approx(45, rel=0.02)
    assert (found.since, found.days) == (BEGIN, 4.0)


def test_a_latency_is_not_divided():
    found = capacity_of(CapacityQuestion(1.0), row(PER * REPLICAS), row(0.1 + 0.02 * PER), row(REPLICAS))
    assert found.found.per_replica == pytest.approx(45, rel=0.02)


def test_without_replicas_both_are_of_one_already():
    found = capacity_of(CapacityQuestion(1.0), row(PER), row(0.1 + 0.02 * PER))
    assert found.found.per_replica == pytest.approx(45, rel=0.01)


def test_a_stop_within_a_block_is_no_feat():
    """Four replicas carried it; one is left when it is looked at."""
    replicas = np.full(STEPS, 4.0)
    replicas[1003:1005] = 1
    found = capacity_of(CapacityQuestion(1.0), row(PER * 4), row(0.001 + 0.01 * PER), row(replicas))
    assert found.found.highest == pytest.approx(50, rel=0.01)
    assert np.nanmax(found.seen.load) <= 50


def test_gaps_are_unknown_and_never_zero():
    load, resource = PER.copy(), 0.1 + 0.02 * PER
    load[100:500], resource[900:1500] = np.nan, np.nan
    whole, holed = (
        capacity_of(CapacityQuestion(1.0), row(v), row(r)) for v, r in ((PER, 0.1 + 0.02 * PER), (load, resource))
    )
    assert holed.found.samples == whole.found.samples - 200
    assert holed.found.per_replica == pytest.approx(whole.found.per_replica, rel=0.01)


def test_no_ready_replica_is_unknown_and_no_endless_load():
    replicas = REPLICAS.copy()
    replicas[2000:2100] = 0
    found = capacity_of(CapacityQuestion(1.0), row(PER * REPLICAS), row(0.1 + 0.02 * PER), row(replicas))
    assert found.found.samples < STEPS // 5
    assert np.nanmax(found.seen.load) < 51


def test_series_of_other_steps_and_ranges_meet_where_all_of_them_are():
    coarse = (0.1 + 0.02 * PER).reshape(-1, 5).mean(axis=1)[288:]
    resource = row(coarse, "--resource y", 300, FIRST // 5 + 288)
    found = capacity_of(CapacityQuestion(1.0), row(PER), resource)
    assert found.since == BEGIN + timedelta(days=1)
    assert (found.found.samples, found.found.refused) == (3 * 288, None)


def test_breaches_are_marked_for_their_whole_block():
    slow = (PER > 40).astype(np.float64)
    found = capacity_of(CapacityQuestion(1.0), row(PER), row(0.01 * PER), breach=row(slow, "--breach z"))
    assert found.found.bound is Bound.BREACHES
    assert found.found.per_replica == pytest.approx(40, rel=0.02)


def test_a_new_image_counts_from_its_moment():
    when = BEGIN + timedelta(days=4, hours=-1)
    args = (row(PER), row(0.1 + 0.02 * PER))
    old, new = (capacity_of(CapacityQuestion(1.0, new_image=w), *args).found for w in (None, when))
    assert 1 < new.widened < 1.25
    assert old.per_replica is not None
    assert new.per_replica == pytest.approx(old.per_replica / new.widened)
    later = capacity_of(CapacityQuestion(1.0, new_image=BEGIN + timedelta(days=90)), *args).found
    assert later.widened == 1.25


def test_a_resource_without_samples_is_a_refusal_and_no_error():
    found = capacity_of(CapacityQuestion(1.0), row(PER), row(np.full(STEPS, np.nan)))
    assert found.found.refused is Refusal.NO_RESOURCE


def test_what_cannot_be_laid_side_by_side_is_refused_with_the_way_out():
    question, load, resource = CapacityQuestion(1.0), row(PER), row(0.1 + 0.02 * PER, "--resource y")
    with pytest.raises(Refused, match="share no time: --load x 20"):
        capacity_of(question, load, row(PER, "--resource y", first=FIRST + 10 * STEPS))
    with pytest.raises(Refused, match="--resource y: a step of 7 s"):
        capacity_of(question, load, row(PER, "--resource y", 7))
    with pytest.raises(Refused, match="--load x: a negative value"):
        capacity_of(question, row(PER - 30), resource)
    with pytest.raises(Refused, match="needs the replicas"):
        capacity_of(CapacityQuestion(1.0, summed=True), load, resource)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_is_a_positive_number(limit):
    with pytest.raises(Refused, match="must be a positive number"):
        CapacityQuestion(limit)
