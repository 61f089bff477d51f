"""What a replica is trusted with: its CPU request, and never much more than was seen."""

from typing import Any

import numpy as np
import pytest

from autoscaler.bootstrap.advise.candidates import Basis, Confidence, HpaAsSet
from autoscaler.bootstrap.advise.capacity import (
    NoCapacity,
    PerReplica,
    capacity,
    cpu_of_requests,
    per_replica,
    target_percent,
)
from autoscaler.planning.capacity import BEYOND_SEEN

BLOCKS = 400


def _seen(load: Any, cores: Any = None) -> Any:
    values = np.asarray(load, dtype=np.float64)
    return PerReplica(values, values if cores is None else np.asarray(cores, dtype=np.float64))


def test_a_request_that_was_reached_is_the_capacity(candidate):
    found = capacity(candidate(), _seen(np.linspace(0.2, 0.95, BLOCKS)), None)
    assert (found.per_replica, found.doubts) == (1.0, ())
    assert "CPU request (1 cores)" in found.words


@pytest.mark.parametrize(("highest", "level"), [(0.7, Confidence.MEDIUM), (0.3, Confidence.LOW)])
def test_never_more_than_a_tenth_above_what_was_seen(candidate, highest, level):
    found = capacity(candidate(), _seen(np.linspace(0.1, highest, BLOCKS)), None)
    assert found.per_replica == pytest.approx(BEYOND_SEEN * highest)
    assert [d.most for d in found.doubts] == [level]
    assert f"above {highest:.0%}" in found.doubts[0].words


def test_requests_are_carried_as_far_as_their_cpu_reaches(candidate):
    load = np.linspace(5, 33, BLOCKS)
    seen = _seen(load, 0.02 + 0.03 * load)
    curve: Any = cpu_of_requests(seen)
    assert (curve.curve.idle[0], curve.curve.slope[0], curve.explained) == pytest.approx((0.02, 0.03, 1.0))
    one = candidate(basis=Basis.REQUESTS)
    found = capacity(one, seen, curve)
    assert found.per_replica == pytest.approx((1 - 0.02) / 0.03)
    # 70 % of the request is 0.7 cores, which 22.67 requests a second use
    assert target_percent(one.hpa, one, found, curve) == pytest.approx(100 * (0.68 / 0.03) / found.per_replica)


def test_requests_that_say_little_about_cpu_leave_little_confidence(candidate):
    rng = np.random.default_rng(0)
    load = rng.uniform(5, 33, BLOCKS)
    seen = _seen(load, 0.1 + 0.01 * load + rng.normal(0, 0.15, BLOCKS))
    curve: Any = cpu_of_requests(seen)
    assert curve.explained < 0.5
    found = capacity(candidate(basis=Basis.REQUESTS), seen, curve)
    assert Confidence.LOW in {d.most for d in found.doubts}


@pytest.mark.parametrize("cores", [np.full(BLOCKS, 0.3), np.linspace(0.9, 0.1, BLOCKS)])
def test_cpu_that_does_not_rise_with_the_load_gives_no_curve(candidate, cores):
    seen = _seen(np.linspace(1, 10, BLOCKS), cores)
    assert cpu_of_requests(seen) is None
    one = candidate(basis=Basis.REQUESTS)
    found = capacity(one, seen, None)
    with pytest.raises(NoCapacity, match="does not rise"):
        target_percent(one.hpa, one, found, None)


@pytest.mark.parametrize(("load", "words"), [(np.full(20, 0.5), "12 hours"), (np.zeros(BLOCKS), "ever carried")])
def test_where_nothing_was_seen_nothing_is_derived(candidate, load, words):
    with pytest.raises(NoCapacity, match=words):
        capacity(candidate(), _seen(load), None)


def test_a_typed_capacity_stands(candidate):
    one = candidate(basis=Basis.TYPED, capacity=45.0, hpa=HpaAsSet("h", 2, 9, capacity_percent=70))
    found = capacity(one, _seen([]), None)
    assert (found.per_replica, target_percent(one.hpa, one, found, None)) == (45.0, 70.0)


def test_an_hpa_without_a_cpu_request_has_no_target(candidate):
    one = candidate(request_cores=None)
    found = capacity(one, _seen(np.linspace(0.1, 0.7, BLOCKS)), None)
    assert found.doubts[0].most is Confidence.LOW
    with pytest.raises(NoCapacity, match="no request is on record"):
        target_percent(one.hpa, one, found, None)


def test_a_start_is_no_feat(record):
    """Ready replicas that drop in the middle of a block divide by what was there at its begin."""
    told = record(np.full(20, 8.0), ready=np.array([4.0, 4.0, 1.0, 4.0]))
    np.testing.assert_allclose(per_replica(told, 60).load, [2.0, 2.0, 2.0, 2.0])
