"""What one replica serves is learned, or refused with a reason."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.planning.capacity import BEYOND_SEEN, ENOUGH_NEW, NEW_IMAGE, Bound, Refusal, Seen, learned

A_DAY = 288
STEPS = 7 * A_DAY
IDLE, EACH = 0.1, 0.02


def day_and_night(top: float, steps: int = STEPS) -> Any:
    return top / 2 * (1 - np.cos(np.arange(steps) * 2 * np.pi / A_DAY))


def seen(load: Any, resource: Any, limit: float = 1.0, breached: Any = None, new_from: int = 0) -> Seen:
    load, resource = np.atleast_2d(load).astype(np.float64), np.atleast_2d(resource).astype(np.float64)
    none = np.zeros(load.shape, dtype=np.bool_)
    return Seen(
        load, resource, np.full(len(load), limit), none if breached is None else np.atleast_2d(breached),
        np.full(len(load), new_from, dtype=np.int64),
    )  # fmt: skip


def one(load: Any, resource: Any, **kwargs: Any) -> Any:
    return learned(seen(load, resource, **kwargs))[0]


def noisy(values: Any, share: float = 0.05, seed: int = 0) -> Any:
    return values * np.exp(share * np.random.default_rng(seed).standard_normal(len(values)))


@pytest.mark.parametrize(("top", "capacity", "bound"), [(50, 45.0, Bound.CURVE), (30, 33.0, Bound.SEEN)])
def test_worked_examples(top, capacity, bound):
    load = day_and_night(top)
    found = one(load, IDLE + EACH * load)
    assert found.per_replica == pytest.approx(capacity, rel=1e-6)
    assert (found.bound, found.refused, found.explained, found.widened) == (bound, None, pytest.approx(1.0), 1.0)


def test_latency_that_bends_is_read_where_it_reaches_its_slo():
    """M/M/1-like: 20 ms of service at a saturation of 55; 100 ms are reached at 44."""
    load = day_and_night(43)
    found = one(load, noisy(0.02 / (1 - load / 55), 0.02), limit=0.1)
    assert found.per_replica == pytest.approx(44, rel=0.05)


def test_noise_costs_capacity_and_never_adds_any():
    """Within an SLO is more than on average within it: noise of 5 % leaves a tenth to spare."""
    load = day_and_night(44)
    found = one(load, noisy(IDLE + EACH * load))
    assert 0.85 * 45 < found.per_replica <= 45
    assert found.low <= found.per_replica <= found.high


def test_breaches_bound_what_the_resource_does_not_show():
    load = day_and_night(50)
    found = one(load, 0.01 * load, breached=load > 40)
    assert (found.bound, found.refused) == (Bound.BREACHES, None)
    assert found.per_replica == pytest.approx(40, rel=0.01)


def test_a_few_breaches_at_low_load_are_an_incident_and_not_the_capacity():
    load = day_and_night(50)
    incident = np.zeros(STEPS, dtype=np.bool_)
    incident[1000:1004] = True
    calm, shaken = one(load, IDLE + EACH * load), one(load, IDLE + EACH * load, breached=incident)
    assert shaken.per_replica == pytest.approx(calm.per_replica, rel=1e-3)


LOAD = day_and_night(50)
RANDOM = np.random.default_rng(5)
SPIKES = day_and_night(50, 25 * A_DAY) ** 8 / 50**7
ONE_BAD_DAY = np.where(np.arange(25 * A_DAY) // A_DAY == 7, 5.0, 1.0)
REFUSED = [
    (np.full(STEPS, 20.0) + RANDOM.uniform(0, 1, STEPS), RANDOM.uniform(0, 1, STEPS), Refusal.LITTLE_SPREAD),
    (LOAD, np.full(STEPS, np.nan), Refusal.NO_RESOURCE),
    (LOAD, np.full(STEPS, 0.3), Refusal.NOT_RISING),
    (LOAD, 0.9 - 0.01 * LOAD, Refusal.NOT_RISING),
    (LOAD, 0.1 + 0.001 * (LOAD - 20) ** 2, Refusal.NOT_MONOTONE),
    (LOAD, RANDOM.uniform(0.2, 0.8, STEPS) + 1e-4 * LOAD, Refusal.NOT_EXPLAINED),
    (LOAD, 1.5 + 0.01 * LOAD, Refusal.ALWAYS_BREACHED),
    (np.zeros(STEPS), RANDOM.uniform(0.2, 0.8, STEPS), Refusal.NO_LOAD),
    (LOAD[:100], 0.02 * LOAD[:100], Refusal.FEW_SAMPLES),
    (SPIKES, ONE_BAD_DAY * (0.004 + 0.0167 * SPIKES), Refusal.UNCERTAIN),
]


@pytest.mark.parametrize(("load", "resource", "reason"), REFUSED, ids=[r.value for *_, r in REFUSED])
def test_what_cannot_be_trusted_is_refused_with_its_reason(load, resource, reason):
    found = one(load, resource)
    assert found.refused is reason
    assert (found.per_replica, found.low, found.high) == (None, None, None)
    assert ": " in reason.words  # what is wrong, and the way out


def test_breaches_at_every_load_are_refused():
    assert one(LOAD, EACH * LOAD, breached=np.ones(STEPS, dtype=np.bool_)).refused is Refusal.ALWAYS_BREACHED


def test_a_new_image_widens_and_fades_with_its_samples():
    resource = IDLE + EACH * LOAD
    old = one(LOAD, resource)
    widened = [one(LOAD, resource, new_from=STEPS - n) for n in (0, 50, 150, ENOUGH_NEW - 1)]
    assert [w.per_replica for w in widened] == sorted(w.per_replica for w in widened)
    assert [w.high for w in widened] == sorted((w.high for w in widened), reverse=True)
    assert widened[0].per_replica == pytest.approx(old.per_replica / NEW_IMAGE)
    assert all(w.low <= w.per_replica < old.per_replica < w.high for w in widened)
    assert widened[0].widened == NEW_IMAGE


def test_a_new_image_speaks_for_itself_once_it_has_a_day():
    heavier = np.where(np.arange(STEPS) >= STEPS - 400, 0.03 * LOAD, 0.02 * LOAD)
    found = one(LOAD, heavier, new_from=STEPS - 400)
    assert (found.per_replica, found.samples, found.widened) == (pytest.approx(100 / 3, rel=1e-3), 400, 1.0)


def test_a_new_image_that_shows_nothing_yet_leaves_the_old_answer_widened():
    load = LOAD.copy()
    load[-400:] = 20.0
    found = one(load, IDLE + EACH * load, new_from=STEPS - 400)
    assert found.refused is None
    assert found.widened > 1 or found.samples == 400
    assert found.per_replica < 45


def test_lanes_do_not_see_each_other():
    loads = np.stack([LOAD * k for k in (0.3, 1.0, 1.4)] * 30)
    resources = np.stack([noisy(IDLE + EACH * row, seed=k) for k, row in enumerate(loads)])
    resources[4] = np.nan
    together = learned(seen(loads, resources))
    for lane in (0, 4, 70, 89):
        assert together[lane] == one(loads[lane], resources[lane])


@settings(max_examples=30)
@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(0, 9))
def test_units_of_load_and_resource_do_not_matter(load_power, resource_power, seed):
    load = day_and_night(48, 400)
    resource = noisy(IDLE + EACH * load, 0.2, seed)
    here = one(load, resource)
    there = one(load * 2.0**load_power, resource * 2.0**resource_power, limit=2.0**resource_power)
    assert here.refused is there.refused
    assert here.explained == pytest.approx(there.explained)
    if here.per_replica is not None:
        assert there.per_replica == pytest.approx(here.per_replica * 2.0**load_power)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.9), st.floats(0.1, 3.0))
def test_never_above_what_was_carried_and_unknown_is_never_zero(seed, gaps, limit):
    rng = np.random.default_rng(seed)
    load = day_and_night(rng.uniform(1, 100), 700) * rng.uniform(0.7, 1, 700)
    resource = noisy(0.05 + rng.uniform(0.001, 0.1) * load, 0.1, seed)
    load[rng.uniform(size=700) < gaps] = np.nan
    resource[rng.uniform(size=700) < gaps / 2] = np.nan
    breached = rng.uniform(size=700) < 0.02
    found = one(load, resource, limit=limit, breached=breached)
    both = np.isfinite(load) & np.isfinite(resource)
    assert found.samples == both.sum()
    good = load[both & ~breached & ~(resource > limit)]
    if found.per_replica is None:
        assert found.refused is not None
    else:
        assert 0 < found.low <= found.per_replica <= found.high
        assert found.per_replica <= BEYOND_SEEN * good.max() * (1 + 1e-9)


@settings(max_examples=25)
@given(st.floats(0.2, 2.0), st.floats(1.0, 2.0))
def test_a_higher_limit_is_never_a_lower_capacity(limit, more):
    resource = noisy(IDLE + EACH * LOAD, 0.1)
    low, high = one(LOAD, resource, limit=limit), one(LOAD, resource, limit=limit * more)
    if low.per_replica is not None and high.per_replica is not None:
        assert low.per_replica <= high.per_replica * (1 + 1e-9)


@pytest.mark.parametrize(
    ("load", "resource", "limit", "words"),
    [
        (np.ones(5), np.ones(4), 1.0, "one per sample"),
        (np.ones(5), -np.ones(5), 1.0, "not negative"),
        (np.full(5, np.inf), np.ones(5), 1.0, "not negative and finite"),
        (np.ones(5), np.ones(5), 0.0, "positive"),
        (np.ones(5), np.ones(5), np.nan, "positive"),
    ],
)
def test_what_is_no_record_is_refused_by_its_place(load, resource, limit, words):
    with pytest.raises(ValueError, match=words):
        seen(load, resource, limit=limit)


def test_no_lane_is_no_answer():
    assert len(learned(seen(np.empty((0, 10)), np.empty((0, 10)))).per_replica) == 0
