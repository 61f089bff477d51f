"""What each forecaster would have said over the steps that calibrations learn from, and what really came."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints, Panel
from autoscaler.forecasting.asking import ask_point
from autoscaler.forecasting.contract import PeakForecaster, observed_peaks
from autoscaler.forecasting.local_seasons import steps_of
from autoscaler.forecasting.teams import CalibrationPlan

HOUR_S = 3600


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The steps before its anchor whose errors each row learns. first, anchor: [row], absolute steps; the first is that
    of an hour on the grid. stride: spacing of the sparse samples. phases: steps of an hour (1: the grid has none).
    steps: columns of a lesson, whole hours, as many for every anchor, so that a row's sums do not depend on the others.
    """

    first: Ints
    anchor: Ints
    stride: int
    phases: int
    steps: int

    @staticmethod
    def before(anchor: Ints, plan: CalibrationPlan, step_s: int) -> Samples:
        stride, phases, window = max(1, plan.sample_s // step_s), phases_of(step_s), plan.window_s // step_s
        unit = math.lcm(stride, phases)
        first = np.minimum(-(-(anchor - window) // unit) * unit, anchor)
        return Samples(first, anchor, stride, phases, -(-window // phases) * phases)

    @property
    def begin(self) -> int:
        """A step up to all firsts from which strides and hours count."""
        earliest = int(self.first.min())
        return earliest - earliest % math.lcm(self.stride, self.phases)

    @property
    def whole(self) -> Ints:
        """[row], steps of whole hours."""
        return (self.anchor - self.first) // self.phases * self.phases


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What rows learn from, each at its own anchor; column c is step first + c. peak: [row, step], as it was known at
    the anchor: only once it is past. thin: the same of each `stride`-th step. points: by model [row, step] where dense,
    else [row, sample]; None = could not say. NaN from the anchor on. known_s: [row], seconds of known demand. oldest_s:
    [row], epoch of the oldest known step that any model could read, inf = none.
    """

    peak: Floats
    thin: Floats
    points: tuple[Floats | None, ...]
    known_s: Floats
    oldest_s: Floats


def phases_of(step_s: int) -> int:
    return HOUR_S // step_s if HOUR_S % step_s == 0 else 1


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked, and at which steps: at each where `dense`, else at each `stride`-th. zones: [row], IANA names of
    the zones whose clocks the rows follow, None = UTC; empty: all do.
    """

    models: tuple[PeakForecaster, ...]
    dense: tuple[bool, ...]
    stride: int
    zones: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Over steps [first, end) of some rows. view: their history from the deepest model's reach on.

    points: [row, sample] by model from step `since` on; of each step where `dense`, else of each `stride`-th; None =
    could not say (faults: model → why); () = nobody was asked. peak: [row, step], windows that reach beyond `end` NaN.
    A point depends on nothing after its origin, so one past serves every anchor inside it. zones: as asked.
    """

    first: int
    end: int
    lead: int
    stride: int
    view: Panel
    since: int
    dense: tuple[bool, ...]
    points: tuple[Floats | None, ...]
    peak: Floats
    faults: dict[str, str]
    zones: tuple[str | None, ...] = ()

    @staticmethod
    def over(view: Panel, steps: tuple[int, int], lead: int, asked: Asked) -> Past:
        """view: of the rows, from the deepest model's reach before the first of the steps [first, end) to their end."""
        return Past.untold(view, steps, lead, asked.stride).told(asked)

    @staticmethod
    def untold(view: Panel, steps: tuple[int, int], lead: int, stride: int) -> Past:
        """What came, before anybody is asked."""
        peak = observed_peaks(view, np.arange(*steps, dtype=np.int64), lead, limit=steps[1])
        return Past(*steps, lead, stride, view, steps[0], (), (), peak, {})

    def told(self, asked: Asked) -> Past:
        """The same with what the forecasters would have said, from the first step on of whose peak any row may know
        something: an error before it cannot be told, whatever they say.
        """
        known = np.flatnonzero(~np.isnan(self.view.values).all(axis=0))
        unit, since = math.lcm(self.stride, phases_of(self.view.step_s)), self.first
        if len(known):
            begin = self.view.first_step + int(known[0]) - self.lead
            since += max(0, min(begin, self.end) - self.first) // unit * unit
        every = np.arange(since, self.end, dtype=np.int64)
        faults: dict[str, str] = {}
        points = tuple(
            ask_point(each, self.view, every if whole else every[:: asked.stride], self.lead, faults)
            for each, whole in zip(asked.models, asked.dense, strict=True)
        )
        return replace(self, since=since, dense=asked.dense, points=points, faults=faults, zones=asked.zones)

    def teaches(self, plan: CalibrationPlan) -> Bools:
        """[row], whether enough is known that any calibration is possible; of the others nobody need be asked."""
        phases = phases_of(self.view.step_s)
        known = ~np.isnan(self.peak)
        enough = np.count_nonzero(known[:, :: self.stride], axis=1) >= plan.least
        return np.asarray(enough | (np.count_nonzero(known, axis=1) >= plan.least_hours * phases))

    def of(self, rows: Ints | slice) -> Past:
        """The same of some of its rows."""
        view = replace(self.view, values=self.view.values[rows])
        points = tuple(None if p is None else p[rows] for p in self.points)
        zones = tuple(np.array(self.zones, dtype=object)[rows]) if self.zones else ()
        return replace(self, view=view, points=points, peak=self.peak[rows], zones=zones)

    def lesson(self, samples: Samples, deepest: int) -> Lesson:
        """deepest: steps before an origin that any model reads."""
        rows, step_s = len(samples.anchor), float(self.view.step_s)
        thin = -(-samples.steps // self.stride)
        peak = np.full((rows, samples.steps), np.nan)
        points = tuple(
            None if p is None else np.full((rows, samples.steps if whole else thin), np.nan)
            for p, whole in zip(self.points, self.dense, strict=True)
        )
        known_s, oldest_s = np.zeros(rows), np.full(rows, np.inf)
        for row, (first, anchor) in enumerate(zip(samples.first.tolist(), samples.anchor.tolist(), strict=True)):
            low, count = first - self.first, anchor - first
            seen = max(0, count - self.lead)
            peak[row, :seen] = self.peak[row, low : low + seen]
            begin, after = max(first, self.since), max(anchor, self.since)  # whole strides apart
            for mine, theirs, whole in zip(points, self.points, self.dense, strict=True):
                if mine is not None and theirs is not None:
                    each = 1 if whole else self.stride
                    said = theirs[row, -(-(begin - self.since) // each) : -(-(after - self.since) // each)]
                    place = (begin - first) // each
                    mine[row, place : place + len(said)] = said
            at = first - self.view.first_step
            known = ~np.isnan(self.view.values[row, at - deepest : at + count])
            known_s[row] = np.count_nonzero(known[deepest:]) * step_s
            if known.any():
                oldest_s[row] = (first - deepest + int(known.argmax())) * step_s
        self._by_the_clock(samples, peak, points)
        return Lesson(peak, np.ascontiguousarray(peak[:, :: self.stride]), points, known_s, oldest_s)

    def _by_the_clock(self, samples: Samples, peak: Floats, points: tuple[Floats | None, ...]) -> None:
        """Move what lies before a change of a row's clock by no whole hours (Lord Howe Island's half of one) to the
        minutes of the hour that it has by the clock kept at the anchor; in place.
        """
        for row, zone in enumerate(self.zones):
            first, anchor = int(samples.first[row]), int(samples.anchor[row])
            for at, by in () if zone is None else steps_of(zone, self.view.step_s, first, anchor):
                if not by % samples.phases or by % self.stride:
                    continue
                _move(peak[row, : at - first], by)
                for mine, whole in zip(points, self.dense, strict=True):
                    if mine is not None:
                        cut, turns = (at - first, by) if whole else (-(-(at - first) // self.stride), by // self.stride)
                        _move(mine[row, :cut], turns)


def _move(values: Floats, by: int) -> None:
    """To the left by so many steps, or to the right where negative; in place, NaN where nothing comes."""
    old = values.copy()
    values[:] = np.nan
    if by > 0:
        values[: max(0, len(old) - by)] = old[by:]
    else:
        values[-by:] = old[: max(0, len(old) + by)]
