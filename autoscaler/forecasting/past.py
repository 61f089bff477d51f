"""What each forecaster would have said over the steps that calibrations learn from, and what really came."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints, Panel
from autoscaler.forecasting.asking import ask_point
from autoscaler.forecasting.contract import PeakForecaster, observed_peaks
from autoscaler.forecasting.teams import CalibrationPlan

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Samples:
    """The steps before an anchor whose errors are learned. first: absolute step, the first of an hour on its grid.
    stride: spacing of the sparse samples. phases: steps of an hour (1: the grid has none). whole: steps of whole hours.
    """

    first: int
    stride: int
    phases: int
    whole: int

    @staticmethod
    def before(anchor: int, plan: CalibrationPlan, step_s: int) -> Samples:
        stride, phases = max(1, plan.sample_s // step_s), phases_of(step_s)
        unit = math.lcm(stride, phases)
        first = -(-(anchor - plan.window_s // step_s) // unit) * unit
        return Samples(min(first, anchor), stride, phases, max(0, anchor - first) // phases * phases)

    @property
    def aligned(self) -> int:
        """The last step up to `first` from which strides and hours count."""
        return self.first - self.first % math.lcm(self.stride, self.phases)


def phases_of(step_s: int) -> int:
    return HOUR_S // step_s if HOUR_S % step_s == 0 else 1


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked, and at which steps: at each where `dense`, else at each `stride`-th."""

    models: tuple[PeakForecaster, ...]
    dense: tuple[bool, ...]
    stride: int


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Over steps [first, end) of some rows. view: their history from the deepest model's reach on.

    points: [row, sample] by model; of each step where `dense`, else of each `stride`-th; None = could not say (faults:
    model → why). peak: [row, step], windows that reach beyond `end` NaN. A point depends on nothing after its origin,
    so one past serves every anchor inside it.
    """

    first: int
    end: int
    lead: int
    stride: int
    view: Panel
    dense: tuple[bool, ...]
    points: tuple[Floats | None, ...]
    peak: Floats
    faults: dict[str, str]

    @staticmethod
    def over(view: Panel, steps: tuple[int, int], lead: int, asked: Asked) -> Past:
        """view: of the rows, from the deepest model's reach before the first of the steps [first, end) to their end."""
        first, end = steps
        every = np.arange(first, end, dtype=np.int64)
        faults: dict[str, str] = {}
        points = tuple(
            ask_point(each, view, every if whole else every[:: asked.stride], lead, faults)
            for each, whole in zip(asked.models, asked.dense, strict=True)
        )
        peak = observed_peaks(view, every, lead, limit=end)
        return Past(first, end, lead, asked.stride, view, asked.dense, points, peak, faults)

    def of(self, rows: Ints | slice) -> Past:
        """The same of some of its rows."""
        view = replace(self.view, values=self.view.values[rows])
        points = tuple(None if p is None else p[rows] for p in self.points)
        return replace(self, view=view, points=points, peak=self.peak[rows])

    def before(self, samples: Samples, anchor: int) -> tuple[Floats, tuple[Floats | None, ...]]:
        """Peaks [row, step] and points of the samples as they were known at the anchor: a peak only once it is past."""
        low, high = samples.first - self.first, anchor - self.first
        peak = self.peak[:, low:high]
        if anchor < self.end:
            peak = peak.copy()
            peak[:, max(0, high - low - self.lead) :] = np.nan
        sparse = slice(-(-low // self.stride), -(-high // self.stride))
        cut = (slice(low, high) if whole else sparse for whole in self.dense)
        return peak, tuple(None if p is None else p[:, c] for p, c in zip(self.points, cut, strict=True))

    def known(self, first: int, end: int) -> Bools:
        """[row, step], whether the demand of steps [first, end) was observed."""
        at = self.view.first_step
        return ~np.isnan(self.view.values[:, first - at : end - at])
