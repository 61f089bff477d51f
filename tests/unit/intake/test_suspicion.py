"""Frozen exporters and changed units are taken back; honest jumps, quiet hours and flat loads are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.intake.suspicion import SuspicionRules, Suspicions

STEP_S = 60
DAY = 1440


@dataclass
class Tape:
    """A reader that plays rows of values from step 0 on."""

    values: np.ndarray

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        rows = [int(d.query) for d in demands]
        return SeriesBatch.judge(step_s, first_step, self.values[rows, first_step:end_step].copy())


def demand(row: int = 0, capacity: float = 45.0) -> Demand:
    return Demand(f"d{row}", "tape", str(row), capacity)


def noisy(steps: int, level: float = 400.0, seed: int = 1) -> np.ndarray:
    return level * (1 + 0.1 * np.random.default_rng(seed).standard_normal(steps)).clip(0.3)


def played(values: np.ndarray, chunk: int = 1, start: int = 2 * DAY, rules: SuspicionRules | None = None) -> np.ndarray:
    """Verdicts of one row, read first in one go up to `start`, then in chunks with five late steps each."""
    reader = Suspicions(Tape(values[np.newaxis]), rules or SuspicionRules())
    out = reader.load([demand()], 0, start, STEP_S).verdicts[0].tolist()
    for at in range(start, len(values), chunk):
        end = min(len(values), at + chunk)
        first = max(0, at - 5)
        batch = reader.load([demand()], first, end, STEP_S)
        out[first:at] = batch.verdicts[0, : at - first].tolist()
        out.extend(batch.verdicts[0, at - first :].tolist())
    return np.array(out)


def test_M24_a_frozen_exporter_is_stuck_until_it_moves_again() -> None:
    values = noisy(3 * DAY)
    values[2 * DAY + 100 : 2 * DAY + 400] = 512.0
    found = played(values)
    frozen = found[2 * DAY + 100 : 2 * DAY + 400]
    assert (frozen[:30] == DataVerdict.OK).all()
    assert (frozen[31:] == DataVerdict.STUCK).all()
    assert (found[2 * DAY + 400 :] == DataVerdict.OK).all()


def test_M24_the_note_says_how_long_and_how_long_before() -> None:
    values = noisy(3 * DAY)
    values[2 * DAY + 100 :] = 512.0
    reader = Suspicions(Tape(values[np.newaxis]))
    reader.load([demand()], 0, 2 * DAY, STEP_S)
    note = reader.load([demand()], 2 * DAY, 2 * DAY + 200, STEP_S).notes[0]
    assert "exactly 512 for 100 min" in note
    assert "before" in note


@pytest.mark.parametrize(
    ("flat", "why"), [(0.0, "idle is not stuck"), (200.0, "a load that was flat before may be flat again")]
)
def test_M24_flat_by_nature_is_believed(flat: float, why: str) -> None:
    values = noisy(3 * DAY)
    if flat:
        values[1000:1300] = flat  # as long as what follows, before there is a basis
    values[2 * DAY + 100 : 2 * DAY + 400] = flat
    assert (played(values) == DataVerdict.OK).all(), why


def test_M24_a_row_without_history_is_never_stuck() -> None:
    values = np.full(600, 7.0)
    assert (played(values, start=10) == DataVerdict.OK).all()


@pytest.mark.parametrize("factor", [100.0, 1000.0, 1024.0, 1e6, 0.01, 0.001])
def test_M25_a_unit_change_is_seen_at_its_first_sample(factor: float) -> None:
    values = noisy(3 * DAY)
    values[2 * DAY + 300 :] *= factor
    found = played(values)
    assert (found[: 2 * DAY + 300] == DataVerdict.OK).all()
    assert found[2 * DAY + 300] == DataVerdict.UNIT_CHANGE
    assert (found[2 * DAY + 300 :] == DataVerdict.UNIT_CHANGE).mean() > 0.8


def test_M25_a_new_level_is_normal_after_a_day_and_a_return_at_once() -> None:
    values = noisy(6 * DAY)
    values[3 * DAY : 3 * DAY + 60] *= 1000
    values[4 * DAY :] *= 1000
    found = played(values, chunk=7)
    assert (found[3 * DAY + 60 : 4 * DAY] == DataVerdict.OK).all()
    assert found[4 * DAY] == DataVerdict.UNIT_CHANGE
    assert (found[5 * DAY + 10 :] == DataVerdict.OK).all()


@pytest.mark.parametrize("factor", [3.0, 10.0, 50.0])
def test_M25_a_flash_crowd_is_demand(factor: float) -> None:
    values = noisy(3 * DAY)
    values[2 * DAY + 300 : 2 * DAY + 360] *= factor
    assert (played(values) == DataVerdict.OK).all()


def test_M25_far_below_one_replica_nothing_is_suspected() -> None:
    values = noisy(3 * DAY, level=0.4)
    values[2 * DAY + 300 :] *= 100
    assert (played(values) == DataVerdict.OK).all()


QUICK = SuspicionRules(stuck_s=600, basis_s=3600, accepted_s=7200, judged_s=86400)


@settings(max_examples=20, deadline=None)
@given(chunk=st.integers(1, 40), seed=st.integers(0, 50))
def test_the_finding_does_not_depend_on_how_it_is_read(chunk: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = noisy(420, seed=seed)
    values[rng.random(len(values)) < 0.01] = np.nan
    values[100:140] = 321.0
    values[200:230] *= 1000
    values[260:] *= 0.01
    once = Suspicions(Tape(values[np.newaxis]), QUICK).load([demand()], 0, len(values), STEP_S).verdicts[0]
    assert {DataVerdict.STUCK, DataVerdict.UNIT_CHANGE, DataVerdict.OK} <= set(once.tolist())
    assert np.array_equal(once, played(values, chunk, start=80, rules=QUICK))


def test_rows_do_not_touch_each_other_and_may_come_and_go() -> None:
    values = np.stack([noisy(2 * DAY + 200, seed=k) for k in range(3)])
    values[1, 2 * DAY + 10 :] = 99.0
    reader = Suspicions(Tape(values))
    three = [demand(k) for k in range(3)]
    reader.load(three, 0, 2 * DAY, STEP_S)
    reader.load(three[::-1], 2 * DAY, 2 * DAY + 50, STEP_S)
    last = reader.load([three[1], three[0]], 2 * DAY + 50, 2 * DAY + 200, STEP_S)
    assert (last.verdicts[0] == DataVerdict.STUCK).all()
    assert (last.verdicts[1] == DataVerdict.OK).all()


def test_older_history_that_comes_later_is_a_basis() -> None:
    values = noisy(3 * DAY)
    values[2 * DAY + 100 :] = 77.0
    reader = Suspicions(Tape(values[np.newaxis]))
    reader.load([demand()], 2 * DAY, 2 * DAY + 100, STEP_S)
    reader.load([demand()], 0, 2 * DAY - 200, STEP_S)
    assert reader.load([demand()], 2 * DAY + 100, 2 * DAY + 200, STEP_S).verdicts[0, -1] == DataVerdict.STUCK


@pytest.mark.parametrize("verdict", [DataVerdict.PARTIAL, DataVerdict.RECOVERING])
def test_M25_a_lower_bound_is_judged_too_but_not_learned_from(verdict: DataVerdict) -> None:
    values = noisy(2 * DAY + 20)
    values[2 * DAY :] *= 1000

    class Bounds(Tape):
        def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
            batch = super().load(demands, first_step, end_step, step_s)
            verdicts = np.where(np.arange(first_step, end_step) >= 2 * DAY, np.uint8(verdict), batch.verdicts)
            return SeriesBatch(step_s, first_step, batch.values, verdicts)

    reader = Suspicions(Bounds(values[np.newaxis]))
    reader.load([demand()], 0, 2 * DAY, STEP_S)
    found = reader.load([demand()], 2 * DAY, 2 * DAY + 20, STEP_S)
    assert (found.verdicts[0] == DataVerdict.UNIT_CHANGE).all()


@pytest.mark.parametrize(("fault", "verdict"), [("stuck", DataVerdict.STUCK), ("unit", DataVerdict.UNIT_CHANGE)])
def test_M24_M25_a_restart_forgets_no_finding(fault: str, verdict: DataVerdict) -> None:
    values = noisy(3 * DAY)
    values[2 * DAY :] = 333.0 if fault == "stuck" else values[2 * DAY :] * 1000
    end = 2 * DAY + 300
    kept = Suspicions(Tape(values[np.newaxis])).load([demand()], 0, end, STEP_S)
    assert kept.verdicts[0, -1] == verdict
    again = Suspicions(Tape(values[np.newaxis]))
    again.prime([demand()], kept)
    found = again.load([demand()], end - 5, end + 30, STEP_S)
    assert (found.verdicts[0] == verdict).all()
