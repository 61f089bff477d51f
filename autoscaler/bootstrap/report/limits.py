"""What the figures of a simulation do not say. Every report prints these."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.bootstrap.comparing import Judged
from autoscaler.bootstrap.simulate import cautions
from autoscaler.bootstrap.worlds import World
from autoscaler.domain.workload import Workload
from autoscaler.simulator.figures import DAY_S, LEAST_DAYS
from autoscaler.simulator.rivals.loop import SYNC_S

LEAST_EXPECTED = 100
USUAL_WEEKS = 4


def limits(judged: Judged, world: World, *, derived: bool) -> Iterator[str]:
    """derived: nobody typed the capacity."""
    outcome = judged.outcome
    served, load, scores = outcome.served, outcome.workload, outcome.scores
    yield (
        "Demand is taken as it was recorded, whoever serves it: no retries after errors, no users who leave, no queue "
        "that a faster start would have prevented."
    )
    yield from _capacity(load, derived=derived)
    yield from _lead(load, world)
    days = (len(served.demand) * served.step_s) / DAY_S
    scored = scores.hours / 24
    weeks = scored / 7
    yield (
        f"The record spans {days:,.1f} days, of which {scored:,.1f} are scored: a weekly rhythm was seen {weeks:,.1f} "
        f"times{', too few to speak of a usual week' if weeks < USUAL_WEEKS else ''}. What never happened in it is not "
        "in the figures."
    )
    expected = load.risk * scores.steps
    if expected < LEAST_EXPECTED:
        yield (
            f"The accepted risk allows {expected:,.3g} short steps in the {scores.steps:,} that are scored; below "
            f"{LEAST_EXPECTED} the realised risk cannot be resolved. Take a longer record, or a larger risk."
        )
    for told in cautions(scores, load.max_replicas):
        yield f"{told[:1].upper()}{told[1:]}."
    if scores.risk_low is None:
        yield f"No intervals: with fewer than {LEAST_DAYS} scored days there is nothing to draw again."
    yield (
        "“In hindsight” knows the whole scored record and cannot be had; “causal” is what a diligent operator could "
        "have. The rivals are rebuilt from their published rules on this grid of steps; HPA is its exact algorithm, "
        f"{_syncs(served.step_s)}."
    )
    if world.nodes is not None or world.spread is not None or world.start_failure:
        yield (
            "Times to Ready that vary, nodes that must come first and failing starts hold for every row of the table; "
            "curves, and which setting is chosen, count with the planned lead."
        )
    if load.actuation.is_floor:
        yield (
            "Under a floor your HPA at its target carries most of the cost, whatever risk Foresail accepts: its curve "
            "is short, and the saving lies in the target."
        )
    yield "Money, other workloads on the same nodes, and quotas are not simulated."


def _syncs(step_s: int) -> str:
    if step_s <= SYNC_S:
        return "synced once a step"
    return f"synced every {SYNC_S} s, as the one beside our floor is; only PHPA is synced once a step"


def _capacity(load: Workload, *, derived: bool) -> Iterator[str]:
    capacity = load.demands[0].capacity_per_replica
    if derived:
        yield (
            f"The capacity of a replica, {capacity:.4g}, is a guess from the size of the demand. It scales all replica "
            "counts alike; type --capacity for counts that are yours."
        )
    else:
        yield (
            f"One Ready replica serves {capacity:.4g}, as typed: if yours serve less, every method is short more often."
        )


def _lead(load: Workload, world: World) -> Iterator[str]:
    lead_s = load.lead.total_s
    if world.spread is None and world.nodes is None:
        yield (
            f"Every replica is Ready {lead_s:g} s after the decision, always. Where yours vary, or nodes must come "
            "first, pass --lead p50=…,p95=… and --node-replicas."
        )
    if not world.data_delay_s:
        yield "Samples are in when their step ends (--data-delay 0s); late metrics would cost every reactive method."
