"""Quantiles for models that say one number: the order statistics of their own past errors, rolling with the origin.

Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005); split conformal as in Lei et al. 2018
(arXiv:1604.04173), over a trailing window. Errors are measured in units of √((h + m/10)·m), h the forecast and m the
mean demand of the window: half additive, half multiplicative. All models that have no quantiles of their own get theirs
here, so that what differs between them is the forecast.
"""

from __future__ import annotations

import numpy as np

from autoscaler.domain.series import Floats, Panel
from autoscaler.learning.backtest.plan import Plan, errors_needed


def scale_of(point: Floats, mean: Floats) -> Floats:
    """Demand units; NaN where it would not be positive."""
    with np.errstate(invalid="ignore", over="ignore"):
        scale = np.sqrt((point + 0.1 * mean) * mean)
    return np.where(scale > 0, scale, np.nan)


def trailing_means(panel: Panel, plan: Plan) -> Floats:
    """[row, scored origin], mean learnable demand over the window before each origin; NaN where there is none."""
    scored = plan.scored()
    low = int(scored[0]) - plan.window
    values = panel.learnable(low, int(scored[-1]))
    known = np.concatenate([np.zeros((panel.rows, 1)), np.cumsum(~np.isnan(values), axis=1)], axis=1)
    total = np.concatenate([np.zeros((panel.rows, 1)), np.cumsum(np.nan_to_num(values, nan=0.0), axis=1)], axis=1)
    end = scored - low
    start = end - plan.window
    count = known[:, end] - known[:, start]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, (total[:, end] - total[:, start]) / count, np.nan)


def rolling_quantiles(point: Floats, peak: Floats, mean: Floats, plan: Plan, lead: int) -> Floats:
    """[row, scored origin, level], NaN where the model said nothing or too few of its errors are known.

    point, peak: [row, origin] over all origins of the plan, NaN = unknown. An error is known at an origin only if its
    window was over before. mean: as of `trailing_means`. The scale of a constant zero demand is not positive: there the
    plain errors are taken.
    """
    origins, scored = plan.origins(), plan.scored()
    levels = np.array(plan.levels)
    needed = np.array([errors_needed(level) for level in plan.levels])
    out = np.full((len(point), len(scored), len(levels)), np.nan)
    first = len(origins) - len(scored)
    for at, origin in enumerate(scored.tolist()):
        low = int(np.searchsorted(origins, origin - plan.window))
        high = int(np.searchsorted(origins, origin - lead))
        if low >= high:
            continue
        m = mean[:, at : at + 1]
        flat = ~(np.nan_to_num(m, nan=0.0) > 0)
        past, here = point[:, low:high], point[:, first + at : first + at + 1]
        with np.errstate(invalid="ignore"):
            errors = np.sort((peak[:, low:high] - past) / np.where(flat, 1.0, scale_of(past, m)), axis=1)
        count = (~np.isnan(errors)).sum(axis=1)
        ranks = np.ceil((count[:, None] + 1) * levels - 1e-9).astype(np.int64) - 1
        ranks = np.clip(ranks, 0, np.maximum(count, 1)[:, None] - 1)
        offsets = np.take_along_axis(errors, ranks, axis=1)
        found = here + np.where(flat, 1.0, scale_of(here, m)) * offsets
        out[:, at] = np.where(count[:, None] >= needed, np.maximum(found, 0.0), np.nan)
    return out
