"""The benchmark of anomalies measures what it says, and says which file is missing."""

from pathlib import Path

import numpy as np
import pytest

from tests.bench.anomalies.__main__ import main
from tests.bench.anomalies.cases import WEEK_S, Case
from tests.bench.anomalies.measure import Scored, curves, grid_of, page_starts, transfer, vus_pr
from tests.bench.anomalies.page import within
from tests.bench.anomalies.rivals import UNIVARIATE

STEP_S = 3600
GROUPS, STEPS = 8, 6 * 168


def _case() -> Case:
    labels = np.zeros((GROUPS, STEPS), dtype=bool)
    labels[:, 500:510] = True
    keys = tuple(str(k) for k in range(GROUPS))
    values = np.random.default_rng(0).normal(10, 1, labels.shape)
    return Case("made", STEP_S, 0, keys, keys, np.arange(GROUPS), values, labels, np.ones_like(labels))


def test_alarms_within_six_hours_are_one_page_and_a_page_in_a_label_is_not_false() -> None:
    alarm = np.zeros(50, dtype=bool)
    alarm[[3, 5, 11, 20, 27]] = True
    np.testing.assert_array_equal(page_starts(alarm, 6), [3, 20, 27])
    case = _case()
    rate = np.full(case.labels.shape, np.inf)
    rate[0, [100, 103, 505]] = 0.1
    rate[1, 800] = 0.3
    assert within(case, rate, 0.25) == 1
    assert within(case, rate, 0.5) == 2


def test_a_perfect_score_is_found_without_false_pages_and_chance_is_not() -> None:
    case = _case()
    rng = np.random.default_rng(1)
    noise = rng.random(case.labels.shape)
    for score, least, most in ((noise + 5 * case.labels, 1.0, 1.0), (noise, 0.0, 0.4)):
        scored = Scored(case, score)
        found = transfer(curves(scored, grid_of([scored])), [STEP_S] * GROUPS, 0.25)
        assert least <= found.recall <= most
        assert found.low <= found.recall <= found.high
        assert found.rate <= 0.6


def test_the_threshold_of_a_group_never_comes_from_itself() -> None:
    """Spikes of one group alone: a threshold that knew them would lie above them and keep its budget."""
    case = _case()
    score = np.random.default_rng(2).random(case.labels.shape)
    score[0, 20::40] = 1000
    scored = Scored(case, score)
    found = transfer(curves(scored, grid_of([scored])), [STEP_S] * GROUPS, 0.25)
    assert found.rate > 0.25


def test_vus_pr_ranks_a_good_score_above_chance_and_needs_labels() -> None:
    labels = np.zeros(2000, dtype=bool)
    labels[900:1000] = True
    rng = np.random.default_rng(3)
    chance = vus_pr(labels, rng.random(2000))
    good = vus_pr(labels, rng.random(2000) + labels)
    assert good > 0.8
    assert chance < 0.2
    assert np.isnan(vus_pr(np.zeros(2000, dtype=bool), rng.random(2000)))


def test_weeks_are_scored_time() -> None:
    case = _case()
    assert case.weeks.sum() == pytest.approx(GROUPS * STEPS * STEP_S / WEEK_S)
    touched = case.without(slice(505, 506))
    assert len(touched.events()) == 0
    assert not touched.scored[:, 500:510].any()


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if "IForest" in n else n for n in UNIVARIATE if n != "Prophet residual"],
)
def test_rivals_see_no_later_step(name: str) -> None:
    case = _case()
    values = case.values.copy()
    values[:, 600:] += 50
    bent = Case("made", STEP_S, 0, case.keys, case.groups, case.group, values, case.labels, case.scored)
    with np.errstate(all="ignore"):
        honest, found = UNIVARIATE[name](case), UNIVARIATE[name](bent)
    np.testing.assert_allclose(found[:, :600], honest[:, :600])
    assert np.isfinite(honest[:, 300:]).any()


def test_missing_data_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "--docs", str(tmp_path)]) == 2
    assert "nab.parquet is missing" in capsys.readouterr().err
