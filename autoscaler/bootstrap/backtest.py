"""Recorded demands through the rolling-origin backtest, and what the sizing of some models would have cost.

The one place that chooses: which models a name stands for, how a record is split, in which world sizing is judged.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from autoscaler.adapters.traces import Trace
from autoscaler.bootstrap.simulate import check_trace, derived_capacity, simulate, typed_workload
from autoscaler.bootstrap.worlds import World, steps_of
from autoscaler.domain.errors import Refused
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.season import Season
from autoscaler.domain.series import Panel, SeriesBatch
from autoscaler.domain.workload import Actuation
from autoscaler.forecasting.catalogue import SEASONAL, serving_models
from autoscaler.forecasting.contract import PeakForecaster
from autoscaler.forecasting.local_seasons import by_season
from autoscaler.forecasting.serving import PeakServer
from autoscaler.learning.backtest.candidates import ENGINE, Alone, Candidate, Engine
from autoscaler.learning.backtest.plan import DAY_S, LEVELS, Plan, levels_for, spacing
from autoscaler.learning.backtest.references import REFERENCES, absent
from autoscaler.learning.backtest.run import BASELINE, Asked, Backtest, Effort, backtest, baseline
from autoscaler.simulator.figures import Scores

WARM_DAYS: Final = 14
SCORED_DAYS: Final = 14
HOUSE: Final = "house"
EVERYTHING: Final = "all"
DEFAULT_MODELS: Final = (HOUSE, "ets", "theta")
SIZED: Final = (ENGINE, BASELINE)
"""Whose decisions are simulated: each takes seconds to minutes per series."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """Models by name, those that cannot be asked here taken out. missing: name → why."""

    house: tuple[str, ...]
    references: tuple[str, ...]
    missing: dict[str, str]


@dataclass(frozen=True, slots=True)
class Terms:
    """leads_s: of the windows; the first is the one that sizes. warmup_s: None = two weeks, or a third of the record
    where that is less. scored_s: the newest part of the record that counts. capacity: demand per replica, None = from
    the warm-up. decisions: whether sizing is simulated. zone: IANA name of the zone whose days ours and the baseline
    follow, None = UTC.
    """

    leads_s: tuple[float, ...]
    risk: float = 0.005
    warmup_s: float | None = None
    scored_s: float = float(SCORED_DAYS * DAY_S)
    capacity: float | None = None
    decisions: bool = True
    effort: Effort = field(default_factory=Effort)
    zone: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """One series. row: of the backtest that it shares with the others of its grid. sized: model → what its sizing
    cost; unsized: why there is none, None = it was sized, or not asked for.
    """

    trace: Trace
    backtest: Backtest
    row: int
    sized: dict[str, Scores]
    unsized: str | None = None


def known_models() -> tuple[str, ...]:
    """Every name, ours first."""
    own = tuple(dict.fromkeys((*(model.name for model in serving_models()), BASELINE)))
    return (ENGINE, *own, *REFERENCES)


def chosen(names: Sequence[str]) -> Choice:
    """What names stand for: models, "house" (the engine and its forecasters) or "all". Refused says what there is."""
    known, wanted = known_models(), list[str]()
    for name in names:
        if name == EVERYTHING:
            wanted += known
        elif name == HOUSE:
            wanted += [each for each in known if each not in REFERENCES]
        elif name in known:
            wanted.append(name)
        else:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise Refused(f"--models: no model {name!r}; {hint}there are {', '.join((HOUSE, EVERYTHING, *known))}")
    asked = tuple(dict.fromkeys(wanted))
    missing = {name: why for name in asked if name in REFERENCES and (why := absent(name)) is not None}
    return Choice(
        tuple(name for name in asked if name not in REFERENCES),
        tuple(name for name in asked if name in REFERENCES and name not in missing),
        missing,
    )


def plan_of(trace: Trace, terms: Terms) -> Plan:
    """The split of a record, or Refused with what it is too short for."""
    check_trace(trace)
    step_s, steps = trace.step_s, len(trace.values)
    leads = tuple(sorted({steps_of(lead_s, step_s) for lead_s in terms.leads_s}))
    usual = min(WARM_DAYS * DAY_S // step_s, steps // 3)
    warm = usual if terms.warmup_s is None else steps_of(terms.warmup_s, step_s)
    if warm >= steps:
        raise Refused(
            f"{trace.name}: {steps * step_s / DAY_S:.3g} days are no longer than the warm-up, so nothing is left to "
            "score; pass a shorter --warmup, or a longer record"
        )
    scored = max(trace.first_step + warm, trace.end_step - steps_of(terms.scored_s, step_s))
    every = spacing(step_s, warm, LEVELS)
    levels = levels_for(step_s, warm, every, leads[-1])
    if 0.5 not in levels or len(levels) < 2:
        raise Refused(
            f"{trace.name}: a warm-up of {warm} steps of {step_s} s holds too few windows of {leads[-1] + 1} steps to "
            "learn from; pass a longer --warmup or record, a finer --step, or a shorter --horizon"
        )
    plan = Plan(step_s, trace.first_step, trace.end_step, scored, every, leads, levels)
    if not len(plan.scored()):
        raise Refused(f"{trace.name}: no window of {leads[-1] + 1} steps fits after the warm-up; pass a longer record")
    return plan


def run_backtests(
    traces: Sequence[Trace], choice: Choice, terms: Terms, progress: Progress | None = None
) -> tuple[Tested, ...]:
    """Every series, in the order given; those of one grid are computed as one batch."""
    plans = [plan_of(trace, terms) for trace in traces]  # all refusals before any work
    batches: dict[tuple[int, int, int], list[int]] = {}
    for at, trace in enumerate(traces):
        batches.setdefault((trace.step_s, trace.first_step, len(trace.values)), []).append(at)
    sized = len(SIZED) if terms.decisions else 0
    share = 1 / (1 + 0.5 * sized)
    found: dict[int, Tested] = {}
    for members in batches.values():
        weight, before = len(members) / len(traces), len(found) / len(traces)
        tell = _part(progress, before, share * weight)
        batch = [traces[at] for at in members]
        result = backtest(_panel(batch), plans[members[0]], _asked(choice, len(batch), terms.zone), terms.effort, tell)
        for row, trace in enumerate(batch):
            begin = before + weight * (share + (1 - share) * row / len(batch))
            tell = _part(progress, begin, weight * (1 - share) / len(batch))
            scores, why = _sized(trace, plans[members[0]], terms, tell) if terms.decisions else ({}, None)
            found[members[row]] = Tested(trace, result, row, scores, why)
    return tuple(found[at] for at in range(len(traces)))


def _asked(choice: Choice, rows: int, zone: str | None) -> Asked:
    models = (baseline().model, *serving_models())
    if zone is not None:
        models = by_season(models, SEASONAL, (Season(zone),) * rows)
    own: dict[str, PeakForecaster] = {BASELINE: models[0]} | {model.name: model for model in models[1:]}
    # the identity of `simulate`, so that both speak of the same refits
    load = typed_workload(1.0, lead_s=0.0, risk=0.005, actuation=Actuation.SCALE)
    keys = Fleet((load,)).row_keys() * rows
    candidates: tuple[Candidate, ...] = tuple(
        Engine(serving_models(), keys, zone=zone) if name == ENGINE else Alone(own[name])
        for name in dict.fromkeys((*choice.house, BASELINE))  # by the same clock, asked for or not
    )
    return Asked(candidates, choice.references)


def _panel(batch: Sequence[Trace]) -> Panel:
    seen = [trace.as_seen() for trace in batch]
    first = seen[0]
    values, verdicts = np.vstack([each.values for each in seen]), np.vstack([each.verdicts for each in seen])
    return Panel.of(SeriesBatch(first.step_s, first.first_step, values, verdicts.astype(np.uint8)))


def _sized(trace: Trace, plan: Plan, terms: Terms, progress: Progress | None) -> tuple[dict[str, Scores], str | None]:
    """Each of SIZED as the only source of Q.95 in the live pipeline, its margin kept by the same risk control; or why
    nothing is sized.
    """
    world = World(warmup_s=float((plan.scored_step - trace.first_step) * trace.step_s))
    warm = plan.scored_step - trace.first_step
    try:
        capacity = derived_capacity(trace, warm) if terms.capacity is None else terms.capacity
    except Refused as error:
        return {}, str(error)
    load = typed_workload(capacity, lead_s=terms.leads_s[0], risk=terms.risk, actuation=Actuation.SCALE)
    if terms.zone is not None:
        load = replace(load, time_zone=terms.zone)
    servers = {ENGINE: PeakServer(serving_models()), BASELINE: PeakServer((baseline().model,))}
    scores = {}
    for at, (name, server) in enumerate(servers.items()):
        tell = _part(progress, at / len(servers), 1 / len(servers))
        told = None if tell is None else (lambda part, tell=tell, name=name: tell(f"sizing by {name}", part))
        scores[name] = simulate(trace, load, world, told, server=server).scores
    return scores, None


def _part(progress: Progress | None, begin: float, weight: float) -> Progress | None:
    return None if progress is None else lambda what, share: progress(what, begin + weight * share)
