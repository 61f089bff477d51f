"""Figures of a run, counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.simulator.figures import Asked, Served, score

GAP = float("nan")


def served(demand, ready, running=None, step_s=60, warm=0, first=0) -> Served:
    ready = np.array(ready, dtype=np.int64)
    return Served(
        step_s, first, first + warm, 10.0, np.array(demand, dtype=np.float64), ready,
        ready if running is None else np.array(running, dtype=np.int64),
    )  # fmt: skip


def test_every_figure_of_a_short_run_by_hand():
    # needs 2, 3, 5, 5, 2, 1; a replica takes one step to start
    found = score(
        served([20, 25, 50, 45, 20, 5], ready=[2, 3, 3, 5, 3, 1], running=[3, 3, 5, 5, 3, 1]), Asked(1, risk=0.1)
    )
    assert found.steps == 6
    assert found.replica_hours == pytest.approx(20 / 60)
    assert found.bound_hours == pytest.approx((3 + 5 + 5 + 5 + 2 + 1) / 60)
    assert found.over_bound == pytest.approx(20 / 21)
    assert found.short_minutes == 1.0
    assert found.short_share == pytest.approx(1 / 6)
    assert found.unserved_hours == pytest.approx(20 / 60)
    assert found.unserved_share == pytest.approx(20 / 165)
    assert found.worst_missing == 2
    assert found.worst_share == pytest.approx(0.4)
    assert found.longest_short_minutes == 1.0
    assert found.churn_per_hour == pytest.approx((0 + 0 + 2 + 0 + 2 + 2) * 10)
    assert found.turns_per_day == pytest.approx(1 * 240)
    assert found.risk_ratio == pytest.approx((1 / 6) / 0.1)
    assert (found.risk_low, found.risk_high) == (None, None)


def test_unobserved_steps_are_neither_scored_nor_paid():
    clear = score(served([50, 50, 20], [1, 1, 2]), Asked(0, risk=0.1))
    with_gaps = score(served([50, GAP, 50, GAP, GAP, 20], [1, 90, 1, 0, 0, 2]), Asked(0, risk=0.1))
    for name in ("steps", "replica_hours", "bound_hours", "short_minutes", "unserved_hours", "worst_missing"):
        assert getattr(with_gaps, name) == getattr(clear, name), name
    assert with_gaps.unobserved_steps == 3
    assert with_gaps.longest_short_minutes == 1.0  # nobody knows whether the gap was short too


def test_censored_steps_are_in_no_figure_but_their_own():
    clear = score(served([50, 50, 20], [1, 1, 2]), Asked(0, risk=0.1))
    run = served([50, 90, 50, GAP, 15, 20, 40], [1, 1, 1, 1, 2, 2, 9])
    marks = np.array([False, True, False, True, True, False, True])
    found = score(replace(run, censored=marks), Asked(0, risk=0.1))
    for name in ("steps", "replica_hours", "bound_hours", "short_minutes", "short_share", "unserved_hours",
                 "unserved_share", "worst_missing", "worst_share", "risk_ratio"):  # fmt: skip
        assert getattr(found, name) == getattr(clear, name), name
    assert found.longest_short_minutes == 1.0
    assert (found.unobserved_steps, found.censored_steps, found.censored_short_steps) == (1, 3, 1)
    warm = score(replace(run, censored=marks, scored_step=2), Asked(0, risk=0.1))
    assert (warm.steps, warm.unobserved_steps, warm.censored_steps, warm.censored_short_steps) == (2, 1, 2, 0)
    assert (clear.censored_steps, clear.censored_short_steps, clear.node_hours) == (0, 0, None)


def test_node_hours_are_those_of_scored_steps():
    found = score(replace(served([5, GAP, 5, 5], [1] * 4, warm=1), nodes=np.array([9, 9, 2, 3])), Asked(0, risk=0.1))
    assert found.node_hours == pytest.approx(5 / 60)


def test_the_warm_up_is_not_scored_but_bounds_the_first_needs():
    whole = served([90, 90, GAP, 20, 20], [1, 1, 1, 2, 2], warm=2)
    found = score(whole, Asked(0, risk=0.1))
    assert (found.steps, found.unobserved_steps, found.short_minutes) == (2, 1, 0.0)
    assert found.replica_hours == pytest.approx(4 / 60)


def test_nothing_scored_tells_nothing():
    for run in (served([GAP, GAP], [1, 1]), served([5, 5], [1, 1], warm=9)):
        found = score(run, Asked(1, risk=0.1))
        assert (found.steps, found.replica_hours, found.over_bound, found.short_share) == (0, 0.0, None, None)
        assert (found.risk_ratio, found.churn_per_hour, found.turns_per_day, found.unserved_share) == (None,) * 4
    assert score(served([0, 0], [1, 1]), Asked(1, risk=0.1)).over_bound == 1.0  # the bound keeps the least, too
    assert score(served([900, 900], [3, 3]), Asked(1, risk=0.1, most=3)).over_bound == 1.0  # and the most


def test_a_rounding_error_of_a_full_replica_is_no_shortage():
    assert score(served([10.000000000001], [1]), Asked(0, risk=0.1)).short_minutes == 0


def test_the_interval_draws_whole_days_and_is_the_same_each_time():
    rng = np.random.default_rng(1)
    demand = np.where(rng.random(30 * 24) < 0.02, 30.0, 5.0)
    run = served(demand, np.ones(30 * 24), step_s=3600, first=24 * 1000)
    found = score(run, Asked(0, risk=0.01))
    assert found.risk_ratio == pytest.approx(demand[demand > 10].size / (30 * 24) / 0.01)
    low, ratio, high = found.risk_low, found.risk_ratio, found.risk_high
    assert low is not None
    assert ratio is not None
    assert high is not None
    assert low < ratio < high
    assert score(run, Asked(0, risk=0.01)) == found
    # all shortage on one day of thirty: independent steps would be far surer than days are
    spell = np.full(30 * 24, 5.0)
    spell[240:264] = 30.0
    one_day = score(replace(run, demand=spell), Asked(0, risk=0.01))
    assert one_day.risk_low == 0.0
    assert one_day.risk_high is not None
    assert one_day.risk_high > 6


def test_steps_without_shortage_have_a_risk_of_zero_and_an_interval_of_zero():
    found = score(served([5.0] * 96, [1] * 96, step_s=3600), Asked(0, risk=0.01))
    assert (found.risk_ratio, found.risk_low, found.risk_high) == (0.0, 0.0, 0.0)
