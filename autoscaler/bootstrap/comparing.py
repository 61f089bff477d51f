"""One recorded workload judged: us over our risks, each rival over its knob, and the three rows that may be claimed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from autoscaler.adapters.traces import Trace
from autoscaler.bootstrap.lanes import Lane, replay, side_by_side
from autoscaler.bootstrap.simulate import Outcome, simulate
from autoscaler.bootstrap.worlds import World, steps_of
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Bools
from autoscaler.domain.workload import Actuation, Workload, WorkloadRef
from autoscaler.simulator.claims import Claims, claims
from autoscaler.simulator.comparison import (
    Comparison,
    Entry,
    Ladder,
    Replay,
    Setting,
    Tuning,
    entries_and_ladders,
)
from autoscaler.simulator.figures import Asked, score
from autoscaler.simulator.rivals.contract import TARGETS
from autoscaler.simulator.rivals.score import LadderScores
from autoscaler.simulator.rivals.tuned import in_hindsight

RISKS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Our own knob, for the curve; the asked risk joins it."""
HOTTER: Final = (75, 80, 85, 90, 95)
"""HPA targets, percent, that are tried beside our floor to find what it lets one save."""
USUAL_DOWN_S: Final = 300

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """hotter: beside our floor, the HPA at each target from the one as set upward; empty under Scale. unfit: rivals
    that could not run at this step, and why.
    """

    outcome: Outcome
    comparison: Comparison
    claims: Claims
    as_set: Entry
    retuned: Entry | None
    hotter: tuple[tuple[int, Lane], ...] = ()
    unfit: tuple[tuple[str, str], ...] = ()

    @property
    def saving_target(self) -> int | None:
        """Percent: the hottest HPA that keeps the asked risk with our floor; None where none does."""
        kept = [t for t, lane in self.hotter if (lane.scores.short_share or 0.0) <= lane.asked.risk]
        return max(kept, default=None)


def judge(
    trace: Trace, workload: Workload, world: World, progress: Progress | None = None,
    *, knobs: tuple[float, ...] = TARGETS,
) -> Judged:  # fmt: skip
    """The simulation with all that it is compared with. progress: is told the part and its share that is done.

    knobs: the rivals' ladder.
    """

    def told(part: str) -> Callable[[float], None] | None:
        return None if progress is None else lambda share: progress(part, share)

    outcome = simulate(trace, workload, world, told("simulating"))
    served, setting = outcome.served, setting_of(outcome.workload, world, trace.step_s)
    asked = Asked(setting.lead, workload.risk, workload.min_replicas, workload.max_replicas)
    ours = Entry("foresail", Tuning.AS_SET, workload.risk, served, outcome.scores)
    unfit: dict[str, str] = {}
    found = list(
        entries_and_ladders(
            served, asked, outcome.log.seen, setting,
            most=workload.max_replicas, knobs=knobs, unfit=unfit, replay=_replay(trace, outcome.workload, world),
            progress=told("rivals"),
        )
    )  # fmt: skip
    entries = tuple(entry for _, some in found for entry in some)
    comparison = Comparison(
        asked,
        ours,
        _our_curve(trace, workload, world, told("our curve")),
        entries,
        tuple(ladder for ladder, _ in found),
    )
    as_set = hpa_at(trace, outcome, asked, world, target=world.hpa_target, tuning=Tuning.AS_SET)
    target = _retuned_target(found, outcome)
    retuned = None if target is None else hpa_at(trace, outcome, asked, world, target=target, tuning=Tuning.HINDSIGHT)
    name = workload.actuation.value
    beside = f" beside your HPA at {world.hpa_target} %" if workload.actuation.is_floor else ""
    rows = claims(
        as_set,
        retuned,
        ours,
        (
            f"your HPA as set ({world.hpa_target} %)",
            "your HPA retuned in hindsight at our risk" + ("" if target is None else f" ({target} %)"),
            f"Foresail ({name}{beside})",
        ),
    )
    hotter = _hotter(trace, workload, world, told("HPA targets")) if workload.actuation.is_floor else ()
    return Judged(outcome, comparison, rows, as_set, retuned, hotter, tuple(sorted(unfit.items())))


