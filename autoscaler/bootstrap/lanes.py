"""Many recorded workloads, or one under many settings, side by side through the live pipeline: a lane each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.bootstrap.simulate import World, steps_of
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Floats, Ints, Panel, SeriesBatch
from autoscaler.domain.workload import Lead, Workload
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster
from autoscaler.simulator.figures import Asked, Scores, Served, score
from autoscaler.simulator.run import Journal, Recording, Run

DAY_S = 86400


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One simulated workload. asked: what its scores are measured against. granted: [step], what was requested after
    the guards; under HpaFloor the floor, in force from the start of its step on.
    """

    workload: Workload
    served: Served
    asked: Asked
    scores: Scores
    granted: Ints


def side_by_side(
    step_s: int, first_step: int, demand: Floats, loads: Sequence[Workload], world: World,
    *, hpa_targets: Ints | None = None, serve: bool = True, progress: Callable[[float], None] | None = None,
) -> tuple[Lane, ...]:  # fmt: skip
    """One lane per row of demand [lane, step] (NaN = unknown), all in one run.

    hpa_targets: [lane], percent, instead of the world's one for all. serve: False leaves the HPAs alone with their
    own minimum. Lanes have names of their own, so that they do not refit at the same moment.
    """
    held_back, delay = steps_of(world.actuation_delay_s, step_s), steps_of(world.data_delay_s, step_s)
    loads = tuple(_with_delays(load, world, delay * step_s) for load in loads)
    fleet = Fleet(loads)
    rest = [replace(w, lead=Lead(max(0.0, w.lead.total_s - held_back * step_s))) for w in loads]
    targets = world.hpa_target if hpa_targets is None else hpa_targets
    cluster = MemoryCluster(
        Fleet(tuple(rest)),
        step_s,
        np.array([w.actuation.is_floor for w in loads]),
        np.array([w.min_replicas for w in loads]),
        ClusterSettings(targets, start_failure=world.start_failure, seed=world.seed),
    )
    panel = Panel.of(SeriesBatch.judge(step_s, first_step, demand.copy()))
    end = first_step + demand.shape[1]
    run = Run(
        fleet, Recording(panel, panel), cluster, first_step, end,
        server=PeakServer(serving_models()) if serve else None, guards=CHAIN if serve else (),
        data_delay_steps=delay, actuation_delay_steps=held_back, block_steps=max(1, DAY_S // step_s),
    )  # fmt: skip
    *_, (journal, _) = _told(run.blocks(), progress, first_step, demand.shape[1])
    leads = fleet.lead_steps(step_s)
    scored_step = first_step + min(demand.shape[1], steps_of(world.warmup_s, step_s))
    lanes = []
    for at, load in enumerate(loads):
        log = journal.log(at, str(load.ref), end)
        running = log.ready if log.running is None else log.running
        served = Served(step_s, first_step, scored_step, log.capacity, log.demand, log.ready, running)
        asked = Asked(int(leads[at]), load.risk, load.min_replicas)
        lanes.append(Lane(load, served, asked, score(served, asked), log.granted))
    return tuple(lanes)


def _told(
    blocks: Iterator[tuple[Journal, int]], progress: Callable[[float], None] | None, first_step: int, steps: int
) -> Iterator[tuple[Journal, int]]:
    for block in blocks:
        if progress is not None:
            progress((block[1] - first_step) / steps)
        yield block


def _with_delays(load: Workload, world: World, delay_s: float) -> Workload:
    """The lead that is planned with holds the actuation delay; data is as old as it is said to be."""
    age_s = load.max_data_age_s + (delay_s if delay_s > load.max_data_age_s else 0.0)
    return replace(load, lead=replace(load.lead, actuation_s=world.actuation_delay_s), max_data_age_s=age_s)
