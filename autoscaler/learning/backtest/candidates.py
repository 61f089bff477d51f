"""The models of the house as a backtest asks them: the serving engine with its own quantiles, each forecaster alone.

They are asked through `PeakServer.forecast` and the contract of forecasters, as the service does; nothing of how they
work is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np

from autoscaler.domain.forecast import LEVELS as SERVED
from autoscaler.domain.season import Season
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.contract import PeakForecaster, observed_peaks
from autoscaler.forecasting.serving import PeakServer, Rows
from autoscaler.learning.backtest.conformal import rolling_quantiles, trailing_means
from autoscaler.learning.backtest.plan import Plan

ENGINE: Final = "foresail"

Progress = Callable[[float], None]


class Candidate(Protocol):
    """Something that gives quantiles of the peak at each scored origin of a plan."""

    @property
    def name(self) -> str: ...

    def quantiles(self, panel: Panel, plan: Plan, lead: int, progress: Progress | None = None) -> Floats:
        """[row, scored origin, level], demand units; NaN where it cannot say. progress: the share done, 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class Engine:
    """The serving engine. models: what it ranks. keys: [row], identities by which its refits are staggered.
    zone: IANA name of the zone whose days the demands follow, None = UTC.

    The levels that it serves come from it as it is; levels beyond them from a second instance that is asked for those
    too, since what it learns may depend on the highest level asked.
    """

    models: tuple[PeakForecaster, ...]
    keys: Sequence[str]
    name: str = ENGINE
    zone: str | None = None

    def quantiles(self, panel: Panel, plan: Plan, lead: int, progress: Progress | None = None) -> Floats:
        beyond = tuple(level for level in plan.levels if level not in SERVED)
        servers = [(PeakServer(self.models), SERVED)]
        if beyond:
            asked = tuple(sorted({*SERVED, *beyond}))
            servers.append((PeakServer(self.models, levels=asked), asked))
        scored = plan.scored()
        rows = Rows.punctual(self.keys, np.full(panel.rows, lead, dtype=np.int64))
        if self.zone is not None:
            rows = replace(rows, seasons=(Season(self.zone),) * panel.rows)
        out = np.full((panel.rows, len(scored), len(plan.levels)), np.nan)
        for at, origin in enumerate(scored.tolist()):
            step: Ints = np.array([origin], dtype=np.int64)
            for server, levels in servers:
                found = server.forecast(panel, rows, step).quantiles[:, 0]
                for k, level in enumerate(plan.levels):
                    if level in levels and (level in SERVED) == (levels is SERVED):
                        out[:, at, k] = found[:, levels.index(level)]
            if progress is not None:
                progress((at + 1) / len(scored))
        # two instances may cross by a hair
        return np.asarray(np.maximum.accumulate(out, axis=2))


@dataclass(frozen=True, slots=True)
class Alone:
    """One forecaster of the catalogue, calibrated as every model that says one number."""

    model: PeakForecaster

    @property
    def name(self) -> str:
        return self.model.name

    def quantiles(self, panel: Panel, plan: Plan, lead: int, progress: Progress | None = None) -> Floats:
        point = self.model.peaks(panel, plan.origins(), lead)
        if progress is not None:
            progress(1.0)
        return calibrated(point, panel, plan, lead)


def calibrated(point: Floats, panel: Panel, plan: Plan, lead: int) -> Floats:
    """[row, scored origin, level] from point forecasts [row, origin] at all origins of the plan."""
    peak = observed_peaks(learnable(panel), plan.origins(), lead, panel.end_step)
    usable = np.where(np.isfinite(point) & (point >= 0), point, np.nan)
    return rolling_quantiles(usable, peak, trailing_means(panel, plan), plan, lead)


def learnable(panel: Panel) -> Panel:
    """The same steps without lower bounds of demand: those are never a peak that was observed."""
    values = panel.learnable(panel.first_step, panel.end_step)
    return Panel(panel.step_s, panel.first_step, values, panel.verdicts, panel.notes)
