"""When detection learns: parts of values in turns, rows whose history came late, and jobs that failed."""

from typing import Any

import numpy as np
import pytest

from autoscaler.bootstrap import anomaly_turns as turns
from autoscaler.bootstrap.anomaly_learning import Done, Order
from autoscaler.domain.series import Floats
from autoscaler.domain.signals import SignalKind
from autoscaler.pipeline.detecting import Asked, Group, Watch

STEP_S, DAY = 300, 288
NOW = 20_000 * DAY + 50


def watch(rows: int = 10, first: int = 0) -> Watch:
    names = range(first, first + rows)
    return Watch.of_groups([Group(f"web{k}", 1.0, (Asked("m", "main", f"q{k}", SignalKind.DEMAND),)) for k in names])


class Learner:
    """Takes parts as the real one does; what a job comes to is said by the test."""

    own_process = True

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.parts: list[Floats] = []
        self.trouble: str | None = None
        self.busy = self.wants = False
        self.dropped = 0

    def begin(self, order: Order) -> bool:
        self.orders.append(order)
        self.parts = []
        self.busy = self.wants = True
        return True

    @property
    def filling(self) -> bool:
        return self.busy and sum(map(len, self.parts)) < self.orders[-1].watch.rows

    def add(self, part: Floats) -> None:
        self.parts.append(part)

    def abandon(self) -> None:
        self.dropped += 1
        self.busy = False


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> tuple[turns.LearningTurns, Any]:
    monkeypatch.setattr(turns, "PART_VALUES", 3 * 3 * DAY)
    learner = Learner()
    one = turns.LearningTurns(learner, STEP_S)  # type: ignore[arg-type]
    one.adopt(watch())
    return one, learner


def copy(part: Watch, first: int, end: int) -> Floats:
    """Each row's number, at each step."""
    return np.array([[float(key.rpartition("q")[2])] for key in part.watched.keys]) + np.zeros(end - first)


def known(*days: float, rows: int = 10) -> np.ndarray:
    """[row], so many days back; the last one for all further rows."""
    back = [*days, *[days[-1]] * (rows - len(days))]
    return np.array([NOW - int(d * DAY) for d in back], dtype=np.int64)


def looked(one: turns.LearningTurns, learner: Any, days: np.ndarray, step: int = NOW) -> Order | None:
    """What a look begins, given all its values."""
    before = len(learner.orders)
    if one.due(step):
        one.look(watch(), days, step, NOW)
    if len(learner.orders) == before:
        return None
    while one.filling:
        one.give(copy)
    return learner.orders[-1]


def ended(one: turns.LearningTurns, learner: Any, failed: str | None = None, step: int = NOW) -> None:
    learner.busy = False
    one.ended(Done({}, NOW, learner.orders[-1].lives, failed), step)


def test_values_go_a_few_rows_at_a_time_in_the_order_of_rows(made) -> None:
    one, learner = made
    order = looked(one, learner, known(3.0))
    assert order is not None
    assert order.lives
    assert [len(part) for part in learner.parts] == [3, 3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(learner.parts)[:, 0], np.arange(10.0))
    assert order.steps == 3 * DAY


def test_between_ticks_it_waits_for_the_disk_and_ends_in_time(made, monkeypatch: pytest.MonkeyPatch) -> None:
    one, learner = made
    one.look(watch(), known(3.0), NOW, NOW)
    learner.wants = False
    left = iter([5.0, 4.0, 0.4])
    naps: list[float] = []
    monkeypatch.setattr(turns, "sleep", naps.append)
    one.work(copy, lambda: next(left))
    assert (len(naps), learner.parts) == (2, [])
    learner.wants = True
    one.work(copy, lambda: 9.0)
    assert len(learner.parts) == 4
    assert not one.filling


def test_other_rows_drop_a_job_that_lacks_values_and_the_next_look_begins_anew(made) -> None:
    one, learner = made
    one.look(watch(), known(3.0), NOW, NOW)
    one.give(copy)
    one.adopt(watch(first=5))
    assert learner.dropped == 1
    assert one.due(NOW)
    assert looked(one, learner, known(3.0)) is not None


def test_rows_whose_history_comes_late_are_lived_through_when_it_has(made) -> None:
    """One source was away: the others had their weeks, and its rows a day; it answers at last."""
    one, learner = made
    assert looked(one, learner, known(1.5, 1.5, 10.0)) is not None
    ended(one, learner)
    later = NOW + turns.LOOK_S // STEP_S
    assert looked(one, learner, known(1.5, 1.5, 10.0), later) is None
    late = NOW + turns.ALONE_S // STEP_S
    order = looked(one, learner, known(9.0, 9.0, 10.0), late)
    assert order is not None
    assert order.lives
    ended(one, learner)
    assert looked(one, learner, known(9.0, 9.0, 10.0), 2 * late) is None


def test_half_of_all_rows_do_not_wait_an_hour(made) -> None:
    one, learner = made
    assert looked(one, learner, known(1.5)) is not None
    ended(one, learner)
    soon = NOW + turns.LOOK_S // STEP_S
    few = looked(one, learner, known(*[4.0] * 4, 1.5), soon)
    many = looked(one, learner, known(*[4.0] * 5, 1.5), 2 * soon - NOW)
    assert few is None
    assert many is not None


def test_a_life_that_fails_is_begun_again_later_and_later_and_a_refit_goes_on(made) -> None:
    one, learner = made
    step, begun = NOW, []
    for _ in range(2 * 12 * 24):
        order = looked(one, learner, known(3.0), step)
        if order is not None:
            begun.append(((step - NOW) * STEP_S, order.lives))
            ended(one, learner, failed="no disk is left" if order.lives else None, step=step)
            if order.lives:
                assert "no disk is left; tried again in" in str(learner.trouble)
        step += 1
    lives = [at for at, is_life in begun if is_life]
    gaps = np.diff(lives)
    assert gaps[0] <= 600
    assert (np.diff(gaps) >= 0).all()
    assert gaps[-1] == 21_600
    assert [is_life for _, is_life in begun].count(False) == 1, "the day's refit is none of a life's failure"


def test_what_was_learned_when_survives_a_restart_by_row(made) -> None:
    one, learner = made
    assert looked(one, learner, known(3.0)) is not None
    ended(one, learner)
    again = turns.LearningTurns(Learner(), STEP_S)  # type: ignore[arg-type]
    again.adopt(watch(rows=8, first=5))
    again.restore(one.arrays(), NOW)
    assert again.fitted_day == one.fitted_day == 20_000
    assert again.lived_from.tolist() == [NOW - 3 * DAY] * 5 + [turns.NEVER] * 3
    old = turns.LearningTurns(Learner(), STEP_S)  # type: ignore[arg-type]
    old.adopt(watch())
    old.restore({}, NOW)
    assert (old.lived_from == NOW - 14 * DAY).all()
