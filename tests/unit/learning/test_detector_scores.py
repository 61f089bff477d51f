"""A detector alone over recorded metrics: what is said of a day is not changed by the days after it."""

import numpy as np
import pytest

from autoscaler.detection.contract import Block
from autoscaler.detection.single import MEMBERS, Single
from autoscaler.learning.detection_figures import Found, Labelled, found_over, scored, threshold_for
from autoscaler.learning.detector_scores import relived

STEP_S, DAY, FIRST = 1800, 48, 900_017


def values(days: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    t = np.arange(days * DAY)
    return (200 + 150 * np.sin(2 * np.pi * t / DAY)) * rng.lognormal(0, 0.1, t.size)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_day_is_scored_by_what_was_known_before_it(name: str) -> None:
    line = values(12)
    whole = relived(Single(name), Block(STEP_S, FIRST, line[None]))
    bent = line.copy()
    bent[9 * DAY + 7 :] = 1e6
    other = relived(Single(name), Block(STEP_S, FIRST, bent[None]))
    assert whole.shape == (1, line.size)
    assert np.isfinite(whole[0, 8 * DAY :]).mean() > 0.9
    np.testing.assert_allclose(other[:, : 9 * DAY + 7], whole[:, : 9 * DAY + 7], rtol=1e-9)
    short = relived(Single(name), Block(STEP_S, FIRST, line[None, : 10 * DAY]))
    np.testing.assert_allclose(short, whole[:, : 10 * DAY], rtol=1e-9)


def test_nothing_is_said_within_the_first_day_and_of_no_steps() -> None:
    assert np.isnan(relived(Single(MEMBERS[0]), Block(STEP_S, 48 * 100, values(1)[None]))).all()
    assert relived(Single(MEMBERS[0]), Block(STEP_S, FIRST, np.empty((2, 0)))).shape == (2, 0)


def test_where_the_highest_scores_are_false_no_threshold_keeps_the_budget_and_nothing_pages() -> None:
    score = np.zeros(7 * DAY)
    score[200] = 9.0
    one = Labelled("a", STEP_S, ((100, 104),), np.ones(score.size, dtype=np.bool_))
    mark = threshold_for([(one, score)], 0.25)
    assert found_over([(one, score)], mark).false_per_week == 0


def test_an_incident_that_was_paged_just_before_its_label_is_found_and_the_page_is_false() -> None:
    alarm = np.zeros(7 * DAY, dtype=np.bool_)
    alarm[98:103] = True
    one = Labelled("a", STEP_S, ((100, 104), (200, 204)), np.ones(alarm.size, dtype=np.bool_))
    assert scored([(one, alarm)]) == Found(2, 1, 1.0, 0.0)
    alarm[98:102] = False
    assert scored([(one, alarm)]) == Found(2, 1, 0.0, 2.0 * STEP_S)
