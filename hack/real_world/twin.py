"""The simulator over the same scene, with the same constants as the real cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Floats, Ints, Panel, SeriesBatch
from autoscaler.domain.workload import Lead, Workload
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster
from autoscaler.simulator.hpa.lanes import HpaLanes, LaneMetric, LaneTarget
from autoscaler.simulator.run import Recording, Run
from autoscaler.simulator.runlog import RunLog
from autoscaler.spec.compile import to_workload
from autoscaler.spec.kinds import PredictiveAutoscaler
from hack.real_world.constants import STEP_S, Constants
from hack.real_world.scene import Scene
from hack.real_world.worlds import Scaler, World, autoscaler

BLOCK_STEPS = 240


class ExternalCluster(MemoryCluster):
    """Its HPA asks an external metric for the total demand and aims at an average per replica, as the real ones do, and
    as that which KEDA makes.
    """

    def __init__(self, fleet: Fleet, replicas: int, constants: Constants, world: World) -> None:
        settings = ClusterSettings(hpa_target=world.target, sync_s=constants.sync_s)
        super().__init__(fleet, STEP_S, np.array([world.hpa is not None]), np.array([replicas]), settings)
        aim = LaneTarget(LaneMetric.AVERAGE_VALUE, fleet.capacity[fleet.row_start], world.target)
        self._hpa = HpaLanes(aim, constants.behavior)


@dataclass(frozen=True, slots=True, eq=False)
class TwinRun:
    """log: what was decided and Ready. existing: [step] of the log, replicas that exist, Ready or starting."""

    log: RunLog
    existing: Ints

    @property
    def short_minutes(self) -> float:
        return float(self.log.short.sum()) * STEP_S / 60

    @property
    def ready_hours(self) -> float:
        return round(float(self.log.ready.sum()) * STEP_S / 3600, 2)

    @property
    def replica_hours(self) -> float:
        return round(float(self.existing.sum()) * STEP_S / 3600, 2)

    @property
    def churn_per_hour(self) -> float:
        """Replicas added and removed."""
        moves = float(np.abs(np.diff(self.existing)).sum())
        return round(moves * 3600 / (STEP_S * len(self.existing)), 2)


def begins_with(scene: Scene, constants: Constants, target: int) -> int:
    """Replicas that the HPA has come to on the demand before the start."""
    need = scene.at(scene.start_step - 1) / scene.capacity / (target / 100)
    return min(constants.maximum, max(constants.minimum, int(np.ceil(need - 1e-9))))


def twin(scene: Scene, constants: Constants, world: World, dark: range = range(0)) -> TwinRun:
    """One world through the scene; the log begins where scoring does. dark: absolute steps that nobody sees."""
    fleet = Fleet((_workload(scene, constants, world),))
    seen = scene.demand.copy()
    seen[[step - scene.first_step for step in dark]] = np.nan
    run = Run(
        fleet=fleet,
        recording=Recording(_panel(scene, scene.demand.copy()), _panel(scene, seen)),
        cluster=ExternalCluster(fleet, begins_with(scene, constants, world.target), constants, world),
        first_step=scene.start_step,
        end_step=scene.end_step,
        server=PeakServer(serving_models()) if world.served else None,
        guards=CHAIN if world.served else (),
        block_steps=BLOCK_STEPS,
    )
    (log,) = run.finish([world.name])
    scored = log.after(scene.score_step - scene.start_step)
    return TwinRun(scored, np.asarray(scored.running))


def _panel(scene: Scene, values: Floats) -> Panel:
    return Panel.of(SeriesBatch.judge(STEP_S, scene.first_step, values[np.newaxis]))


def _workload(scene: Scene, constants: Constants, world: World) -> Workload:
    """What the real one is, from the same document; where nobody decides about it, as if somebody might.

    Its lead is the time to Ready alone: what else the product plans with (HPA sync, tick) is no delay in the twin.
    """
    actuated = world if world.scaler is Scaler.SCALE else World(world.name, Scaler.FLOOR, world.target)
    made = to_workload(PredictiveAutoscaler.model_validate(autoscaler(scene, constants, actuated)))
    return replace(made, lead=Lead(float(constants.ready_s)))
