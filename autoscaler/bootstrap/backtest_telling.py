"""A backtest's results as what is told of them: rows in order, means over series, and a stretch to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from autoscaler.bootstrap.backtest import Choice, Terms, Tested
from autoscaler.bootstrap.worlds import steps_of
from autoscaler.domain.series import Floats, time_of
from autoscaler.learning.backtest.candidates import ENGINE
from autoscaler.learning.backtest.figures import Figures
from autoscaler.learning.backtest.plan import DAY_S, LEVELS, library_step
from autoscaler.learning.backtest.pooled import Measured, pooled
from autoscaler.learning.backtest.run import BASELINE, Horizon
from autoscaler.reporting.backtest.values import BacktestReport, ModelRow, Part, PooledPart, Sizing, Stretch
from autoscaler.reporting.report.numbers import duration
from autoscaler.simulator.figures import Scores

CALIBRATED: Final = "their quantiles come from their own errors of the last 7 days (conformal)"
SHOWN_S: Final = 4 * DAY_S
NAMED: Final = 3
_LAST: Final = float("inf")


def report_of(
    tested: Sequence[Tested], choice: Choice, terms: Terms, title: str,
    *, notes: Sequence[str] = (), took_s: float = 0.0,
) -> BacktestReport:  # fmt: skip
    """notes: of the record and the options; what a reader has to know of the method is added."""
    horizons = range(len(tested[0].backtest.plan.leads))
    parts = tuple(_part(one, k, terms) for one in tested for k in horizons)
    several = () if len(tested) == 1 else tuple(_pooled(tested, k) for k in horizons)
    warnings = tuple(f"{name} does not take part: {why}" for name, why in choice.missing.items())
    return BacktestReport(title, BASELINE, parts, several, warnings, (*_notes(tested, choice, terms), *notes), took_s)


def measured(one: Tested, source: str, horizon: int) -> Measured:
    """The figures of one series, as they are pooled."""
    figures = one.backtest.horizons[horizon].scored.figures
    return Measured(source, one.trace.name, {name: rows[one.row] for name, rows in figures.items()})


def _part(one: Tested, k: int, terms: Terms) -> Part:
    plan, horizon = one.backtest.plan, one.backtest.horizons[k]
    sized = one.sized if horizon.lead == steps_of(terms.leads_s[0], plan.step_s) else {}
    rows = [_row(name, horizon.scored.figures[name][one.row], one, sized.get(name)) for name in one.backtest.models]
    return Part(
        series=one.trace.name,
        start=one.trace.start,
        end=one.trace.end,
        scored_from=time_of(plan.scored_step, plan.step_s),
        step_s=plan.step_s,
        every_s=plan.every * plan.step_s,
        horizon_s=horizon.lead * plan.step_s,
        origins=int(horizon.scored.common[one.row].sum()),
        levels=plan.levels,
        rows=_ordered(rows),
        stretch=_stretch(one, horizon),
    )


def _row(name: str, figures: Figures | None, one: Tested, scores: Scores | None) -> ModelRow:
    ours, base = name == ENGINE, name == BASELINE
    sizing = None if scores is None else Sizing(scores.over_bound, scores.short_share, scores.replica_hours)
    if figures is None:
        return ModelRow(name, ours, base, sizing=sizing, why=one.backtest.lost.get((one.row, name), "no figures"))
    return ModelRow(
        name, ours, base, figures.loss, figures.relative, figures.mase, figures.peak_coverage, figures.step_coverage,
        figures.size, sizing,
    )  # fmt: skip


def _pooled(tested: Sequence[Tested], k: int) -> PooledPart:
    """Each series weighs the same."""
    all_of = [measured(one, f"{at}", k) for at, one in enumerate(tested)]
    models = dict.fromkeys(name for one in tested for name in one.backtest.models)
    rows = []
    for name in models:
        mean = pooled(all_of, name, ENGINE)
        rows.append(
            ModelRow(
                name,
                name == ENGINE,
                name == BASELINE,
                None,
                mean.relative,
                mean.mase,
                mean.peak_coverage,
                mean.step_coverage,
                against_us=mean.against_us,
                beats_baseline=(mean.beats_baseline, mean.compared),
                beats_us=(mean.beats_us, mean.met),
                why=None if mean.series else "no figures on any series",
            )
        )
    plan = max((one.backtest.plan for one in tested), key=lambda p: len(p.levels))
    horizon_s = tested[0].backtest.horizons[k].lead * tested[0].backtest.plan.step_s
    return PooledPart(horizon_s, len(tested), plan.levels, _ordered(rows))


def _ordered(rows: Sequence[ModelRow]) -> tuple[ModelRow, ...]:
    """Ours first, then the least loss first; what has no figures is last."""
    return tuple(sorted(rows, key=lambda r: (not r.ours, _LAST if r.relative is None else r.relative, r.model)))


def _stretch(one: Tested, horizon: Horizon) -> Stretch | None:
    """The newest scored days, where we are among the models and sized for."""
    plan = one.backtest.plan
    ours = horizon.quantiles.get(ENGINE)
    high = max((level for level in plan.levels if level <= 0.95), default=0.5)
    if ours is None or high <= 0.5:
        return None
    scored = plan.scored()
    first = max(plan.scored_step, plan.end_step - steps_of(SHOWN_S, plan.step_s))
    shown = scored >= first
    demand: Floats = np.array(one.trace.values[first - one.trace.first_step :])
    at_high, at_half = plan.levels.index(high), plan.levels.index(0.5)
    other = horizon.quantiles[BASELINE]
    return Stretch(
        step_s=plan.step_s,
        first_step=first,
        demand=demand,
        unknown=np.isnan(demand),
        at=(scored[shown] - first).astype(np.float64),
        median=ours[one.row, shown, at_half],
        high=ours[one.row, shown, at_high],
        other=other[one.row, shown, at_high],
        peak=horizon.scored.peak[one.row, shown],
        high_level=high,
    )


def _notes(tested: Sequence[Tested], choice: Choice, terms: Terms) -> tuple[str, ...]:
    plan = tested[0].backtest.plan
    notes = [
        "a window is the step of its origin and the steps until the horizon; its peak is what is forecast",
        f"{ENGINE} has its own quantiles; all other models say one number and are calibrated alike: {CALIBRATED}",
    ]
    if any(level not in plan.levels for level in LEVELS):
        gone = ", ".join(f"{level:g}" for level in LEVELS if level not in plan.levels)
        notes.append(f"{tested[0].trace.name}: the warm-up is too short for quantiles at {gone}")
    notes += _without_mase(tested)
    if choice.references and (grid := library_step(plan.step_s)) is not None:
        limits = terms.effort.limits
        notes.append(
            f"{', '.join(choice.references)}: on steps of {duration(grid)}, fitted once a day (theta at each origin), "
            f"in processes of their own with {limits.words} each"
        )
    notes += [f"not sized: {one.unsized}" for one in tested if one.unsized is not None]
    if any(one.sized for one in tested):
        notes.append(
            f"sizing: the live pipeline with Q.95 of that model alone, its margin kept by the risk control; a lead of "
            f"{duration(terms.leads_s[0])}, accepted risk {terms.risk:.3g}, from the same scored step on"
        )
    return tuple(notes)


def _without_mase(tested: Sequence[Tested]) -> list[str]:
    """Why MASE has no number, once for each reason."""
    odd, short = dict[int, list[str]](), list[str]()
    for one in tested:
        step_s = one.backtest.plan.step_s
        rows = [row for h in one.backtest.horizons for f in h.scored.figures.values() if (row := f[one.row])]
        if DAY_S % step_s:
            odd.setdefault(step_s, []).append(one.trace.name)
        elif rows and all(row.mase is None for row in rows):
            short.append(one.trace.name)
    notes = [
        f"no MASE for {_some(names)}: a day is no whole number of steps of {duration(step_s)}, so no window lies a day "
        "before another; pass --step with one that divides a day"
        for step_s, names in odd.items()
    ]
    if short:
        notes.append(
            f"no MASE for {_some(short)}: in the warm-up no window is known that changed from the day before; pass a "
            "longer --warmup or record"
        )
    return notes


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
