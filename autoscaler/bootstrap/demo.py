"""The worlds of the demo: the same demand under Foresail and under plain HPAs, step by step side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from autoscaler.bootstrap.cold_start import packaged_server
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Floats, Panel, SeriesBatch
from autoscaler.domain.workload import (
    Actuation,
    Demand,
    Lead,
    Mode,
    PolicyType,
    ScalingRule,
    StepPolicy,
    Target,
    Workload,
    WorkloadRef,
)
from autoscaler.guards.chain import CHAIN
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster
from autoscaler.simulator.run import Journal, Recording, Run, Watcher
from autoscaler.simulator.runlog import RunLog

USUAL_TARGET = 70
MAX_REPLICAS = 5000
HPA_UP = ScalingRule(0, (StepPolicy(PolicyType.PERCENT, 100, 15), StepPolicy(PolicyType.PODS, 4, 15)))


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The demand that all worlds live through. offered, seen: [step] from first_step on; shown from show_step.

    warm_step: where the worlds start to run, so that the shown part begins in their stride.
    """

    ref: WorkloadRef
    step_s: int
    first_step: int
    warm_step: int
    show_step: int
    offered: Floats
    seen: Floats
    capacity: float

    @property
    def end_step(self) -> int:
        return self.first_step + len(self.offered)


@dataclass(frozen=True, slots=True)
class Knobs:
    """What the demo lets people turn. lead_s: until a new replica is Ready. hpa_target: under our floor."""

    lead_s: float
    risk: float
    hpa_target: int
    seed: int


@dataclass(frozen=True, slots=True)
class World:
    """One way to scale the scene. served: Foresail takes part."""

    name: str
    actuation: Actuation
    hpa_target: int | None
    served: bool


def worlds(knobs: Knobs) -> tuple[World, ...]:
    """Ours first, then the usual HPA, then the two that tell what each part of ours is worth."""
    target = knobs.hpa_target
    return (
        World(f"Foresail + HPA {target}%", Actuation.HPA_FLOOR, target, served=True),
        World(f"HPA {USUAL_TARGET}%", Actuation.HPA_FLOOR, USUAL_TARGET, served=False),
        World(f"HPA {target}%", Actuation.HPA_FLOOR, target, served=False),
        World("Foresail Scale", Actuation.SCALE, None, served=True),
    )


@dataclass(slots=True)
class Stage:
    """All worlds over one scene; `play` runs them on and hands out what has happened so far."""

    scene: Scene
    knobs: Knobs
    watch: Watcher | None = None
    cast: Sequence[World] = field(init=False)

    def __post_init__(self) -> None:
        self.cast = worlds(self.knobs)

    def play(self, frame_steps: int) -> Iterator[tuple[RunLog, ...]]:
        """One log per world, from the shown part on, after every `frame_steps` steps; ours first."""
        runs = [self._run(world, frame_steps, first=i == 0) for i, world in enumerate(self.cast)]
        warm = self.scene.show_step - self.scene.warm_step
        for frames in zip(*(run.blocks() for run in runs), strict=True):
            end = frames[0][1]
            if end <= self.scene.show_step:
                continue
            yield tuple(self._cut(journal, i, end, warm) for i, (journal, _) in enumerate(frames))

    def _cut(self, journal: Journal, world: int, end: int, warm: int) -> RunLog:
        return journal.log(0, self.cast[world].name, end).after(warm)

    def _run(self, world: World, frame_steps: int, *, first: bool) -> Run:
        scene, knobs = self.scene, self.knobs
        fleet = Fleet((self._workload(world),))
        target = world.hpa_target or USUAL_TARGET
        settings = ClusterSettings(hpa_target=target, start_failure=0.01, seed=knobs.seed)
        before = scene.offered[max(0, scene.warm_step - scene.first_step - 1)]
        start = np.array([max(1, int(np.ceil(np.nan_to_num(before) / scene.capacity / (target / 100))))])
        return Run(
            fleet=fleet,
            recording=Recording(_panel(scene, scene.offered), _panel(scene, scene.seen)),
            cluster=MemoryCluster(fleet, scene.step_s, np.array([world.hpa_target is not None]), start, settings),
            first_step=scene.warm_step,
            end_step=scene.end_step,
            server=packaged_server() if world.served else None,
            guards=CHAIN if world.served else (),
            block_steps=frame_steps,
            watch=self.watch if first else None,
        )

    def _workload(self, world: World) -> Workload:
        scene = self.scene
        return Workload(
            ref=scene.ref,
            target=Target("apps/v1", "Deployment", scene.ref.name),
            demands=(Demand("requests", "demo", "requests", scene.capacity),),
            min_replicas=1,
            max_replicas=MAX_REPLICAS,
            lead=Lead(self.knobs.lead_s),
            mode=Mode.ACT,
            actuation=world.actuation,
            risk=self.knobs.risk,
            scale_up=HPA_UP if world.actuation is Actuation.SCALE else ScalingRule(),
        )


def _panel(scene: Scene, values: Floats) -> Panel:
    return Panel.of(SeriesBatch.judge(scene.step_s, scene.first_step, values[np.newaxis].copy()))


def held_spells(log: RunLog) -> tuple[tuple[int, int], ...]:
    """Absolute [first, end) steps in which some guard held, for telling about them."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], log.held.astype(np.int8), [0]))))
    pairs = [(int(a), int(b)) for a, b in pairwise(edges.tolist())][::2]
    return tuple((log.first_step + a, log.first_step + b) for a, b in pairs)
