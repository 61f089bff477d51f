"""A row is begun by the start and handed over to its own experts; a failing start costs only its own answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from autoscaler.domain.forecast import LEVELS, PeakForecast
from autoscaler.domain.ladder import Rung, Standing
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer, Rows

DAY = 1440
PLAN = CalibrationPlan(window_s=2 * 86400, refit_s=1800)
KNOWN = Rows.punctual(("a/old", "a/new"), np.array([3, 3]))


@dataclass
class Start:
    answer: Callable[[Floats], Any] = lambda good: good
    levels: tuple[float, ...] = LEVELS
    name: str = "start"
    asked: int = 0

    def history_steps(self, step_s: int) -> int:
        return 5

    def quantiles(self, panel: Panel, origins: Ints, lead: int) -> Any:
        self.asked += panel.rows
        return self.answer(np.full((panel.rows, len(origins), len(self.levels)), 500.0) + np.arange(len(self.levels)))


def _panel(make_panel: Callable[..., Panel], new_steps: int) -> Panel:
    values = 100 + np.random.default_rng(2).normal(0, 1, (2, 2 * DAY))
    values[1, : 2 * DAY - new_steps] = np.nan
    return make_panel(values, first_step=0)


def _ask(server: PeakServer, panel: Panel) -> PeakForecast:
    return server.forecast(panel, KNOWN, np.array([panel.end_step]))


def test_a_first_sample_is_enough_and_an_old_row_is_left_alone(make_panel: Callable[..., Panel]) -> None:
    panel, start = _panel(make_panel, 1), Start()
    plain, served = (
        _ask(PeakServer((LastValue(),), PLAN), panel),
        _ask(PeakServer((LastValue(),), PLAN, start=start), panel),
    )
    np.testing.assert_array_equal(served.quantiles[0], plain.quantiles[0])
    assert not plain.present[1].any()
    np.testing.assert_array_equal(served.quantiles[1], [[500, 501, 502]])
    assert [served.models[m] for m in served.model[:, 0]] == ["last-value", "start"]
    assert start.asked == 1


@pytest.mark.parametrize(("hours", "model"), [(1, "start"), (8, "start"), (20, "last-value")])
def test_it_fades_over_the_first_day(hours: int, model: str, make_panel: Callable[..., Panel]) -> None:
    served = _ask(PeakServer((LastValue(),), PLAN, start=Start()), _panel(make_panel, hours * 60))
    assert served.models[int(served.model[1, 0])] == model
    share = (served.quantiles[1, 0, 0] - 100) / 400
    assert share == pytest.approx(min(1, 1 - (hours - 2) / 24), abs=0.04)


@pytest.mark.parametrize("onset", [3, 40, 77, 119])
def test_the_day_of_a_new_workload_is_counted_from_its_first_value(
    onset: int, make_panel: Callable[..., Panel]
) -> None:
    """Its first refit may be before that: a date counted from it was up to two hours early."""
    begin, rows = 20 * DAY + onset, Rows.punctual(("a/new",), np.array([3]))
    values = 100 + np.random.default_rng(2).normal(0, 1, (1, 22 * DAY + 240))
    values[0, :begin] = np.nan
    panel = make_panel(values, first_step=0)

    def at(*steps: int) -> list[Standing]:
        origins = np.arange(steps[0], steps[-1] + 1)
        found = PeakServer((LastValue(),), start=Start()).forecast(panel, rows, origins)
        assert found.standing is not None
        return [Standing.of(found.standing[0, step - steps[0]]) for step in steps]

    said = [at(begin + 1)[0], *at(begin + 2, begin + 60), at(begin + 130)[0]]
    dates = {s.next_at for s in said}
    assert [s.rung for s in said] == [Rung.PRETRAINED] * 4
    assert len(dates) == 1, "the date stays as the day goes on"
    (date,) = dates
    assert date is not None
    step = int(date.timestamp()) // 60
    assert [s.rung > Rung.PRETRAINED for s in at(step - 1, step)] == [False, True]


FAULTS: dict[str, Callable[[Floats], Any]] = {
    "one level short": lambda good: good[:, :, 1:],
    "infinite": lambda good: good * np.inf,
    "negative": lambda good: -good,
    "nothing": lambda _: None,
    "raises": lambda good: good[99],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_F04_a_failing_start_costs_only_its_own_answers(fault: str, make_panel: Callable[..., Panel]) -> None:
    panel, server = _panel(make_panel, 600), PeakServer((LastValue(),), PLAN, start=Start(FAULTS[fault]))
    plain, served = _ask(PeakServer((LastValue(),), PLAN), panel), _ask(server, panel)
    np.testing.assert_array_equal(served.quantiles, plain.quantiles)
    np.testing.assert_array_equal(served.model, plain.model)
    assert set(server.quarantined) == {"start"}


def test_F12_a_start_of_other_levels_is_refused_and_named(make_panel: Callable[..., Panel]) -> None:
    server = PeakServer((LastValue(),), PLAN, start=Start(levels=(0.5, 0.9)))
    assert not _ask(server, _panel(make_panel, 30)).present[1].any()
    assert "not 0.95" in server.quarantined["start"]
