"""Rows whose history came all at once learn few at a time; what they learn is the same whenever their turn comes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from autoscaler.domain.forecast import PeakForecast
from autoscaler.domain.ladder import Rung, Why
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.naive import LastValue, SeasonalNaive
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer, Rows
from autoscaler.forecasting.turns import AT_ONCE, Turns

DAY = 1440
ROWS, END = 50, 1000 * DAY
PLAN = CalibrationPlan(window_s=2 * 86400)
KEYS = tuple(f"shop/web-{row}" for row in range(ROWS))
MODELS = (LastValue(), SeasonalNaive(86400, "day"))


def _whole(days: float = 3.0, rows: int = ROWS) -> Panel:
    steps = int(days * DAY)
    noise = np.random.default_rng(3).lognormal(0, 0.05, (rows, steps))
    wave = 100 * (1 + 0.4 * np.sin(2 * np.pi * np.arange(steps) / DAY))
    return Panel(60, END - steps, wave * noise, np.zeros((rows, steps), dtype=np.uint8))


def _late(panel: Panel, steps: int) -> Panel:
    """The same of which only the newest steps are known."""
    values = panel.values.copy()
    values[:, : values.shape[1] - steps] = np.nan
    return Panel(60, panel.first_step, values, panel.verdicts)


def _ask(server: PeakServer, panel: Panel, at: int = END, delay: int = 0, keys: tuple[str, ...] = KEYS) -> PeakForecast:
    leads = np.full(len(keys), 4)
    return server.forecast(panel, Rows(keys, leads, np.full(len(keys), delay)), np.array([at]))


def _same(one: PeakForecast, other: PeakForecast) -> None:
    np.testing.assert_array_equal(one.quantiles, other.quantiles)
    np.testing.assert_array_equal(one.model, other.model)
    assert one.standing is not None
    assert other.standing is not None
    np.testing.assert_array_equal(one.standing, other.standing)


def _why(found: PeakForecast) -> list[Why]:
    assert found.standing is not None
    return [Why(int(each)) for each in found.standing["why"][:, 0]]


def _all(server: PeakServer) -> int:
    done = 0
    while some := server.turns.work_one():
        assert some <= AT_ONCE
        done += some
    return done


def _begun(most: int) -> PeakServer:
    """After a tick in which only the last hour was known, with as many turns a tick from then on."""
    server = PeakServer(MODELS, PLAN, turns=Turns(most))
    _ask(server, _late(_whole(), 60))
    return server


def test_a_start_learns_all_that_it_has_at_once() -> None:
    server = PeakServer(MODELS, PLAN, turns=Turns(3))
    _same(_ask(server, _whole()), _ask(PeakServer(MODELS, PLAN), _whole()))
    assert server.turns.waiting == 0


def test_who_waits_says_so_and_decides_by_what_it_knew() -> None:
    server, whole = _begun(8), _whole()
    server.relearn()
    found = _ask(server, whole)
    assert server.turns.waiting == ROWS - 8
    assert _why(found).count(Why.NOT_LEARNED_YET) == ROWS - 8
    waits = np.array([why is Why.NOT_LEARNED_YET for why in _why(found)])
    assert not found.present[waits].any()
    assert found.present[~waits].all()
    assert found.standing is not None
    assert (found.standing["rung"][waits] == Rung.REACTIVE).all()
    assert (found.standing["next_s"][waits, 0] == (END + 1) * 60).all()


def test_between_two_ticks_all_learn_once_and_as_if_at_once() -> None:
    server, whole = _begun(8), _whole()
    server.relearn()
    _ask(server, whole)
    assert _all(server) == ROWS - 8
    assert server.turns.work_one() == 0
    _same(_ask(server, whole), _ask(PeakServer(MODELS, PLAN), whole))
    assert server.turns.waiting == 0


def test_without_time_between_ticks_all_have_had_their_turn_after_some() -> None:
    server, whole = _begun(8), _whole()
    server.relearn()
    waited = []
    for _ in range(7):
        found = _ask(server, whole)
        waited.append(server.turns.waiting)
    assert waited == [42, 34, 26, 18, 10, 2, 0]
    _same(found, _ask(PeakServer(MODELS, PLAN), whole))


def test_only_rows_of_which_older_demand_came_learn_again() -> None:
    server, whole = _begun(1), _whole()
    server.relearn(KEYS[:5])
    _ask(server, whole)
    assert server.turns.waiting == 4
    assert _all(server) == 4


def test_who_learned_longest_ago_comes_first() -> None:
    order: list[int] = []
    turns = Turns(1)
    turns.begin(first=False)
    turns.take(np.arange(5), np.array([9, 7, 5, 7, 3]), lambda members: order.extend(members.tolist()))
    while turns.work_one():
        pass
    assert order == [4, 2, 1, 3, 0]


def test_who_knows_less_than_a_day_comes_before_who_can_wait() -> None:
    short, whole = _late(_whole(), 3 * DAY), _whole()
    short.values[30:, : 2 * DAY + 1000] = np.nan
    server = PeakServer(MODELS, PLAN, turns=Turns(20))
    _ask(server, short)
    server.relearn()
    found = _ask(server, whole)
    assert found.standing is not None
    assert (found.standing["rung"] == Rung.DAY).all()


def test_a_row_of_another_delay_is_served_by_what_it_learned_before_until_its_turn() -> None:
    whole = _whole()
    server = PeakServer(MODELS, PLAN, turns=Turns(8))
    before = _ask(server, whole)
    moved = _ask(server, whole, delay=1)
    assert server.turns.waiting == ROWS - 8
    assert moved.present.all()
    assert Why.NOT_LEARNED_YET not in _why(moved)
    assert before.present.all()
    _all(server)
    _same(_ask(server, whole, delay=1), _ask(PeakServer(MODELS, PLAN), whole, delay=1))


def test_rows_that_come_and_go_while_others_wait_lose_nothing_and_stop_nobody() -> None:
    server, whole = _begun(8), _whole()
    server.relearn()
    _ask(server, whole)
    server.turns.work_one()
    fewer = Panel(60, whole.first_step, whole.values[5:40], whole.verdicts[5:40])
    _ask(server, fewer, keys=KEYS[5:40])
    _all(server)
    _same(_ask(server, fewer, keys=KEYS[5:40]), _ask(PeakServer(MODELS, PLAN), fewer, keys=KEYS[5:40]))


def test_a_restart_while_some_wait_decides_as_if_none_had() -> None:
    server, whole = _begun(8), _whole()
    server.relearn()
    _ask(server, whole)
    server.turns.work_one()
    again = PeakServer(MODELS, PLAN, turns=Turns(8))
    _all(server)
    _same(_ask(again, whole), _ask(server, whole))


@dataclass
class Counting:
    """A model that counts about how many origins of how many rows it was asked."""

    inner: LastValue = field(default_factory=LastValue)
    asked: list[tuple[int, int]] = field(default_factory=list)
    fails: Callable[[Panel], bool] = lambda _: False

    @property
    def name(self) -> str:
        return "counting"

    def history_steps(self, step_s: int) -> int:
        return self.inner.history_steps(step_s)

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        self.asked.append((panel.rows, len(origins)))
        if len(origins) > 1 and self.fails(panel):
            raise RuntimeError("this lane is bad")
        return self.inner.peaks(panel, origins, lead)


def test_nobody_is_asked_about_a_past_that_is_too_short_to_teach() -> None:
    model = Counting()
    server = PeakServer((model,), PLAN)
    found = _ask(server, _late(_whole(), 60))
    assert model.asked == [(ROWS, 1)]
    assert set(_why(found)) == {Why.SHORT_HISTORY}


def test_of_a_short_past_only_what_is_known_is_asked_for() -> None:
    model = Counting()
    _ask(PeakServer((model,), PLAN), _late(_whole(rows=16), 600), keys=KEYS[:16])
    assert max(origins for _, origins in model.asked) <= (600 + 4 + 60) // 5 + 1


@pytest.mark.parametrize("known", [1, 59, 119, 120, 124, 130, 400, 1440, 1500, 2500])
def test_learning_from_the_known_part_alone_is_learning_from_all(known: int) -> None:
    """A row that is alone, and the same row beside one whose whole past is known, learn the same."""
    whole = _whole(16, rows=2)
    values = whole.values.copy()
    values[0, : values.shape[1] - known] = np.nan
    both = Panel(60, whole.first_step, values, whole.verdicts)
    alone = Panel(60, whole.first_step, values[:1], whole.verdicts[:1])
    keys = ("shop/web-1", "shop/web-1b")
    models = serving_models()
    beside, single = _ask(PeakServer(models), both, keys=keys), _ask(PeakServer(models), alone, keys=keys[:1])
    np.testing.assert_array_equal(beside.quantiles[:1], single.quantiles)
    assert beside.standing is not None
    assert single.standing is not None
    np.testing.assert_array_equal(beside.standing[:1], single.standing)


def test_F04_a_lane_that_cannot_be_learned_stops_no_other() -> None:
    whole = _whole()
    values = whole.values.copy()
    values[7] = 4e6
    bad = Panel(60, whole.first_step, values, whole.verdicts)
    model = Counting(fails=lambda panel: bool((panel.values > 1e6).any()))
    server = PeakServer((model, *MODELS), PLAN, turns=Turns(8))
    _ask(server, _late(bad, 60))
    server.relearn()
    _ask(server, bad)
    _all(server)
    found = _ask(server, bad)
    assert server.turns.waiting == 0
    assert found.present.all()
    assert "this lane is bad" in server.quarantined["counting"]
