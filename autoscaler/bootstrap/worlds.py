"""The simulated world around workloads: delays, starts, nodes, the HPAs beside floors; and its cluster twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Ints
from autoscaler.domain.workload import Lead, Workload
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster
from autoscaler.simulator.nodes import NodeSettings
from autoscaler.simulator.starts import ReadySpread


@dataclass(frozen=True, slots=True)
class World:
    """What is simulated beside the workload. data_delay_s: age of the newest sample that is in. actuation_delay_s:
    from writing until the start begins. hpa_target: percent, of the HPA beside a floor. start_failure: share of
    replicas that fail once at start. warmup_s: of the record, decided and not scored. spread: of the time to Ready over
    replicas, None = the workload's for each. nodes: None = there is always room. seed: of all draws.
    """

    data_delay_s: float = 0.0
    actuation_delay_s: float = 0.0
    hpa_target: int = 70
    start_failure: float = 0.0
    seed: int = 0
    warmup_s: float = 0.0
    spread: ReadySpread | None = None
    nodes: NodeSettings | None = None


def planned_lead(lead: Lead, world: World) -> Lead:
    """What is planned with in this world. As the live service counts it, the wait for nodes is part of the lead where
    starts usually do not fit: without spare nodes; with some they usually do.
    """
    wait_s = lead.provisioning_s
    if world.nodes is not None:
        wait_s = 0.0 if world.nodes.spares else world.nodes.ready_s
    return replace(lead, actuation_s=world.actuation_delay_s, provisioning_s=wait_s)


def with_delays(load: Workload, world: World, delay_s: float) -> Workload:
    """The lead that is planned with holds the actuation delay; data is as old as it is said to be."""
    age_s = load.max_data_age_s + (delay_s if delay_s > load.max_data_age_s else 0.0)
    return replace(load, lead=planned_lead(load.lead, world), max_data_age_s=age_s)


def twin(loads: Sequence[Workload], step_s: int, world: World, hpa_targets: Ints | None = None) -> MemoryCluster:
    """The cluster of the world, each workload at its fewest replicas, which are ready."""
    held_back = steps_of(world.actuation_delay_s, step_s)
    # the delay of writes is counted in whole steps: the rest of its last one is part of the start
    rest = tuple(replace(w, lead=replace(w.lead, actuation_s=0.0)) for w in loads)
    settings = ClusterSettings(
        world.hpa_target if hpa_targets is None else hpa_targets,
        start_failure=world.start_failure,
        seed=world.seed,
        spread=world.spread,
        nodes=world.nodes,
        early_s=held_back * step_s - world.actuation_delay_s,
    )
    floors = np.array([w.actuation.is_floor for w in loads])
    return MemoryCluster(Fleet(rest), step_s, floors, np.array([w.min_replicas for w in loads]), settings)


def steps_of(seconds: float, step_s: int) -> int:
    return int(np.ceil(seconds / step_s - 1e-9))
