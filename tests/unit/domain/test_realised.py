"""The account of shortage, by hand."""

import numpy as np
import pytest

from autoscaler.domain.realised import FADE_S, LATEST, Look, Realised

DAY = 86_400


def look(
    step: int, demand: float, ready: int, *, late: int = 0, known: bool = True, judged: int = 0, missed: int = 0
) -> Look:
    return Look(
        step, 60, np.array([late]), np.array([demand]), np.array([10.0]), np.array([known]), np.array([ready]),
        np.array([judged]), np.array([missed]),
    )  # fmt: skip


def after(*looks: Look) -> Realised:
    state = Realised.fresh(1)
    for one in looks:
        state = state.after(one)
    return state


def test_a_step_is_judged_by_the_replicas_that_served_in_it() -> None:
    state = after(look(1, np.nan, 2), look(2, 25.0, 9), look(3, 80.0, 9))
    assert state.system_risk[0] == pytest.approx(0.5, rel=1e-4), "25 on two replicas of 10 is short, 80 on nine is not"
    assert state.demand_weighted[0] == pytest.approx(25 / 105, rel=1e-3)
    assert state.unserved_share[0] == pytest.approx(5 / 105, rel=1e-3)


def test_late_data_is_judged_by_its_own_step() -> None:
    state = after(look(1, np.nan, 1), look(2, np.nan, 9), look(3, 15.0, 9, late=1))
    assert state.system_risk[0] == 1.0
    assert np.isnan(after(look(1, np.nan, 1), look(2, 15.0, 9, late=LATEST)).system_risk[0])


def test_M06_unknown_is_no_proof_of_anything() -> None:
    state = after(look(1, np.nan, 2), look(2, np.nan, 2), look(3, 5.0, 2, known=False))
    assert state.steps.tolist() == [1.0], "the step before was read; this tick's target was not"
    assert np.isnan(after(look(1, 5.0, 2)).system_risk[0]), "nobody knows what served before the first look"
    blind = after(look(1, np.nan, 2, known=False), look(2, 99.0, 2))
    assert np.isnan(blind.system_risk[0])


def test_a_gap_of_ticks_leaves_its_steps_unknown() -> None:
    assert np.isnan(after(look(1, np.nan, 2), look(50, 99.0, 2)).system_risk[0])


def test_the_same_step_counts_once() -> None:
    first = after(look(1, np.nan, 2), look(2, 25.0, 9))
    assert first.after(look(2, 25.0, 9)) is first


def test_old_steps_fade() -> None:
    state = after(look(1, np.nan, 1), look(2, 99.0, 1))
    later = state.after(look(2 + int(FADE_S) // 60, np.nan, 1))
    assert later.steps[0] == pytest.approx(np.exp(-1), rel=1e-3)


def test_the_plan_is_counted_beside_the_system() -> None:
    state = after(
        look(1, np.nan, 9, judged=0), look(2, 5.0, 9, judged=1, missed=1), look(3, 5.0, 9, judged=2, missed=1)
    )
    assert state.plan_risk[0] == pytest.approx(0.5, rel=1e-4)
    assert state.system_risk[0] == 0.0


def test_lanes_keep_their_account_when_the_fleet_changes() -> None:
    moved = after(look(1, np.nan, 1), look(2, 99.0, 1)).carried(np.array([-1, 0]))
    assert np.isnan(moved.system_risk[0])
    assert moved.system_risk[1] == 1.0
