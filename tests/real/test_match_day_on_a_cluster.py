"""The short proof of every test run: the sharpest ramp of a match day on a real control plane, with both deaths.

Demand is that of the 1998 World Cup where the recording is at hand, else the SYNTHETIC shop's sale. `make e2e` is the
long one.
"""

from __future__ import annotations

import pytest

from hack.real_world.constants import Constants
from hack.real_world.proof import Death, Found, run
from hack.real_world.report import Row, table, twins
from hack.real_world.scene import WORLD_CUP, match_day, sale_day
from hack.real_world.world import World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ALONE, FLOOR = "hpa-alone", "with-foresail"
WORLDS = [World(ALONE, 70, served=False), World(FLOOR, 70, served=True)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Ramp, then Prometheus dies for two minutes, then `foresail run` for one; 14 minutes at 15x."""
    if WORLD_CUP.exists():
        scene, constants = match_day("1998-06-25T14:00", 14, warm=6), Constants(ready_s=180)
    else:
        print(f"{WORLD_CUP.name} is not at hand: the SYNTHETIC shop stands in for real demand")
        scene, constants = sale_day(warm=5, minutes=15), Constants(ready_s=180)
    blind = Death(scene.end_step - 7, scene.end_step - 5)
    killed = Death(scene.end_step - 3, scene.end_step - 2)
    made = run(
        scene, constants, WORLDS, tmp_path_factory.mktemp("short-proof"), prometheus_dies=blind, foresail_dies=killed
    )
    print(f"{scene.name}, {scene.minutes} min at {constants.speed}x, {made.wall_s:.0f} s")
    print(table("real", {name: Row.real(figures) for name, figures in made.figures.items()}))
    print(table("twin", twins(scene, constants, WORLDS, blind.steps)))
    return made


def test_M01_nothing_shrinks_while_prometheus_is_dead(found: Found) -> None:
    assert found.shrunk == []
    low_s, high_s = found.deaths["prometheus"]
    inside = [s for s in found.samples[FLOOR] if low_s <= s.at_s <= high_s]
    assert len(inside) >= 6, "it was looked at in the dark"


def test_the_floor_survives_kill_9_and_the_restart_goes_on_from_it(found: Found) -> None:
    assert found.fallen == []
    floors = [s.floor for s in found.samples[FLOOR]]
    assert max(floors) > 2, "there was a floor to keep"


def test_the_floor_leaves_demand_short_no_longer_than_the_hpa_alone(found: Found) -> None:
    """A busy machine may cost a look; `make e2e` holds the strict claim over hours."""
    alone, ours = found.figures[ALONE], found.figures[FLOOR]
    assert ours.short_minutes <= alone.short_minutes + 0.5, (alone, ours)


def test_every_decision_is_on_record_with_its_reasons(found: Found) -> None:
    explained = found.explained[FLOOR]
    assert explained.without_words == 0
    assert explained.ticks >= 0.75 * explained.due
    assert all("granted" in words for words in found.explanations)
