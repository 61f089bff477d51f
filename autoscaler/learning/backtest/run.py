"""The rolling-origin backtest of a batch of series: every model at every origin, then figures over the same origins."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats, Panel
from autoscaler.forecasting.naive import SeasonalNaive
from autoscaler.learning.backtest.candidates import Alone, Candidate, calibrated
from autoscaler.learning.backtest.figures import Scored, score
from autoscaler.learning.backtest.paths import PathJob, path_peaks_job, peaks_in
from autoscaler.learning.backtest.plan import DAY_S, Plan
from autoscaler.learning.backtest.references import PRELOAD
from autoscaler.learning.process import Limits, run_side_by_side

BASELINE: Final = "seasonal-naive-day"

Progress = Callable[[str, float], None]
"""(what is being done, share of the whole that is done)."""

_LIBRARY_WEIGHT: Final = 5
FIT_LIMITS: Final = Limits(seconds=900.0, memory_bytes=1536 * 1024**2, processor_s=180.0)


def baseline() -> Alone:
    """What every loss is divided by."""
    return Alone(SeasonalNaive(DAY_S, "day"))


@dataclass(frozen=True, slots=True, eq=False)
class Horizon:
    """One window length. quantiles: model → [row, scored origin, level]."""

    lead: int
    quantiles: dict[str, Floats]
    scored: Scored


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """horizons: one per lead of the plan. lost: (row, model) → why it has no figures there."""

    plan: Plan
    models: tuple[str, ...]
    horizons: tuple[Horizon, ...]
    lost: dict[tuple[int, str], str]


@dataclass(frozen=True, slots=True)
class Effort:
    """limits: of each library fit. workers: processes for them at a time."""

    limits: Limits = FIT_LIMITS
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """Which models. references: names of library models, each fitted per series in a process of its own."""

    candidates: tuple[Candidate, ...]
    references: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"each model once, not {self.names}")

    @property
    def names(self) -> tuple[str, ...]:
        return (*(each.name for each in self.candidates), *self.references)

    @property
    def with_baseline(self) -> Asked:
        if BASELINE in self.names:
            return self
        return Asked((*self.candidates, baseline()), self.references)


def backtest(
    panel: Panel, plan: Plan, asked: Asked, effort: Effort | None = None, progress: Progress | None = None
) -> Backtest:
    """Quantiles and figures of all models over one batch. The baseline takes part whether it is asked for or not.

    A model that raises, and a fit that hangs or dies, has no figures where it did, and `lost` says why.
    """
    asked = asked.with_baseline
    parts = len(asked.candidates) * len(plan.leads) + _LIBRARY_WEIGHT * len(asked.references) * panel.rows
    journey = _Journey(parts, progress)
    found: list[dict[str, Floats]] = [{} for _ in plan.leads]
    for each in asked.candidates:
        for k, lead in enumerate(plan.leads):
            try:
                found[k][each.name] = each.quantiles(panel, plan, lead, journey.part(each.name))
            except Exception as error:  # noqa: BLE001 - a model's failure costs its own figures
                why = f"raised {type(error).__name__}: {error}"
                journey.lost |= {(row, each.name): why for row in range(panel.rows)}
                found[k][each.name] = np.full((panel.rows, len(plan.scored()), len(plan.levels)), np.nan)
            journey.done(1, each.name)
    for name, points in _paths(panel, plan, asked.references, effort or Effort(), journey).items():
        for k, lead in enumerate(plan.leads):
            found[k][name] = calibrated(points[k], panel, plan, lead)
    horizons = []
    for lead, quantiles in zip(plan.leads, found, strict=True):
        scored = score(quantiles, panel, plan, lead, BASELINE)
        _explain(scored, quantiles, journey.lost)
        horizons.append(Horizon(lead, quantiles, scored))
    return Backtest(plan, asked.names, tuple(horizons), journey.lost)


def _paths(panel: Panel, plan: Plan, references: Sequence[str], effort: Effort, journey: _Journey) -> dict[str, Floats]:
    """Reference → [lead, row, origin], point forecasts of the peak."""
    shape = (len(plan.leads), panel.rows, len(plan.origins()))
    points = {name: np.full(shape, np.nan) for name in references}
    values = panel.learnable(plan.first_step, plan.end_step)
    jobs = {
        f"{row}/{name}": (PathJob(name, values[row], plan),) for row in range(panel.rows) for name in references
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="foresail-backtest-") as scratch:
        for key, folder, ended in run_side_by_side(
            path_peaks_job, jobs, Path(scratch), effort.limits, workers=effort.workers, preload=PRELOAD
        ):
            row, name = key.split("/", 1)
            if ended.done:
                points[name][:, int(row)] = peaks_in(folder)
            else:
                journey.lost[int(row), name] = ended.words
            journey.done(_LIBRARY_WEIGHT, name)
    return points


def _explain(scored: Scored, quantiles: dict[str, Floats], lost: dict[tuple[int, str], str]) -> None:
    """Where a model has no figures, why: nothing is left out in silence."""
    known = (~np.isnan(scored.peak)).sum(axis=1)
    for name, rows in scored.figures.items():
        for row, figures in enumerate(rows):
            if figures is None and (row, name) not in lost:
                said = int((~np.isnan(quantiles[name][row]).any(axis=1) & ~np.isnan(scored.peak[row])).sum())
                lost[row, name] = f"answered {said} of {int(known[row])} scored origins"


class _Journey:
    """How far it is, over parts of different weight, and what was lost on the way."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.lost: dict[tuple[int, str], str] = {}
        self._total, self._progress, self._sum = max(total, 1), progress, 0

    def done(self, weight: int, what: str) -> None:
        self._sum += weight
        if self._progress is not None:
            self._progress(what, self._sum / self._total)

    def part(self, what: str) -> Callable[[float], None] | None:
        progress = self._progress
        if progress is None:
            return None
        return lambda share: progress(what, (self._sum + share) / self._total)
