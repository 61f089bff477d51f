"""Peaks from a library's paths: one series, one model, all origins; runs in a process of its own.

The model sees the series on a coarser grid, means of whole steps, with gaps filled from what was known before them. It
is fitted once a day, at the first origin of each day (UTC), and asked at every origin. Only points before the origin
are ever handed to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats, Ints
from autoscaler.learning.backtest.plan import DAY_S, Plan, library_step
from autoscaler.learning.backtest.references import MOST_POINTS, REFERENCES, Known

FILE: Final = "peaks.npy"


@dataclass(frozen=True, slots=True, eq=False)
class PathJob:
    """model: name of a reference. values: [step] of one series from plan.first_step on, lower bounds left out."""

    model: str
    values: Floats
    plan: Plan


def path_peaks(job: PathJob) -> Floats:
    """[lead, origin], the highest expected demand of each window; NaN where there is too little history.

    Raises ValueError where the grid has no daily season.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return _peaks(job)


def path_peaks_job(folder: Path, job: PathJob) -> None:
    """In the child: path_peaks, written into the folder."""
    with (folder / FILE).open("wb") as made:
        np.lib.format.write_array(made, path_peaks(job), allow_pickle=False)


def peaks_in(folder: Path) -> Floats:
    """[lead, origin], what path_peaks_job has left there."""
    with (folder / FILE).open("rb") as made:
        return np.asarray(np.lib.format.read_array(made, allow_pickle=False), dtype=np.float64)


def _peaks(job: PathJob) -> Floats:
    plan, model = job.plan, REFERENCES[job.model]
    step_s = library_step(plan.step_s)
    if step_s is None or plan.every * plan.step_s % step_s:
        raise ValueError(f"steps of {plan.step_s} s, asked every {plan.every}: a day is no whole number of such points")
    factor, season = step_s // plan.step_s, DAY_S // step_s
    first = -(-plan.first_step // factor)
    points = filled(coarse(job.values[first * factor - plan.first_step :], factor), season)
    origins: Ints = plan.origins() // factor
    reach = [-(-(lead + 1) // factor) for lead in plan.leads]
    out = np.full((len(plan.leads), len(origins)), np.nan)
    fitted, fitted_day = None, None
    needed = max(model.least_seasons * season, 2)
    for at, origin in enumerate(origins.tolist()):
        known = _known(points, origin - first, season, origin, step_s)
        if known is None or len(known.points) < needed:
            continue
        if np.ptp(known.points) == 0:
            # libraries fail on it, each in its way: statsmodels' Theta takes it for the constant of its regression
            out[:, at] = known.points[-1]
            continue
        if origin // season != fitted_day:
            fitted, fitted_day = model.fit(known, season + reach[-1]), origin // season
        path = model.path(fitted, known, reach[-1])
        for k, width in enumerate(reach):
            out[k, at] = max(float(path[:width].max()), 0.0)
    return np.where(np.isfinite(out), out, np.nan)


def _known(points: Floats, end: int, season: int, origin: int, step_s: int) -> Known | None:
    """The newest points before the origin, from the first known one on."""
    values = points[max(0, end - MOST_POINTS) : end]
    there = np.flatnonzero(~np.isnan(values))
    return Known(values[there[0] :], season, origin, step_s) if len(there) else None


def coarse(values: Floats, factor: int) -> Floats:
    """[point], means of `factor` steps, unknown where half of them or more are; what is left at the end is dropped."""
    whole = values[: len(values) // factor * factor].reshape(-1, factor)
    known = ~np.isnan(whole)
    count = known.sum(axis=1)
    total = np.where(known, whole, 0.0).sum(axis=1)
    return np.where(count * 2 > factor, total / np.maximum(count, 1), np.nan)


def filled(points: Floats, season: int) -> Floats:
    """Gaps filled from the past alone: the same time a season before, else the last value; NaN before the first."""
    out = points.copy()
    for at in np.flatnonzero(np.isnan(points)).tolist():
        before = out[at - season] if at >= season else np.nan
        out[at] = before if not np.isnan(before) else (out[at - 1] if at else np.nan)
    return out
