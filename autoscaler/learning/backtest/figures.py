"""What a backtest says of one model on one series: loss, error and coverage of the peak, over the same origins for all.

Pinball loss: Koenker & Bassett 1978; weighted quantile loss as in the M5 and GluonTS: twice its sum over levels and
origins, over levels and the sum of the peaks. MASE: Hyndman & Koehler 2006, here for the peak of a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Bools, Floats, Panel
from autoscaler.forecasting.contract import observed_peaks, shifted
from autoscaler.learning.backtest.candidates import learnable
from autoscaler.learning.backtest.plan import DAY_S, Plan

ROUNDING: Final = 1e-9
"""Relative distance above a quantile within which a demand is at most that quantile, as it is when replicas are sized:
a mean of equal numbers may lie a last bit below them.
"""
ANSWERS: Final = 0.5
"""Least share of the scored origins that a model has to answer; below, its figures would be of other origins."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one model on one series. None = not to be told.

    origins: that were scored, the same for all models of a series. loss: weighted quantile loss of the peak, without a
    unit. relative: over that of the baseline. mase: error of the median, over that of the day before in the warm-up.
    peak_coverage: [level], share of windows whose peak was at most the quantile. step_coverage: [level], share of the
    windows' steps that were. size: mean of the quantile that sizes, over the mean of the peaks.
    """

    origins: int
    loss: float | None
    relative: float | None
    mase: float | None
    peak_coverage: tuple[float, ...]
    step_coverage: tuple[float, ...]
    size: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """peak: [row, scored origin], what came. common: likewise, origins that count. figures: model → [row], None where
    the model answered too few origins.
    """

    peak: Floats
    common: Bools
    figures: dict[str, tuple[Figures | None, ...]]


def score(quantiles: Mapping[str, Floats], panel: Panel, plan: Plan, lead: int, baseline: str) -> Scored:
    """Figures of every model. quantiles: model → [row, scored origin, level]; baseline: one of the models."""
    scored = plan.scored()
    offered = learnable(panel)
    peak = observed_peaks(offered, scored, lead, panel.end_step)
    known = ~np.isnan(peak)
    answers = {name: known & ~np.isnan(found).any(axis=2) for name, found in quantiles.items()}
    least = ANSWERS * known.sum(axis=1)
    takes_part = {name: (mine.sum(axis=1) >= least) & mine.any(axis=1) for name, mine in answers.items()}
    common = known.copy()
    for name, mine in answers.items():
        common &= mine | ~takes_part[name][:, None]
    steps = shifted(offered, scored, 0, lead + 1)
    naive = _naive_error(offered, plan, lead)
    base = weighted_loss(quantiles[baseline], peak, common, plan.levels)
    base = np.where(takes_part[baseline], base, np.nan)
    figures = {}
    for name, found in quantiles.items():
        loss = weighted_loss(found, peak, common, plan.levels)
        rows: list[Figures | None] = []
        for row in range(panel.rows):
            counted = common[row]
            if not (takes_part[name][row] and counted.any()):
                rows.append(None)
                continue
            window = np.stack([column[row, counted] for column in steps])
            came = _Came(peak[row, counted], window, float(base[row]), float(naive[row]))
            rows.append(_figures(found[row, counted], came, float(loss[row]), plan.levels))
        figures[name] = tuple(rows)
    return Scored(peak, common, figures)


def pinball(quantile: Floats, came: Floats, levels: tuple[float, ...]) -> Floats:
    """[..., level], loss of quantiles [..., level] for what came [...]; in units of demand."""
    miss = came[..., None] - quantile
    level = np.array(levels)
    return np.maximum(level * miss, (level - 1) * miss)


def weighted_loss(quantile: Floats, peak: Floats, counted: Bools, levels: tuple[float, ...]) -> Floats:
    """[row]: 2 · Σ pinball / (levels · Σ peak) over the counted origins; NaN where there is nothing to divide by."""
    loss = np.where(counted[..., None], pinball(quantile, peak, levels), 0.0).sum(axis=(1, 2))
    came = np.where(counted, peak, 0.0).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(came > 0, 2 * loss / (len(levels) * came), np.nan)


def _naive_error(panel: Panel, plan: Plan, lead: int) -> Floats:
    """[row], mean |peak − the peak of the same window a day before| over the warm-up; NaN where none is known."""
    out = np.full(panel.rows, np.nan)
    if DAY_S % panel.step_s:
        return out
    origins = plan.origins()
    warm = origins[origins + lead < plan.scored_step]
    if not len(warm):
        return out
    now = observed_peaks(panel, warm, lead, plan.scored_step)
    before = observed_peaks(panel, warm - DAY_S // panel.step_s, lead, plan.scored_step)
    moved = np.abs(now - before)
    count = (~np.isnan(moved)).sum(axis=1)
    return np.where(count > 0, np.nansum(moved, axis=1) / np.maximum(count, 1), np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class _Came:
    """What came at the counted origins of one series. peak: [origin]. window: [step of the window, origin], NaN =
    unknown. base: loss of the baseline, naive: error of the day before; NaN where there is none.
    """

    peak: Floats
    window: Floats
    base: float
    naive: float


def _figures(mine: Floats, came: _Came, loss: float, levels: tuple[float, ...]) -> Figures:
    """mine: [origin, level]."""
    seen = ~np.isnan(came.window)
    middle, sizing = levels.index(0.5) if 0.5 in levels else None, levels.index(0.95) if 0.95 in levels else None
    error = None if middle is None else float(np.abs(came.peak - mine[:, middle]).mean())
    mean = float(came.peak.mean())
    return Figures(
        origins=len(mine),
        loss=None if np.isnan(loss) else loss,
        relative=loss / came.base if came.base > 0 and not np.isnan(loss) else None,
        mase=error / came.naive if error is not None and came.naive > 0 else None,
        peak_coverage=tuple(float((came.peak <= atop).mean()) for atop in (mine * (1 + ROUNDING)).T),
        step_coverage=tuple(float((came.window <= atop)[seen].mean()) for atop in (mine * (1 + ROUNDING)).T),
        size=float(mine[:, sizing].mean() / mean) if sizing is not None and mean > 0 else None,
    )
