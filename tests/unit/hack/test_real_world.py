"""The harness of comparisons on real servers: what it counts, without any server."""

from __future__ import annotations

import numpy as np
import pytest

from hack.real_world.constants import Constants
from hack.real_world.demand import DemandServer, SceneClock
from hack.real_world.proof import Found, _judge
from hack.real_world.report import twins
from hack.real_world.samples import Figures, Sample
from hack.real_world.scene import Scene, sale_day
from hack.real_world.world import World

ALONE, FLOOR = World("hpa-alone", 70, served=False), World("with-foresail", 70, served=True)


@pytest.fixture
def scene() -> Scene:
    return Scene("flat", 1000, 1010, 1012, 1020, np.arange(20.0), 10.0)


def test_a_scale_at_which_the_hpa_would_need_parts_of_seconds_is_refused():
    assert Constants(speed=15).real_behavior["scaleDown"]["stabilizationWindowSeconds"] == 20
    with pytest.raises(ValueError, match="no whole number"):
        Constants(speed=20)


def test_both_sides_count_what_starts_as_well_as_what_serves():
    samples = [Sample(0, 10, 1, 1, 1), Sample(15, 15, 1, 2, 2), Sample(30, 15, 2, 2, 2), Sample(45, 15, 2, 2, 2)]
    assert Figures.of(samples, 10.0, 900) == Figures(15.0, 1.75, 1.5, 9.091, 2)


def test_the_rate_of_the_counter_over_a_minute_is_the_minutes_demand(scene):
    clock = SceneClock(scene.start_step * 60.0, 15)
    server = DemandServer(scene, clock)
    try:
        rate = (server.total(1015.9 * 60) - server.total(1015.2 * 60)) / (0.7 * 60)
        assert rate == pytest.approx(15.0)
        assert server.last_minute() == 9.0
        ((times, values),) = server.history().values()
        assert max(times) < scene.start_step * 60
        assert values == sorted(values)
    finally:
        server.close()


def test_what_falls_in_the_dark_or_below_what_was_found_is_told(scene):
    found = Found(scene, Constants())
    found.deaths = {"prometheus": (0.0, 60.0), "foresail": (120.0, 150.0)}
    floors = [9, 9, 8, 8, 8, 8, 8, 8, 8, 8, 8, 12, 8, 7]
    found.samples = {FLOOR.name: [Sample(15.0 * k, 1, 9, 9, floor) for k, floor in enumerate(floors)]}
    _judge(found, [FLOOR])
    assert found.shrunk == ["with-foresail: floor 9 → 8 after 00:00:15"]
    assert found.fallen == ["with-foresail: floor 7 below 8 at 00:03:15"]


def test_in_the_twin_a_sale_that_has_happened_before_is_foreseen():
    rows = twins(sale_day(warm=4, minutes=20), Constants(ready_s=180), [ALONE, FLOOR])
    assert rows[ALONE.name].short_minutes >= 3
    assert rows[FLOOR.name].short_minutes == 0
    assert rows[FLOOR.name].replica_hours > rows[ALONE.name].replica_hours
