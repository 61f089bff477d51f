"""The simulator over the same scene, with the same constants as the real cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Floats, Ints, Panel, SeriesBatch
from autoscaler.domain.workload import Actuation, Demand, Lead, Mode, Target, Workload, WorkloadRef
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster
from autoscaler.simulator.hpa.lanes import HpaLanes, LaneMetric, LaneTarget
from autoscaler.simulator.run import Recording, Run
from autoscaler.simulator.runlog import RunLog
from hack.real_world.constants import STEP_S, Constants
from hack.real_world.scene import Scene

BLOCK_STEPS = 240


class ExternalCluster(MemoryCluster):
    """Its HPA asks an external metric for the total demand and aims at an average per replica, as the real ones do."""

    def __init__(self, fleet: Fleet, replicas: int, constants: Constants, target: int) -> None:
        settings = ClusterSettings(hpa_target=target, sync_s=constants.sync_s)
        super().__init__(fleet, STEP_S, np.array([True]), np.array([replicas]), settings)
        aim = LaneTarget(LaneMetric.AVERAGE_VALUE, fleet.capacity[fleet.row_start], target)
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


def begins_with(scene: Scene, constants: Constants, target: int) -> int:
    """Replicas that the HPA has come to on the demand before the start."""
    need = scene.at(scene.start_step - 1) / scene.capacity / (target / 100)
    return min(constants.maximum, max(constants.minimum, int(np.ceil(need - 1e-9))))


def twin(scene: Scene, constants: Constants, *, served: bool, target: int, dark: range = range(0)) -> TwinRun:
    """One world through the scene; the log begins where scoring does. dark: absolute steps that nobody sees."""
    fleet = Fleet((workload(scene, constants, "with-foresail" if served else "hpa-alone"),))
    seen = scene.demand.copy()
    seen[[step - scene.first_step for step in dark]] = np.nan
    run = Run(
        fleet=fleet,
        recording=Recording(_panel(scene, scene.demand.copy()), _panel(scene, seen)),
        cluster=ExternalCluster(fleet, begins_with(scene, constants, target), constants, target),
        first_step=scene.start_step,
        end_step=scene.end_step,
        server=PeakServer(serving_models()) if served else None,
        guards=CHAIN if served else (),
        block_steps=BLOCK_STEPS,
    )
    (log,) = run.finish([f"HPA {target} %{' with our floor' if served else ''}"])
    scored = log.after(scene.score_step - scene.start_step)
    return TwinRun(scored, np.asarray(scored.running))


def _panel(scene: Scene, values: Floats) -> Panel:
    return Panel.of(SeriesBatch.judge(STEP_S, scene.first_step, values[np.newaxis]))


def workload(scene: Scene, constants: Constants, namespace: str) -> Workload:
    """What the fleet file says, as values."""
    return Workload(
        ref=WorkloadRef(namespace, "web"),
        target=Target("apps/v1", "Deployment", "web"),
        demands=(Demand("requests", "prod", "requests", scene.capacity),),
        min_replicas=constants.minimum,
        max_replicas=constants.maximum,
        lead=Lead(float(constants.ready_s)),
        mode=Mode.ACT,
        actuation=Actuation.HPA_FLOOR,
        risk=float(constants.risk.rstrip("%")) / 100,
    )
