"""Many recorded workloads, or one under many settings, side by side through the live pipeline: a lane each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.bootstrap.cold_start import packaged_server
from autoscaler.bootstrap.worlds import World, steps_of, twin, with_delays
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.series import Bools, DataVerdict, Floats, Ints, Panel, SeriesBatch
from autoscaler.domain.workload import Actuation, Workload, WorkloadRef
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.simulator.figures import Asked, Scores, Served, score
from autoscaler.simulator.run import Journal, Recording, Run

DAY_S = 86400
UNSET = -1


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One simulated workload. asked: what its scores are measured against. granted: [step], what was requested after
    the guards; under HpaFloor the floor, in force from the start of its step on. p50, p95: [step], of the coming peak.
    """

    workload: Workload
    served: Served
    asked: Asked
    scores: Scores
    granted: Ints
    p50: Floats
    p95: Floats


def side_by_side(
    step_s: int, first_step: int, demand: Floats, loads: Sequence[Workload], world: World,
    *, hpa_targets: Ints | None = None, serve: bool = True, censored: Bools | None = None,
    keys: Sequence[str] | None = None, server: PeakServer | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[Lane, ...]:  # fmt: skip
    """One lane per row of demand [lane, step] (NaN = unknown), all in one run; censored: likewise, lower bounds.

    hpa_targets: [lane], percent, instead of the world's one for all. serve: False leaves the HPAs alone with their
    own minimum. keys: [lane], by which refits are staggered; variants of one workload share one, or the moments of
    their refits would be compared too. server: None = the one that serves.
    """
    held_back, delay = steps_of(world.actuation_delay_s, step_s), steps_of(world.data_delay_s, step_s)
    loads = tuple(with_delays(load, world, delay * step_s) for load in loads)
    fleet = Fleet(loads)
    cluster = twin(loads, step_s, world, hpa_targets)
    panel = Panel.of(_as_seen(step_s, first_step, demand, censored))
    end = first_step + demand.shape[1]
    run = Run(
        fleet, Recording(panel, panel), cluster, first_step, end,
        server=(server or packaged_server()) if serve else None, guards=CHAIN if serve else (),
        data_delay_steps=delay, actuation_delay_steps=held_back, block_steps=max(1, DAY_S // step_s),
        keys=keys,
    )  # fmt: skip
    *_, (journal, _) = _told(run.blocks(), progress, first_step, demand.shape[1])
    leads = fleet.lead_steps(step_s)
    scored_step = first_step + min(demand.shape[1], steps_of(world.warmup_s, step_s))
    lanes = []
    for at, load in enumerate(loads):
        log = journal.log(at, str(load.ref), end)
        running = log.ready if log.running is None else log.running
        marks = None if censored is None else censored[at]
        served = Served(step_s, first_step, scored_step, log.capacity, log.demand, log.ready, running, censored=marks)
        asked = Asked(int(leads[at]), load.risk, load.min_replicas, load.max_replicas)
        lanes.append(Lane(load, served, asked, score(served, asked), log.granted, log.p50, log.p95))
    return tuple(lanes)


def replay(step_s: int, first_step: int, requested: Ints, load: Workload, world: World) -> Ints:
    """[lane, step], replicas that served where `requested` [lane, step] took effect, in a world of varying starts.

    load: whose start times are drawn; every lane draws its own.
    """
    loads = [_named(replace(load, actuation=Actuation.SCALE), f"replay-{lane}") for lane in range(len(requested))]
    cluster, fleet = twin(loads, step_s, world), Fleet(tuple(loads))
    served, before = np.empty_like(requested), np.full(len(requested), UNSET, dtype=np.int64)
    for at in range(requested.shape[1]):
        now_s, asked = float((first_step + at) * step_s), requested[:, at]
        cluster.begin(first_step + at)
        changed = np.flatnonzero(asked != before).tolist()
        if changed:
            writes = [ScaleRequest(lane, int(asked[lane]), now_s, int(cluster.desired[lane])) for lane in changed]
            cluster.apply(fleet, writes, now_s)
            before = asked
        served[:, at] = cluster.ready
    return served


def _named(load: Workload, name: str) -> Workload:
    return replace(load, ref=WorkloadRef(load.ref.namespace, f"{load.ref.name}-{name}"))


def _told(
    blocks: Iterator[tuple[Journal, int]], progress: Callable[[float], None] | None, first_step: int, steps: int
) -> Iterator[tuple[Journal, int]]:
    for block in blocks:
        if progress is not None:
            progress((block[1] - first_step) / steps)
        yield block


def _as_seen(step_s: int, first_step: int, demand: Floats, censored: Bools | None) -> SeriesBatch:
    """What is censored is partial, as the live service calls a lower bound."""
    batch = SeriesBatch.judge(step_s, first_step, demand.copy())
    if censored is None:
        return batch
    partial = censored & (batch.verdicts == DataVerdict.OK)
    return replace(batch, verdicts=np.where(partial, np.uint8(DataVerdict.PARTIAL), batch.verdicts))
