"""A whole comparison: the worlds through a scene with the two deaths in it, and what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from autoscaler.adapters.store import DecisionStore
from autoscaler.domain.workload import WorkloadRef
from hack.real_world.constants import STEP_S, Constants
from hack.real_world.samples import Figures, Sample, Sampler
from hack.real_world.scene import Scene, time_of
from hack.real_world.world import Stage
from hack.real_world.worlds import APP, World

Telling = Callable[[str], None]
AFTER_RESTART_S = 120
TELL_EVERY_S = 600


@dataclass(frozen=True, slots=True)
class Death:
    """Absolute steps from the kill to the new start."""

    first_step: int
    end_step: int

    @property
    def steps(self) -> range:
        return range(self.first_step, self.end_step)


@dataclass(frozen=True, slots=True)
class Explained:
    """Of the decisions on record. ticks: that they stand for."""

    ticks: int
    due: int
    without_words: int
    states: dict[str, int]


@dataclass(slots=True)
class Found:
    """What a run found. shrunk, fallen: what came down while it had to stand, in words; empty = nothing did."""

    scene: Scene
    constants: Constants
    figures: dict[str, Figures] = field(default_factory=dict)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    shrunk: list[str] = field(default_factory=list)
    fallen: list[str] = field(default_factory=list)
    deaths: dict[str, tuple[float, float]] = field(default_factory=dict)
    explained: dict[str, Explained] = field(default_factory=dict)
    explanations: list[str] = field(default_factory=list)
    objects: str = ""
    """What `kubectl get` shows of our kinds at the end."""
    conditions: dict[str, dict[str, str]] = field(default_factory=dict)
    """At the end, of each workload that is served: type to status."""
    clock_off_s: float = 0.0
    late_looks: int = 0
    failed_looks: list[str] = field(default_factory=list)
    wall_s: float = 0.0

    def told(self) -> dict[str, Any]:
        """For a JSON file, without the samples."""
        return {
            "scene": self.scene.name, "minutes": self.scene.minutes, "capacityPerReplica": self.scene.capacity,
            "constants": self.constants.told, "figures": {name: asdict(f) for name, f in self.figures.items()},
            "shrunkWhilePrometheusWasDead": self.shrunk, "fallenWhileForesailWasDead": self.fallen,
            "deaths": {k: [f"{time_of(s / STEP_S):%H:%M:%S}" for s in span] for k, span in self.deaths.items()},
            "explained": {name: asdict(e) for name, e in self.explained.items()},
            "clockOffAfterRestartSeconds": round(self.clock_off_s, 2), "lateLooks": self.late_looks,
            "failedLooks": self.failed_looks, "conditions": self.conditions, "wallSeconds": round(self.wall_s),
        }  # fmt: skip


def run(
    scene: Scene,
    constants: Constants,
    worlds: Sequence[World],
    folder: Path,
    *,
    prometheus_dies: Death | None = None,
    foresail_dies: Death | None = None,
    tell: Telling = print,
) -> Found:
    """Real minutes: those of the scene and its warm-up over the speed, and one more to set up."""
    began, found = time.monotonic(), Found(scene, constants)
    with Stage(scene, constants, folder, worlds) as stage:
        tell(f"all servers run after {time.monotonic() - began:.0f} s; time runs {constants.speed} times as fast")
        stage.begin()
        sampler = Sampler(stage)
        sampler.start()
        try:
            deaths = [d for d in (prometheus_dies, foresail_dies) if d is not None]
            for death in sorted(deaths, key=lambda d: d.first_step):
                _until(stage, sampler, death.first_step, tell)
                die = _prometheus if death is prometheus_dies else _foresail
                die(stage, death, found, tell)
            _until(stage, sampler, scene.end_step, tell)
        finally:
            sampler.stop()
        found.objects = stage.kubectl("get", "pa,guardpolicies,metricssources", "-A", "-o", "wide")
        for name, status in stage.statuses().items():
            found.conditions[name] = {c["type"]: c["status"] for c in status.get("conditions") or []}
        stage.foresail.end()
        found.samples = sampler.taken
        found.figures = {w.name: sampler.figures(w.name, scene) for w in worlds}
        found.late_looks, found.failed_looks = sampler.late, sampler.failed
        for world in worlds:
            if world.served:
                found.explained[world.name] = _explained(stage, world)
        found.explanations = [_explanation(stage, found, at) for at in _moments(found)]
    _judge(found, worlds)
    found.wall_s = time.monotonic() - began
    return found


def _until(stage: Stage, sampler: Sampler, step: int, tell: Telling) -> None:
    while (now_s := stage.clock.now_s()) < step * STEP_S:
        stage.clock.sleep_until(min(step * STEP_S, (now_s // TELL_EVERY_S + 1) * TELL_EVERY_S))
        tell(f"{time_of(stage.clock.now_s() / STEP_S):%H:%M} {line(sampler)}")


def line(sampler: Sampler) -> str:
    """Each world in a few words."""
    newest = {name: taken[-1] for name, taken in sampler.taken.items() if taken}
    told = [f"{name} {s.ready} Ready of {s.replicas}, floor {s.floor}" for name, s in newest.items()]
    return "; ".join([f"{next(iter(newest.values())).demand:.0f} requests/s" if newest else "", *told])


def _prometheus(stage: Stage, death: Death, found: Found, tell: Telling) -> None:
    from_s = stage.clock.now_s()
    stage.blind()
    tell("Prometheus is killed: Foresail and the HPAs are blind")
    stage.clock.sleep_until(death.end_step * STEP_S)
    found.deaths["prometheus"] = (from_s, stage.clock.now_s())
    stage.see_again()
    tell("Prometheus is back")


def _foresail(stage: Stage, death: Death, found: Found, tell: Telling) -> None:
    from_s = stage.clock.now_s()
    stage.foresail.kill()
    tell("foresail operator is killed with -9")
    stage.clock.sleep_until(death.end_step * STEP_S)
    found.clock_off_s = stage.foresail.start()
    found.deaths["foresail"] = (from_s, stage.clock.now_s())  # until it decides again, not until somebody starts it
    tell(f"foresail operator is back, its clock {found.clock_off_s:+.1f} s off")


def _judge(found: Found, worlds: Sequence[World]) -> None:
    """Looks from a death on count: what was written just before it is no matter of the death.

    After a restart the floor may rise and come back (data that is not yet whole holds what runs), never below what
    was found.
    """
    for world in worlds:
        samples = found.samples[world.name]
        if "prometheus" in found.deaths:
            dark = _inside(samples, *found.deaths["prometheus"])
            found.shrunk += _falls(dark, world.name, "floor") + _falls(dark, world.name, "replicas")
        if "foresail" in found.deaths and world.served:
            low_s, high_s = found.deaths["foresail"]
            dead, after = _inside(samples, low_s, high_s), _inside(samples, low_s, high_s + AFTER_RESTART_S)
            found.fallen += _falls(dead, world.name, "floor")
            found.fallen += [
                f"{world.name}: floor {s.floor} below {after[0].floor} at {_clock(s)}"
                for s in after
                if s.floor < after[0].floor
            ]


def _inside(samples: list[Sample], low_s: float, high_s: float) -> list[Sample]:
    return [s for s in samples if low_s <= s.at_s <= high_s]


def _falls(samples: list[Sample], world: str, what: str) -> list[str]:
    pairs = [(a, getattr(a, what), getattr(b, what)) for a, b in pairwise(samples)]
    return [f"{world}: {what} {x} → {y} after {_clock(a)}" for a, x, y in pairs if y < x]


def _clock(sample: Sample) -> str:
    return f"{time_of(sample.at_s / STEP_S):%H:%M:%S}"


def _explained(stage: Stage, world: World) -> Explained:
    scene = stage.scene
    since, until = time_of(scene.score_step), time_of(scene.end_step)
    kept = DecisionStore.open_read_only(stage.foresail.record)
    runs = kept.history(WorkloadRef(world.name, APP), since, until, limit=100_000)
    kept.close()
    states: dict[str, int] = {}
    for each in runs:
        states[str(each.decision.state)] = states.get(str(each.decision.state), 0) + each.ticks
    ticks = sum(each.ticks for each in runs)
    bare = sum(not each.decision.words or not all(each.decision.words) for each in runs)
    return Explained(ticks, scene.minutes * 60 // stage.constants.tick_s, bare, states)


def _moments(found: Found) -> list[float]:
    """Where a reader would ask why: in the dark, after the restart, and where demand was highest."""
    middles = [(low_s + high_s) / 2 for name, (low_s, high_s) in found.deaths.items() if name == "prometheus"]
    end_s = found.scene.end_step * STEP_S
    after = [min(high_s + 90, end_s) for name, (_, high_s) in found.deaths.items() if name == "foresail"]
    all_ = [s for taken in found.samples.values() for s in taken]
    return [*middles, *after, max(all_, key=lambda s: s.demand).at_s]


def _explanation(stage: Stage, found: Found, at_s: float) -> str:
    served = next(iter(found.explained))
    return stage.foresail.call("explain", f"{served}/{APP}", "--at", f"{time_of(at_s / STEP_S):%Y-%m-%dT%H:%M:%SZ}")