def _replay(trace: Trace, load: Workload, world: World) -> Replay | None:
    """None where every start takes the planned lead: then arithmetic says the same."""
    if world.spread is None and world.nodes is None and not world.start_failure:
        return None
    return lambda requested: replay(trace.step_s, trace.first_step, requested, load, world)


def setting_of(load: Workload, world: World, step_s: int) -> Setting:
    acting = steps_of(world.actuation_delay_s, step_s)
    rest_s = max(0.0, load.lead.total_s - acting * step_s)
    return Setting(steps_of(world.data_delay_s, step_s), acting, steps_of(rest_s, step_s))


def hpa_at(
    trace: Trace, outcome: Outcome, asked: Asked, world: World, *, target: int, tuning: Tuning
) -> Entry:  # fmt: skip
    """The user's HPA alone at a target (percent), in closed loop with the starts of this world."""
    load = replace(_variant(outcome.workload, f"alone-{target}"), actuation=Actuation.HPA_FLOOR)
    (lane,) = side_by_side(
        trace.step_s, trace.first_step, trace.values[np.newaxis], [load], replace(world, hpa_target=target),
        serve=False, censored=_marks(trace, 1),
    )  # fmt: skip
    return Entry(f"hpa-{USUAL_DOWN_S}s", tuning, target / 100, lane.served, score(lane.served, asked))


def _marks(trace: Trace, lanes: int) -> Bools | None:
    return None if trace.censored is None else np.tile(trace.censored, (lanes, 1))


def _retuned_target(found: list[tuple[Ladder, tuple[Entry, ...]]], outcome: Outcome) -> int | None:
    """Percent: known only afterwards, the cheapest target of the HPA with no more shortage than ours."""
    ladder = next(ladder for ladder, _ in found if ladder.name == f"hpa-{USUAL_DOWN_S}s")
    rung = in_hindsight(ladder.scores, outcome.scores.short_share or 0.0)
    return None if rung is None else round(ladder.knobs[rung] * 100)


def _our_curve(trace: Trace, workload: Workload, world: World, progress: Callable[[float], None] | None) -> Ladder:
    risks = tuple(sorted({*RISKS, workload.risk}))
    loads = [_variant(workload, f"risk-{risk:g}", risk=risk) for risk in risks]
    lanes = side_by_side(
        trace.step_s, trace.first_step, np.tile(trace.values, (len(loads), 1)), loads, world,
        censored=_marks(trace, len(loads)), keys=_keys(workload, len(loads)), progress=progress,
    )  # fmt: skip
    return Ladder("foresail", risks, risks.index(workload.risk), ladder_scores(lanes))


def ladder_scores(lanes: tuple[Lane, ...]) -> LadderScores:
    """Lanes of one workload as the rungs of a ladder."""
    first = lanes[0].scores
    return LadderScores(
        short=np.array([lane.scores.short_share or 0.0 for lane in lanes]),
        paid=np.array([lane.scores.replica_hours for lane in lanes]),
        bound_hours=first.bound_hours,
        steps=first.steps,
    )


def _hotter(
    trace: Trace, workload: Workload, world: World, progress: Callable[[float], None] | None
) -> tuple[tuple[int, Lane], ...]:
    targets = (world.hpa_target, *(t for t in HOTTER if t > world.hpa_target))
    loads = [_variant(workload, f"hpa-{target}") for target in targets]
    lanes = side_by_side(
        trace.step_s, trace.first_step, np.tile(trace.values, (len(loads), 1)), loads, world,
        hpa_targets=np.array(targets), censored=_marks(trace, len(loads)), keys=_keys(workload, len(loads)),
        progress=progress,
    )  # fmt: skip
    return tuple(zip(targets, lanes, strict=True))


def _keys(workload: Workload, lanes: int) -> tuple[str, ...]:
    return Fleet((workload,)).row_keys() * lanes


def _variant(workload: Workload, name: str, *, risk: float | None = None) -> Workload:
    """The same workload under a name of its own, and with another accepted risk."""
    ref = WorkloadRef(workload.ref.namespace, f"{workload.ref.name}-{name}".replace(".", "-"))
    return replace(workload, ref=ref, risk=workload.risk if risk is None else risk)
