"""A service that dies and begins anew from what it kept takes no floor down before a window is over."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from autoscaler.bootstrap.service import Service, service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.ladder import Why
from autoscaler.domain.replicas import ReplicaStatus, ScaleRequest
from autoscaler.simulator.clock import VirtualClock

END = datetime(2026, 6, 10, 9, tzinfo=UTC)
NAMES = tuple(f"web-{k}" for k in range(6))
TICK_S, WINDOW = 60.0, 5


class Objects:
    """Implements ports.Cluster; floors outlive every process."""

    def __init__(self) -> None:
        self.floors = np.full(len(NAMES), 2)

    def observe(self, fleet: Fleet) -> ReplicaStatus:
        here = np.array(self.floors)
        return ReplicaStatus(np.ones(len(here), dtype=np.bool_), here, here, here, np.full(len(here), NO_LIMIT))

    def apply(self, fleet: Fleet, requests: Sequence[ScaleRequest], now_s: float) -> Mapping[int, Any]:
        for request in requests:
            self.floors[request.lane] = request.replicas
        return {}


def waiting(running: Service) -> int:
    """One tick in which all have older demand and one may learn; how many lanes say that they wait."""
    running.pipeline.server.turns.most = 1
    running.pipeline.server.relearn()
    decided = running.tick()
    assert decided is not None
    assert decided.seen.standing is not None
    return int((decided.seen.standing["why"] == Why.NOT_LEARNED_YET).sum())


def test_K24_L05_floors_stand_after_a_kill_until_a_window_is_over_and_all_have_learned(
    estate, source, workload, tmp_path
):
    estate.record("web.csv", *NAMES, steps=30)
    estate.write(source(), *[workload(name, actuation="HpaFloor", acknowledge="[]") for name in NAMES])
    settings = ServiceSettings((estate.folder,), tmp_path / "record.db")
    clock, objects = VirtualClock(END), Objects()

    def started() -> Service:
        made = service(settings, clock)
        made.pipeline.cluster = objects
        return made

    first = started()
    for _ in range(2 * WINDOW):
        assert first.tick() is not None
        clock.advance(TICK_S)
    first.close()
    usual = objects.floors.max()
    objects.floors[:] = 60  # by a tick after the one that was kept
    second = started()
    assert second.pipeline.state is not None
    assert second.memory is not None
    assert "6 of 6 workloads" in second.memory.restored
    assert second.tick() is not None
    for _ in range(2 * WINDOW):
        clock.advance(TICK_S)
        estate.record("web.csv", *NAMES, steps=30, end=clock.now())
        assert waiting(second) >= len(NAMES) - 2
        waits = second.pipeline.server.turns.waiting
        assert waits > 0
    stood = objects.floors.copy()
    for _ in range(2 * WINDOW):
        second.between_ticks(lambda: 60.0)
        clock.advance(TICK_S)
        estate.record("web.csv", *NAMES, steps=30, end=clock.now())
        assert second.tick() is not None
    assert np.count_nonzero(stood == 60) >= len(NAMES) - 2
    assert objects.floors.max() < 60, f"and then they come down to what they were, {usual}"
    second.close()
