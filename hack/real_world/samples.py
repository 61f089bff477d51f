"""What each world has, looked at every fifteen seconds of the demand's time, and both sides of the bargain from it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from hack.real_world.constants import STEP_S
from hack.real_world.scene import Scene
from hack.real_world.world import Stage
from hack.real_world.worlds import APP, World

EVERY_S = 15
TOLERANCE = 1e-9


class Sample(NamedTuple):
    """at_s: the demand's time. replicas: that exist, Ready or starting. floor: the HPA's minReplicas; without one, what
    we have written: the replicas.
    """

    at_s: float
    demand: float
    ready: int
    replicas: int
    floor: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Cost and shortage stand together. replica_hours counts what exists, from its creation on.
    churn_per_hour: replicas added and removed.
    """

    short_minutes: float
    replica_hours: float
    ready_hours: float
    unserved_percent: float
    most_replicas: int
    churn_per_hour: float

    @staticmethod
    def of(samples: list[Sample], capacity: float, every_s: float) -> Figures:
        short = [s for s in samples if s.demand > s.ready * capacity * (1 + TOLERANCE)]
        hours = every_s / 3600
        moved = sum(abs(b.replicas - a.replicas) for a, b in pairwise(samples))
        missing = sum(s.demand - s.ready * capacity for s in short)
        return Figures(
            short_minutes=round(len(short) * every_s / 60, 2),
            replica_hours=round(sum(s.replicas for s in samples) * hours, 2),
            ready_hours=round(sum(s.ready for s in samples) * hours, 2),
            unserved_percent=round(100 * missing / max(TOLERANCE, sum(s.demand for s in samples)), 3),
            most_replicas=max((s.replicas for s in samples), default=0),
            churn_per_hour=round(moved / (len(samples) * hours), 2) if samples else 0.0,
        )


@dataclass(slots=True)
class Sampler:
    """A thread that looks at the cluster while something else happens. late: looks that missed their time by one."""

    stage: Stage
    taken: dict[str, list[Sample]] = field(default_factory=dict)
    late: int = 0
    failed: list[str] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self.taken = {world.name: [] for world in self.stage.worlds}
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join(20)

    def between(self, world: str, first_step: int, end_step: int) -> list[Sample]:
        return [s for s in self.taken[world] if first_step * STEP_S <= s.at_s < end_step * STEP_S]

    def figures(self, world: str, scene: Scene) -> Figures:
        return Figures.of(self.between(world, scene.score_step, scene.end_step), scene.capacity, EVERY_S)

    def _run(self) -> None:
        clock = self.stage.clock
        due_s = (clock.now_s() // EVERY_S + 1) * EVERY_S
        while not self._end.is_set():
            clock.sleep_until(due_s)
            at_s = clock.now_s()
            if at_s - due_s > EVERY_S:
                self.late += 1
            for world in self.stage.worlds:
                try:
                    self.taken[world.name].append(self._look(world, due_s))
                except (OSError, AssertionError) as why:
                    self.failed.append(f"{world.name} at {due_s}: {why}")
            due_s += EVERY_S

    def _look(self, world: World, at_s: float) -> Sample:
        """Stamped with the time that it was due, so that each stretch of time counts once."""
        admin, ns = self.stage.admin, world.name
        found: dict[str, Any] = admin.get(f"/apis/apps/v1/namespaces/{ns}/deployments/{APP}")
        floor = replicas = found["spec"]["replicas"]
        if world.hpa is not None:
            hpa = admin.get(f"/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers/{world.hpa}")
            floor = hpa["spec"]["minReplicas"]
        demand = self.stage.scene.at(int(at_s // STEP_S))
        return Sample(at_s, demand, found["status"].get("readyReplicas", 0), replicas, floor)
