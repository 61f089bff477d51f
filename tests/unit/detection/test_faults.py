"""Faults of the data: each found where it is put, and none on an ordinary week."""

import numpy as np
import pytest

from autoscaler.detection.contract import Block, Watched
from autoscaler.detection.engine import DetectionEngine
from autoscaler.domain.verdict import DataFault

STEP_S = 1800
DAY = 48
FIRST = 48 * 20_000
DAYS = 9
AT = 8 * DAY + 10


def _usual(rows: int = 1, seed: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(DAYS * DAY)
    return (100 + 50 * np.sin(2 * np.pi * t / DAY)) * rng.lognormal(0, 0.05, (rows, len(t)))


def _faults(values: np.ndarray, step_s: int = STEP_S) -> np.ndarray:
    keys = tuple(f"row {k}" for k in range(len(values)))
    engine = DetectionEngine(Watched.alone(keys), step_s)
    return engine.relive(Block(step_s, FIRST, values)).rows.faults


def _has(faults: np.ndarray, fault: DataFault) -> np.ndarray:
    return (faults & fault.value) > 0


def test_ordinary_days_have_no_fault() -> None:
    faults = _faults(_usual(6))
    assert not (faults & ~np.uint8(DataFault.SEASON_BROKEN.value)).any()
    assert not _has(faults, DataFault.SEASON_BROKEN).any()


def test_a_gap_is_told_once_it_is_longer_than_usual_and_ends_with_the_next_value() -> None:
    values = _usual()
    values[0, 200:202] = np.nan
    values[0, AT : AT + 12] = np.nan
    found = _has(_faults(values), DataFault.GAP)[0]
    assert not found[:AT].any()
    assert found[AT + 11]
    assert not found[AT : AT + 2].any()
    assert not found[AT + 12 :].any()


def test_M24_a_frozen_exporter_is_stuck() -> None:
    values = _usual()
    values[0, AT : AT + 20] = values[0, AT]
    found = _has(_faults(values), DataFault.STUCK)[0]
    assert not found[: AT + 6].any()
    assert found[AT + 7 : AT + 20].all()
    assert not found[AT + 20 :].any()


def test_M24_a_series_that_is_often_constant_is_not_stuck() -> None:
    values = np.repeat(_usual()[:, ::12].round(), 12, axis=1)
    assert not _has(_faults(values), DataFault.STUCK).any()


def test_M24_idle_at_zero_is_not_stuck() -> None:
    values = _usual()
    values[0, AT : AT + 20] = 0.0
    assert not _has(_faults(values), DataFault.STUCK).any()


@pytest.mark.parametrize("factor", [1000.0, 1 / 1000, 60.0, 1 / 1024])
def test_M25_a_change_of_unit_is_told_at_the_second_step_until_it_comes_back(factor: float) -> None:
    values = _usual()
    values[0, AT : AT + 15] *= factor
    found = _has(_faults(values), DataFault.UNIT_CHANGE)[0]
    assert not found[:AT].any()
    assert found[AT + 1 : AT + 15].all()
    assert not found[AT + 16 :].any()


def test_M25_a_single_spike_or_a_doubling_is_no_change_of_unit() -> None:
    values = _usual(2)
    values[0, AT] *= 1000
    values[1, AT : AT + 20] *= 2
    assert not _has(_faults(values), DataFault.UNIT_CHANGE).any()


def test_a_counter_that_falls_is_a_reset_and_a_gauge_is_none() -> None:
    counter = np.cumsum(_usual(), axis=1)
    counter[0, AT:] -= counter[0, AT - 1]
    found = _has(_faults(np.concatenate([counter, _usual()])), DataFault.COUNTER_RESET)
    np.testing.assert_array_equal(np.flatnonzero(found[0]), [AT])
    assert not found[1].any()


def test_a_series_that_becomes_another_is_duplicated_and_one_that_always_was_is_not() -> None:
    values = _usual(4)
    values[3] = values[2]
    values[1, AT - 20 : AT + 15] = values[0, AT - 20 : AT + 15]
    found = _has(_faults(values), DataFault.DUPLICATED)
    assert found[:2, AT + 2 : AT + 15].all()
    assert not found[:2, :AT].any()
    assert not found[2:].any()


def test_a_level_that_moves_and_stays_is_a_shift_for_a_day() -> None:
    values = _usual()
    at = 7 * DAY
    values[0, at:] += 400
    found = _has(_faults(values), DataFault.LEVEL_SHIFT)[0]
    assert not found[:at].any()
    assert found[at + 40]
    assert not found[at + 2 * DAY - 1]


def test_a_day_that_does_not_come_is_a_broken_season() -> None:
    values = _usual()
    at = 7 * DAY
    values[0, at:] = 100 * np.random.default_rng(1).lognormal(0, 0.05, DAYS * DAY - at)
    found = _has(_faults(values), DataFault.SEASON_BROKEN)[0]
    assert not found[:at].any()
    assert found[at:].any()


def test_a_shift_and_a_broken_season_are_news_of_the_load_the_others_are_wrong_data() -> None:
    wrong = {f for f in DataFault if f.is_wrong_data}
    assert wrong == set(DataFault) - {DataFault.NONE, DataFault.LEVEL_SHIFT, DataFault.SEASON_BROKEN}
    assert (DataFault.GAP | DataFault.STUCK).words.count(";") == 1
    assert not DataFault.NONE.words
