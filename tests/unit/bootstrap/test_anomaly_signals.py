"""Signals whose history did not come are asked for again: when the source is back, and less and less often."""

from collections.abc import Sequence

import numpy as np

from autoscaler.bootstrap.anomaly_signals import LATE_STEPS, SignalHistory
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand

STEP_S, DAY = 300, 288
NOW = 20_000 * DAY + 30
DAYS = 4
P95, FAILED = Demand("p95", "far", "q1", 1.0), Demand("failed", "near", "q2", 1.0)


class Reader:
    """Two sources. away: those that answer nothing; no_past: those that answer no request that is a day old."""

    def __init__(self) -> None:
        self.now_s, self.newest = 0.0, NOW
        self.away: set[str] = set()
        self.no_past: set[str] = set()
        self.asked: list[tuple[str, int, int]] = []

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        (source,) = {d.source for d in demands}
        self.asked.append((source, first_step, end_step))
        raw = np.tile(np.arange(first_step, end_step, dtype=np.float64), (len(demands), 1))
        if source in self.away or (source in self.no_past and end_step < self.newest - DAY):
            return SeriesBatch.judge(step_s, first_step, np.full_like(raw, np.nan), DataVerdict.UNREACHABLE)
        return SeriesBatch.judge(step_s, first_step, raw)

    def history(self) -> SignalHistory:
        return SignalHistory(self, STEP_S, DAYS * DAY, beside=False, clock_s=lambda: self.now_s)


def lost(history: SignalHistory, end: int = NOW, signals: tuple[Demand, ...] = (P95, FAILED)) -> list[int]:
    values = history.columns(signals, end - DAYS * DAY, end)
    return np.isnan(values).sum(axis=1).tolist()


def test_M01_a_source_that_was_away_at_the_start_gives_its_weeks_when_it_is_back() -> None:
    reader = Reader()
    reader.away = {"far"}
    history = reader.history()
    assert lost(history) == [DAYS * DAY, 0]
    assert history.missing() == {P95: DataVerdict.UNREACHABLE.words}
    assert len([each for each in reader.asked if each[0] == "far"]) == 1, "it is not asked for each day of its past"
    reader.away = set()
    reader.newest = NOW + 1
    assert lost(history, NOW + 1)[0] == 0, "at once, and not after two more days"
    assert not history.missing()


def test_a_past_that_does_not_come_is_asked_for_less_and_less_often() -> None:
    reader = Reader()
    reader.no_past = {"far"}
    history = reader.history()
    assert lost(history)[0] > DAY
    assert P95 in history.missing()
    tries: list[float] = []
    for minute in range(1, 6 * 60):
        reader.now_s, before = 60.0 * minute, len(reader.asked)
        reader.newest = NOW + minute // 5
        lost(history, reader.newest)
        tries += [reader.now_s] * any(end < reader.newest - DAY for _, _, end in reader.asked[before:])
    pauses = np.diff(tries) / 60
    assert tries[0] <= 3600
    assert (np.diff(pauses) >= 0).all(), pauses
    assert pauses[-1] == 60
    reader.no_past = set()
    reader.now_s += 3600
    lost(history, reader.newest)
    assert lost(history, reader.newest)[0] == 0
    assert not history.missing()


def test_a_hole_of_an_outage_is_filled_when_it_is_over() -> None:
    reader = Reader()
    history = reader.history()
    assert lost(history) == [0, 0]
    for step in range(1, 4 * LATE_STEPS):
        reader.away, reader.newest = {"far"}, NOW + step
        lost(history, NOW + step)
    assert P95 in history.missing()
    reader.away, reader.newest = set(), NOW + 4 * LATE_STEPS
    assert lost(history, NOW + 4 * LATE_STEPS) == [0, 0]
    assert not history.missing()


def test_signals_that_two_workloads_share_are_both_filled_and_gone_ones_forgotten() -> None:
    reader = Reader()
    reader.away = {"far"}
    history = reader.history()
    assert lost(history, signals=(P95, FAILED, P95)) == [DAYS * DAY, 0, DAYS * DAY]
    assert lost(history, signals=(FAILED,)) == [0]
    assert not history.missing()
    reader.away = set()
    assert lost(history, NOW + 1, (P95, FAILED, P95)) == [0, 0, 0]
