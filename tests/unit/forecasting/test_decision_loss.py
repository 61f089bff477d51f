"""What a forecast costs as a plan, against the dearest and the cheapest that arithmetic allows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.series import Bools, Floats
from autoscaler.forecasting.decision_loss import GREATEST_MARGIN, LEAST_MARGIN, dearer_on_most_days, decision_costs

RISK = np.array([0.005])


def decision_loss(plan: Floats, peak: Floats, used: Bools, risk: Floats) -> Floats:
    """[row], the mean over what is used."""
    costs = decision_costs(plan, peak, used, risk)
    assert (costs[~used] == 0).all()
    return np.asarray(costs.sum(axis=1) / np.maximum(used.sum(axis=1), 1))


def drawn(seed: int, rows: int = 3, samples: int = 600) -> tuple[Floats, Floats, Bools]:
    rng = np.random.default_rng(seed)
    peak = rng.lognormal(3, 0.5, (rows, samples)) * (rng.random((rows, samples)) < 0.9)
    plan = peak * rng.lognormal(0.2, 0.3, peak.shape) + rng.integers(0, 2)
    return plan, peak, rng.random(peak.shape) < 0.8


def by_hand(plan: Floats, peak: Floats, used: Bools, risk: float) -> float:
    """One row: the cheapest of many margins."""
    p, c = plan[used], peak[used]
    grid = np.clip(
        np.concatenate([c[p > 0] / p[p > 0], [LEAST_MARGIN, GREATEST_MARGIN]]), LEAST_MARGIN, GREATEST_MARGIN
    )
    return min(float((m * p - c + np.maximum(c - m * p, 0) / risk).mean()) for m in np.unique(grid))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), risk=st.sampled_from([0.001, 0.005, 0.05, 0.2]))
def test_it_is_the_cost_under_the_cheapest_margin(seed: int, risk: float) -> None:
    plan, peak, used = drawn(seed)
    found = decision_loss(plan, peak, used, np.full(3, risk))
    wanted = [by_hand(*row, risk) for row in zip(plan, peak, used, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_a_steady_excess_is_mended_by_the_margin_and_costs_nothing() -> None:
    peak = drawn(1)[1][:1]
    loss = decision_loss(1.1 * peak, peak, np.ones_like(peak, dtype=np.bool_), RISK)
    assert loss[0] == pytest.approx(0, abs=1e-9)


def test_what_errs_both_ways_costs_what_stands_there_for_nothing() -> None:
    peak = np.ones((1, 1000))
    plan = np.tile([1.1, 0.9], 500)[None]
    loss = decision_loss(plan, peak, peak > 0, RISK)
    assert loss[0] == pytest.approx((1.1 / 0.9 - 1) / 2)


def test_shortage_is_dear_and_risk_is_its_price() -> None:
    """Four peaks of a thousand come unforeseen at three times the plan: at 0.5 % they are borne, at 0.1 % covered."""
    peak = np.ones((1, 1000))
    peak[0, ::250] = 3.0
    plan, used = np.ones_like(peak), peak > 0
    assert decision_loss(plan, peak, used, np.array([0.005]))[0] == pytest.approx(4 * 2 * (1 / 0.005 - 1) / 1000)
    assert decision_loss(plan, peak, used, np.array([0.001]))[0] == pytest.approx(996 * 2 / 1000)


def test_no_margin_passes_the_limits_of_risk_control() -> None:
    peak, used = np.ones((1, 500)), np.ones((1, 500), dtype=np.bool_)
    assert decision_loss(10 * peak, peak, used, RISK)[0] == pytest.approx(10 * LEAST_MARGIN - 1)
    short = (1 - 0.1 * GREATEST_MARGIN) / 0.005
    assert decision_loss(0.1 * peak, peak, used, RISK)[0] == pytest.approx(0.1 * GREATEST_MARGIN - 1 + short)


@pytest.mark.parametrize("what", ["none used", "zero", "no samples"])
def test_where_nothing_is_to_be_told_it_is_nothing(what: str) -> None:
    peak = np.zeros((2, 0 if what == "no samples" else 50))
    used = np.full(peak.shape, what == "zero")
    np.testing.assert_array_equal(decision_loss(peak + (what == "none used"), peak, used, np.full(2, 0.005)), [0, 0])


def test_rows_and_units_do_not_meet() -> None:
    plan, peak, used = drawn(5)
    together = decision_loss(plan, peak, used, np.array([0.001, 0.005, 0.05]))
    alone = [
        decision_loss(plan[k : k + 1], peak[k : k + 1], used[k : k + 1], np.array([r]))[0]
        for k, r in enumerate([0.001, 0.005, 0.05])
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    np.testing.assert_allclose(
        decision_loss(1e-3 * plan, 1e-3 * peak, used, np.array([0.001, 0.005, 0.05])), 1e-3 * together, rtol=1e-9
    )


def week(blind: list[bool], known: int = 7) -> tuple[tuple[Floats, Floats], Floats, Bools]:
    """Days of a hundred samples. On the blind ones the first plan misses nine of them by half; the second is a
    twentieth off, evenly, and foresees them.
    """
    peak = np.full((7, 100), 100.0)
    peak[np.array(blind), ::12] = 200.0
    used = np.repeat(np.arange(7) >= 7 - known, 100)[None, 5:]  # the oldest day is not whole
    flat = peak.reshape(1, -1)[:, 5:]
    return (np.full_like(flat, 100.0), flat * np.where(np.arange(flat.shape[1]) % 2, 1.05, 0.95)), flat, used


@pytest.mark.parametrize(
    ("blind", "known", "sure"),
    [
        ([True] * 7, 7, True),
        ([False, True] + [True] * 4 + [False], 7, True),
        ([False] * 3 + [True] * 4, 7, False),  # an incident of days
        ([False] * 6 + [True], 7, False),  # which its margin pays for all week
        ([True] * 7, 4, True),
        ([True] * 7, 3, False),  # too few days
        ([False] * 7, 7, False),  # cheaper
    ],
)
def test_one_incident_is_no_proof_of_dearer_plans(blind: list[bool], known: int, sure: bool) -> None:
    plans, peak, used = week(blind, known)
    assert dearer_on_most_days(plans, peak, used, RISK, 100).tolist() == [sure]
    losses = [decision_loss(plan, peak, used, RISK)[0] for plan in plans]
    assert (losses[0] > losses[1]) == any(blind)


def test_no_samples_prove_nothing() -> None:
    none = np.zeros((2, 0))
    assert dearer_on_most_days((none, none), none, none > 0, np.full(2, 0.005), 24).tolist() == [False, False]
