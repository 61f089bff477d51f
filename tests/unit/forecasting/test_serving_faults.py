"""F04: a model that fails costs its own answers; the next one serves, and `quarantined` says why."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.contract import PeakForecaster
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer, Rows

PLAN = CalibrationPlan(window_s=4 * 3600, sample_s=300, refit_s=1800, least=24)
END = 40_000
ORIGINS = np.arange(END - 5, END + 1)


@dataclass
class Stub:
    """A perfect forecaster of a constant, bent by `answer`."""

    answer: Callable[[Panel, Floats], Any]
    name: str = "stub"

    def history_steps(self, step_s: int) -> int:
        return 5

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Any:
        return self.answer(panel, np.full((panel.rows, len(origins)), 100.0))


def _raises(panel: Panel, good: Floats) -> Floats:
    raise ZeroDivisionError("model artefact is empty")


def _mutates(panel: Panel, good: Floats) -> Floats:
    panel.values[:] = 0.0
    return good


FAULTS: dict[str, tuple[Callable[[Panel, Floats], Any], str]] = {
    "raises": (_raises, "raised ZeroDivisionError: model artefact is empty"),
    "infinite": (lambda _, good: good * np.inf, "infinite or negative"),
    "negative": (lambda _, good: -good, "infinite or negative"),
    "one origin short": (lambda _, good: good[:, 1:], "answered float64"),
    "one row too many": (lambda _, good: np.vstack([good, good]), "answered float64"),
    "flat": (lambda _, good: good[0], "answered float64"),
    "wrong type": (lambda _, good: good.astype(np.int64), "answered int64"),
    "objects": (lambda _, good: good.astype(object), "answered object"),
    "nothing": (lambda *_: None, "answered NoneType"),
    "mutates its input": (_mutates, "raised ValueError"),
}


@pytest.fixture
def panel(make_panel: Callable[..., Panel]) -> Panel:
    rng = np.random.default_rng(3)
    return make_panel(100 + rng.normal(0, 1, (2, 600)), first_step=END - 600)


def _ask(server: PeakServer, panel: Panel) -> Any:
    return server.forecast(panel, Rows.punctual(("a/x", "a/y"), np.array([2, 2])), ORIGINS)


@pytest.mark.parametrize("fault", FAULTS)
def test_F04_a_failing_model_is_quarantined_and_the_next_one_serves(fault: str, panel: Panel) -> None:
    answer, why = FAULTS[fault]
    server = PeakServer((Stub(answer), LastValue()), PLAN)
    plain = _ask(PeakServer((LastValue(),), PLAN), panel)
    served = _ask(server, panel)
    np.testing.assert_array_equal(served.quantiles, plain.quantiles)
    assert (served.model == 1).all()
    assert why in server.quarantined["stub"]
    assert set(server.quarantined) == {"stub"}


@pytest.mark.parametrize("fault", FAULTS)
def test_F04_with_no_other_model_there_is_no_forecast(fault: str, panel: Panel) -> None:
    server = PeakServer((Stub(FAULTS[fault][0]),), PLAN)
    served = _ask(server, panel)
    assert not served.present.any()
    assert "stub" in server.quarantined


def test_F04_nan_means_cannot_say_and_is_no_fault(panel: Panel) -> None:
    server = PeakServer((Stub(lambda _, good: good * np.nan), LastValue()), PLAN)
    assert (_ask(server, panel).model == 1).all()
    assert server.quarantined == {}


def test_F04_a_fault_of_the_fit_stays_visible_until_the_next_fit(panel: Panel) -> None:
    calls = 0

    def first_call_raises(_: Panel, good: Floats) -> Floats:
        nonlocal calls
        calls += 1
        if calls <= 1:
            raise RuntimeError("cold cache")
        return good

    server = PeakServer((Stub(first_call_raises), LastValue()), PLAN)
    one = Rows.punctual(("a/x",), np.array([2]))
    for origin in (END - 1, END - 1):
        served = server.forecast(panel_row(panel), one, np.array([origin]))
        assert (served.model == 1).all()
        assert "cold cache" in server.quarantined["stub"]
    later = server.forecast(panel_row(panel), one, np.array([END - 1 + PLAN.period_steps(60)]))
    assert server.quarantined == {}
    assert later.models[int(later.model[0, 0])] in {"stub", "last-value"}


def panel_row(panel: Panel) -> Panel:
    return Panel(panel.step_s, panel.first_step, panel.values[:1], panel.verdicts[:1])


def test_F04_one_impossible_row_costs_no_other_row(panel: Panel) -> None:
    def second_row_explodes(_: Panel, good: Floats) -> Floats:
        good[1:] = np.inf
        return good

    phase_mates = ("a/x", "a/x")  # same key, same group
    leads = np.array([2, 2])
    server = PeakServer((Stub(second_row_explodes), LastValue()), PLAN)
    served = server.forecast(panel, Rows.punctual(phase_mates, leads), ORIGINS)
    sound = PeakServer((Stub(lambda _, good: good), LastValue()), PLAN).forecast(
        panel, Rows.punctual(phase_mates, leads), ORIGINS
    )
    np.testing.assert_array_equal(served.quantiles[0], sound.quantiles[0])
    np.testing.assert_array_equal(served.model, [[0] * len(ORIGINS), [1] * len(ORIGINS)])


def test_F04_one_row_of_absurd_demand_costs_no_other_row(make_panel: Callable[..., Panel]) -> None:
    rng = np.random.default_rng(4)
    sane = 100 + rng.normal(0, 1, 600)
    mad = np.where(np.arange(600) % 2 == 0, 1.7e308, 0.0)
    keys, leads = ("a/x", "a/x"), np.array([2, 2])
    both = PeakServer((LastValue(),), PLAN).forecast(
        make_panel([sane, mad], first_step=END - 600), Rows.punctual(keys, leads), ORIGINS
    )
    alone = PeakServer((LastValue(),), PLAN).forecast(
        make_panel([sane], first_step=END - 600), Rows.punctual(keys[:1], leads[:1]), ORIGINS
    )
    np.testing.assert_array_equal(both.quantiles[0], alone.quantiles[0])
    assert both.present[0].all()


def test_no_models_is_reactive_only(panel: Panel) -> None:
    assert not _ask(PeakServer(()), panel).present.any()


def test_the_better_model_serves_and_a_tie_goes_to_the_first(panel: Panel) -> None:
    models: tuple[PeakForecaster, ...] = (
        Stub(lambda _, good: good * 3, "far"),
        Stub(lambda _, good: good, "near"),
        Stub(lambda _, good: good, "twin"),
    )
    rng = np.random.default_rng(1)
    moving = Panel(60, panel.first_step, panel.values * rng.lognormal(0, 0.01, panel.values.shape), panel.verdicts)
    served = _ask(PeakServer(models, PLAN), moving)
    assert (served.model != 2).all()
    flat = Panel(60, panel.first_step, np.full_like(panel.values, 100.0), panel.verdicts)
    assert (_ask(PeakServer(models[1:], PLAN), flat).model == 0).all()
