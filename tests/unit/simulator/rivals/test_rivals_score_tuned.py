"""Scores and tuning, counted by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.simulator.figures import Asked, Served
from autoscaler.simulator.figures import score as figures_score
from autoscaler.simulator.rivals import World, causally, frontier, in_hindsight, paid_at, ready, score
from autoscaler.simulator.rivals.score import LadderScores, short
from autoscaler.simulator.rivals.tuned import rungs_by_day

GAP = np.nan


def world(**changes) -> World:
    return World(**({"step_s": 3600, "first_step": 0, "capacity": 10.0, "lead_steps": 1} | changes))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(0, 40))
@settings(max_examples=200)
def test_ready_are_the_fewest_asked_for_within_the_lead(asked, lead):
    found = ready(np.array([asked, asked]), lead)
    assert found.shape == (2, len(asked))
    assert found[0].tolist() == [min(asked[max(0, t - lead) : t + 1]) for t in range(len(asked))]


def test_a_ladder_by_hand():
    demand = np.array([20, 50, 50, GAP, 20, 20])  # needs 2, 5, 5, ?, 2, 2
    asked = np.array([[2, 5, 5, 9, 2, 2], [5, 5, 5, 5, 5, 5], [1, 1, 1, 1, 1, 1]])
    found = score(asked, demand, world(), warm_steps=1)
    assert found.steps == 4
    assert found.short.tolist() == [0.25, 0.0, 1.0]
    assert found.paid.tolist() == [14.0, 20.0, 4.0]  # the gap's nine replicas are not paid
    assert found.bound_hours == 5 + 5 + 2 + 2
    assert found.over_bound.tolist() == pytest.approx([1.0, 20 / 14, 4 / 14])


def test_nothing_scored_is_no_shortage():
    found = score(np.ones((2, 3), dtype=np.int64), np.full(3, GAP), world())
    assert (found.steps, found.short.tolist(), found.paid.tolist()) == (0, [0.0, 0.0], [0.0, 0.0])


def test_a_ladder_is_scored_as_a_run_is():
    rng = np.random.default_rng(4)
    demand = rng.uniform(0, 90, 400)
    demand[rng.random(400) < 0.1] = GAP
    asked = rng.integers(1, 12, (3, 400))
    ours = score(asked, demand, world(step_s=60, lead_steps=3), warm_steps=100)
    for knob in range(3):
        run = figures_score(Served(60, 0, 100, 10.0, demand, ready(asked[knob], 3), asked[knob]), Asked(3, risk=0.01))
        assert run.short_share == pytest.approx(ours.short[knob])
        assert run.replica_hours == pytest.approx(ours.paid[knob])
        assert run.over_bound == pytest.approx(ours.over_bound[knob])


LADDER = LadderScores(
    short=np.array([0.0, 0.004, 0.01, 0.004, 0.02]),
    paid=np.array([100.0, 60, 40, 70, 45]),
    bound_hours=50.0,
    steps=1000,
)


def test_in_hindsight_the_cheapest_rung_within_the_risk():
    assert in_hindsight(LADDER, 0.005) == 1
    assert in_hindsight(LADDER, 0.01) == 2
    assert in_hindsight(LADDER, 0.001) == 0
    assert in_hindsight(LadderScores(np.array([0.5]), np.array([1.0]), 1.0, 10), 0.1) is None


def test_the_frontier_and_the_cost_on_it():
    assert frontier(LADDER).tolist() == [2, 1, 0]
    assert paid_at(LADDER, 0.004) == 60
    assert paid_at(LADDER, 0.007) == pytest.approx(50)
    assert paid_at(LADDER, 0.5) == 40
    assert paid_at(LadderScores(np.array([0.5]), np.array([1.0]), 1.0, 10), 0.1) is None


def test_of_equally_cheap_rungs_the_safer_is_on_the_frontier():
    scores = LadderScores(np.array([0.2, 0.1]), np.array([5.0, 5.0]), 1.0, 10)
    assert frontier(scores).tolist() == [1]


def test_each_midnight_the_cheapest_rung_that_kept_the_risk():
    demand = np.full(24 * 5, 20.0)
    demand[24:48] = 50  # the second day needs five
    asked = np.repeat(np.array([[2], [5], [9]]), len(demand), axis=1)
    rung = rungs_by_day(asked, demand, world(), 0.01, default=2, days=1)
    assert rung[::24].tolist() == [2, 0, 1, 0, 0]
    assert causally(asked, demand, world(), 0.01, default=2, days=1)[::24].tolist() == [9, 2, 5, 2, 2]
    longer = rungs_by_day(asked, demand, world(), 0.01, default=2, days=14)
    assert longer[::24].tolist() == [2, 0, 1, 1, 1]


def test_where_no_rung_kept_the_risk_the_safest_serves_and_a_day_of_gaps_changes_nothing():
    demand = np.concatenate((np.full(24, 50.0), np.full(24, GAP), np.full(24, 20.0)))
    asked = np.repeat(np.array([[2], [4]]), 72, axis=1)
    asked[1, :12] = 6
    assert rungs_by_day(asked, demand, world(), 0.01, default=0, days=1)[::24].tolist() == [0, 1, 1]


def test_days_are_the_calendars():
    demand = np.full(30, 20.0)
    asked = np.repeat(np.array([[2], [9]]), 30, axis=1)
    rung = rungs_by_day(asked, demand, world(first_step=20), 0.01, default=1)
    assert rung.tolist() == [1] * 4 + [0] * 26


@pytest.mark.parametrize("cut", [24, 100, 143])
def test_causal_tuning_does_not_know_the_future(cut):
    rng = np.random.default_rng(0)
    demand = rng.uniform(0, 90, 240)
    asked = np.repeat(np.arange(1, 10)[:, None], 240, axis=1)
    whole = causally(asked, demand, world(), 0.1, default=4)
    demand[cut:] = 1e6
    assert np.array_equal(causally(asked, demand, world(), 0.1, default=4)[:cut], whole[:cut])


def test_short_is_judged_on_ready_replicas():
    assert short(np.array([1, 3, 3]), np.array([10.0, 30, 30]), world()).tolist() == [False, True, False]
