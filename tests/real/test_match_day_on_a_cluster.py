"""The short proof of every test run: the sharpest ramp of a match day on a real control plane, with both deaths.

Demand is that of the 1998 World Cup where the recording is at hand, else the SYNTHETIC shop's sale. `make e2e` is the
long one.
"""

from __future__ import annotations

import pytest

from hack.real_world.constants import STEP_S, Constants
from hack.real_world.proof import Death, Found, run
from hack.real_world.report import Row, table, twins
from hack.real_world.scene import WORLD_CUP, match_day, sale_day
from hack.real_world.worlds import four_worlds

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

WORLDS = four_worlds()[:2]
ALONE, FLOOR = (world.name for world in WORLDS)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Ramp, then Prometheus dies for two minutes, then `foresail operator` for one; 15 minutes at 15x."""
    if WORLD_CUP.exists():
        scene, constants = match_day("1998-06-25T14:00", 15, warm=6), Constants(ready_s=180)
    else:
        print(f"{WORLD_CUP.name} is not at hand: the SYNTHETIC shop stands in for real demand")
        scene, constants = sale_day(warm=5, minutes=15), Constants(ready_s=180)
    blind = Death(scene.end_step - 8, scene.end_step - 6)
    killed = Death(scene.end_step - 4, scene.end_step - 3)
    made = run(
        scene, constants, WORLDS, tmp_path_factory.mktemp("short-proof"), prometheus_dies=blind, foresail_dies=killed
    )
    print(f"{scene.name}, {scene.minutes} min at {constants.speed}x, {made.wall_s:.0f} s")
    print(table("real", {name: Row.real(figures) for name, figures in made.figures.items()}))
    return made


@pytest.fixture(scope="module")
def modelled(found: Found) -> dict[str, Row]:
    low_s, high_s = found.deaths["prometheus"]
    rows = twins(found.scene, found.constants, WORLDS, range(int(low_s) // STEP_S, int(high_s) // STEP_S))
    print(table("twin", rows))
    return rows


def test_M01_nothing_shrinks_while_prometheus_is_dead(found: Found) -> None:
    assert found.shrunk == []
    low_s, high_s = found.deaths["prometheus"]
    inside = [s for s in found.samples[FLOOR] if low_s <= s.at_s <= high_s]
    assert len(inside) >= 6, "it was looked at in the dark"


def test_the_floor_survives_kill_9_and_the_restart_goes_on_from_it(found: Found) -> None:
    assert found.fallen == []
    floors = [s.floor for s in found.samples[FLOOR]]
    assert max(floors) > 2, "there was a floor to keep"


def test_real_servers_and_the_simulator_tell_the_same(found: Found, modelled: dict[str, Row]) -> None:
    """Who is short for longer is a matter of hours: `make e2e`. A busy machine may cost a look or two."""
    for name, row in modelled.items():
        real = found.figures[name]
        assert abs(real.short_minutes - row.short_minutes) <= 1.5, name
        assert abs(real.replica_hours / row.replica_hours - 1) <= 0.1, name


def test_every_decision_is_on_record_with_its_reasons(found: Found) -> None:
    explained = found.explained[FLOOR]
    assert explained.without_words == 0
    assert explained.ticks >= 0.75 * explained.due
    assert all("granted" in words for words in found.explanations)
