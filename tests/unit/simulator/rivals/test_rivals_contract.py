"""Every rival alike: causal, within limits, anchored to the calendar; ladders and windows counted by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.simulator.rivals import World, all_requested, rivals
from autoscaler.simulator.rivals.contract import counts, held, last_known, leading_max, trailing_max

STEP_S, FIRST, DAY = 300, 5_400_017, 288
"""The recording starts at an odd hour of the day."""
KNOBS = (0.4, 0.7, 1.0)


def world(**changes) -> World:
    return World(**({"step_s": STEP_S, "first_step": FIRST, "capacity": 10.0, "lead_steps": 2, "most": 500} | changes))


def load(days: int, seed: int = 0) -> np.ndarray:
    """A daily cycle with noise, spikes and gaps."""
    rng = np.random.default_rng(seed)
    at = (FIRST + np.arange(days * DAY)) / DAY * 2 * np.pi
    demand = 200 + 120 * np.sin(at) + rng.normal(0, 15, len(at))
    demand[rng.random(len(at)) < 0.01] *= 3
    demand[rng.random(len(at)) < 0.02] = np.nan
    return np.maximum(demand, 0)


@pytest.mark.parametrize("rival", rivals(KNOBS), ids=lambda r: r.name)
@pytest.mark.parametrize("cut", [1, 700, 1000])
def test_the_future_changes_nothing_earlier(rival, cut):
    seen = load(4)
    whole = rival.requested(seen, world())
    other = seen.copy()
    other[cut:] = np.random.default_rng(1).uniform(0, 3000, len(seen) - cut)
    assert whole.shape == (len(rival.knobs), len(seen))
    assert np.array_equal(rival.requested(other, world())[:, : cut + 1], whole[:, : cut + 1])
    assert np.array_equal(rival.requested(seen[: cut + 1], world()), whole[:, : cut + 1])


@pytest.mark.parametrize("rival", rivals(KNOBS), ids=lambda r: r.name)
def test_requests_stay_within_the_limits_and_names_are_unique(rival):
    asked = rival.requested(load(3), world(least=3, most=30))
    assert asked.dtype == np.int64
    assert asked.min() >= 3
    assert asked.max() <= 30
    assert 0 <= rival.default < len(rival.knobs)
    assert [r.name for r in rivals()].count(rival.name) == 1


@pytest.mark.parametrize("rival", rivals(KNOBS), ids=lambda r: r.name)
def test_a_gap_reads_as_the_last_value_held(rival):
    seen = load(3)
    assert np.array_equal(rival.requested(seen, world()), rival.requested(held(seen), world()))


@pytest.mark.parametrize("rival", rivals(KNOBS), ids=lambda r: r.name)
@pytest.mark.parametrize("seen", [np.full(60, np.nan), np.zeros(60), np.full(1, 5.0), np.full(0, 1.0)])
def test_nothing_known_flat_and_tiny_recordings_are_served(rival, seen):
    asked = rival.requested(seen, world())
    assert asked.shape == (len(rival.knobs), len(seen))
    if rival.name != "static":
        assert (asked == 1).all()


def test_all_at_once_are_what_each_is_alone():
    seen = load(3)
    together = list(all_requested(seen, world(), KNOBS))
    assert [r.name for r, _ in together] == [r.name for r in rivals(KNOBS)]
    for rival, asked in together:
        assert np.array_equal(asked, rival.requested(seen, world())), rival.name


def test_counts_by_hand():
    asked = counts(np.array([np.nan, 0, 69, 70, 71, 1e9]), (0.7, 1.0), world())
    assert asked.tolist() == [[1, 1, 10, 10, 11, 500], [1, 1, 7, 7, 8, 500]]


def test_held_and_known_by_hand():
    seen = np.array([np.nan, 1, np.nan, np.nan, 4])
    assert np.array_equal(held(seen), [np.nan, 1, 1, 1, 4], equal_nan=True)
    assert np.array_equal(last_known(seen), [np.nan, np.nan, 1, 1, 1], equal_nan=True)


@given(
    st.lists(st.one_of(st.floats(-5, 5), st.just(float("nan"))), max_size=40),
    st.integers(1, 60),
)
@settings(max_examples=200)
def test_sliding_maxima_are_those_of_the_windows(values, width):
    found = trailing_max(np.array(values), width)
    ahead = leading_max(np.array(values), width)
    for t in range(len(values)):
        back = [x for x in values[max(0, t - width + 1) : t + 1] if not np.isnan(x)]
        forth = [x for x in values[t : t + width] if not np.isnan(x)]
        assert (found[t] == max(back)) if back else np.isnan(found[t])
        assert (ahead[t] == max(forth)) if forth else np.isnan(ahead[t])


@pytest.mark.parametrize(
    "wrong",
    [{"step_s": 0}, {"capacity": 0.0}, {"capacity": float("nan")}, {"lead_steps": -1}, {"least": 0}, {"most": 0}],
)
def test_a_world_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError):
        world(**wrong)


def test_daily_rivals_want_whole_steps_in_a_day():
    with pytest.raises(ValueError, match="whole number of steps"):
        _ = world(step_s=7000).day
