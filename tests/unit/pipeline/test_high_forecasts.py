"""F03: a model that begins to forecast far too much: what it may cost, how long, and who hears of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from autoscaler.bootstrap.alert_book import AlertBook
from autoscaler.domain.alert_sightings import Demotions, sightings
from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.policy import Budget, Guarded, Origin
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.domain.workload import Actuation, Workload
from autoscaler.forecasting.naive import LastValue, SeasonalNaive
from autoscaler.simulator.metrics import MemoryMetrics
from tests.unit.pipeline.test_tick_faults import ZERO, World

HERE = Origin("GuardPolicy money", "limits", "money.yaml:1", "00000000")
BAD = ZERO + 740
FIRST, LAST = 690, 1200


@dataclass(frozen=True)
class TurnsBad:
    """The last value until BAD, a sound model; then `times` as much for `on` steps of each `of`."""

    times: float
    on: int
    of: int
    name: str = "turns-bad"

    def history_steps(self, _: int) -> int:
        return 5

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        good = LastValue().peaks(panel, origins, lead)
        return np.where((origins >= BAD) & (origins % self.of < self.on), self.times * good, good)


def waves(fleet: Fleet) -> MemoryMetrics:
    """100 ± 30 in four hours, so that an hour ago is a poor forecast and the last value a good one."""
    t = np.arange(2000)
    values = (100 + 30 * np.sin(2 * np.pi * t / 240)) * np.random.default_rng(3).lognormal(0, 0.01, len(t))
    return MemoryMetrics(60, ZERO, {d.query: values for d in fleet.demands})


def ran(fleet: Fleet, model: TurnsBad) -> list[Decisions]:
    """Ticks FIRST to LAST; seasonal-naive is there to be compared with, over an hour in place of a day."""
    world = World(fleet, waves(fleet), models=(SeasonalNaive(3600, "day"), model))
    return [world.tick(ZERO + step) for step in range(FIRST, LAST)]


def needs(found: list[Decisions]) -> Ints:
    return np.array([int(d.proposals.observed_need[0]) for d in found])


def granted(found: list[Decisions]) -> Ints:
    return np.array([int(d.granted[0]) for d in found])


@pytest.mark.parametrize(("on", "of"), [(1, 1), (37, 74)], ids=["always", "half-the-time"])
def test_F03_a_forecast_far_too_high_decays_with_what_is_learned_of_its_errors(
    make_fleet: Callable[..., Fleet], on: int, of: int
) -> None:
    found = ran(make_fleet(lanes=1), TurnsBad(5.0, on, of))
    over = granted(found) / needs(found)
    at = ZERO + np.arange(FIRST, LAST)
    assert over[at < BAD].max() < 2
    assert over[at >= BAD].max() > 4, "it is far too high, or this test shows nothing"
    learned = BAD + 3 * 3600 // 60  # each row learns again within two periods, and what was granted comes down by steps
    assert over[at >= learned].max() < 3
    assert np.median(over[at >= learned]) < 2
    assert (granted(found)[at >= BAD] >= needs(found)[at >= BAD]).all()


def test_F03_whoever_is_on_call_hears_once_of_a_forecast_that_has_lost_its_place(
    make_fleet: Callable[..., Fleet],
) -> None:
    book, demotions, changes = AlertBook(), Demotions(), []
    for tick in ran(make_fleet(lanes=1), TurnsBad(5.0, 37, 74)):
        demotions = demotions.after(tick)
        changes += book.look(sightings(tick, demotions.rows(tick.fleet)), tick.now_s)
    assert [(c.name, c.firing) for c in changes][:2] == [
        ("ForesailForecastDemoted", True), ("ForesailForecastDemoted", False)
    ]  # fmt: skip
    assert 0 < changes[0].starts_s / 60 - BAD <= 3 * 60


@pytest.mark.parametrize("kind", [Actuation.SCALE, Actuation.HPA_FLOOR])
@pytest.mark.parametrize(
    ("budget", "most"),
    [(Budget(20, HERE), 20), (Budget(None, HERE, money=1.5, price=0.05), 30)],
    ids=["replicas", "money"],
)
def test_F03_what_a_forecast_far_too_high_costs_is_capped_by_budgets(
    make_workload: Callable[..., Workload], budget: Budget, most: int, kind: Actuation
) -> None:
    load = make_workload("web", actuation=kind, guarded=Guarded(budgets=(budget,)))
    world = World(Fleet((load,)), waves(Fleet((load,))), models=(TurnsBad(1000.0, 1, 1),))
    found = [world.tick(ZERO + step) for step in range(730, 760)]
    wanted = np.array([int(d.wanted[0]) for d in found])
    assert (wanted[11:] > 1000).all()
    assert granted(found).max() == most
    assert (granted(found) >= needs(found)).all()
    assert Reason.BUDGET_REACHED in found[-1][0].reasons
