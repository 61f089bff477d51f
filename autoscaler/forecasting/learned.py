"""What is learned of each row at its anchors: its experts' calibrations, their weights, and its place on the ladder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.ladder import STANDING
from autoscaler.domain.series import Bools, Floats, Ints
from autoscaler.forecasting.averaging import averaged, weights_of
from autoscaler.forecasting.catalogue import BASELINE, WEEKLY
from autoscaler.forecasting.conformal import Calibration, Shift, calibrate, offset_quantiles, recalibrated
from autoscaler.forecasting.past import Lesson, Past, Samples
from autoscaler.forecasting.qualification import (
    OWN_DAY_S,
    Contest,
    Judged,
    Progress,
    naive_alone,
    shifted_top,
    standings,
)
from autoscaler.forecasting.teams import CalibrationPlan

DAY_S = 86400
NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Experts:
    """The forecasters, each with one calibration or two. models: their names. each: (index of the model, phases of its
    calibration): 1, or the steps of an hour. deepest: steps before an origin that any of them reads.
    """

    models: tuple[str, ...]
    each: tuple[tuple[int, int], ...]
    levels: tuple[float, ...]
    deepest: int


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """Of some rows, one slot each, written at their refits. anchor, main: [row], steps before which they learned last,
    and last in a settled row's turn; NEVER = not yet. young: [row], whether less than a day was known at `main`.
    stale: [row], whether older demand has come in since, so that it has to be learned again; it serves on meanwhile.
    mean: [row], of the demand. offsets: by expert [row, phase, level], NaN = not calibrated. weights: [expert, row],
    the best has 1, those without a calibration 0. shift: [row, level], what brings their mean back to its nominal
    coverage. own_s: [row], seconds of known demand. standing: [row] of STANDING. faults: phase of the refit →
    model → why it could not be calibrated.
    """

    anchor: Ints
    main: Ints
    young: Bools
    stale: Bools
    mean: Floats
    offsets: tuple[Floats, ...]
    weights: Floats
    shift: Floats
    own_s: Floats
    standing: NDArray[Any]
    faults: dict[int, dict[str, str]]

    @staticmethod
    def nothing(rows: int, experts: Experts) -> Learned:
        levels = len(experts.levels)
        return Learned(
            anchor=np.full(rows, NEVER),
            main=np.full(rows, NEVER),
            young=np.zeros(rows, dtype=np.bool_),
            stale=np.zeros(rows, dtype=np.bool_),
            mean=np.zeros(rows),
            offsets=tuple(np.full((rows, phases, levels), np.nan) for _, phases in experts.each),
            weights=np.zeros((len(experts.each), rows)),
            shift=np.zeros((rows, levels)),
            own_s=np.zeros(rows),
            standing=np.zeros(rows, dtype=STANDING),
            faults={},
        )

    def put(self, rows: Ints, new: Learned, *, turn: bool) -> None:
        """turn: it is a settled row's turn, at which `main` and `young` are renewed too."""
        for mine, theirs in zip(self._by_row(), new._by_row(), strict=True):
            if turn or (mine is not self.main and mine is not self.young):
                mine[rows] = theirs
        self.weights[:, rows] = new.weights

    def of(self, rows: Ints | slice) -> Learned:
        """A part; a view of it where `rows` is a slice."""
        anchor, main, young, stale, mean, shift, own_s, standing, *offsets = (each[rows] for each in self._by_row())
        return Learned(
            anchor, main, young, stale, mean, tuple(offsets), self.weights[:, rows], shift, own_s, standing, self.faults
        )

    def _by_row(self) -> tuple[NDArray[Any], ...]:
        return (
            self.anchor,
            self.main,
            self.young,
            self.stale,
            self.mean,
            self.shift,
            self.own_s,
            self.standing,
            *self.offsets,
        )

    def quantiles(self, points: Sequence[Floats | None], origins: Ints, experts: Experts) -> tuple[Floats, Ints]:
        """Quantiles [row, origin, level] of all experts together, from the points [row, origin] of each model; and the
        model that weighs most, -1 where nobody can say.
        """
        shape, levels = (len(self.mean), len(origins)), len(experts.levels)
        nothing = np.full((*shape, levels), np.nan)
        answers = []
        for (m, _), offsets in zip(experts.each, self.offsets, strict=True):
            point = points[m]
            answers.append(nothing if point is None else offset_quantiles(point, self.mean, offsets, origins))
        combined, heaviest = averaged(answers, self.weights, shape, levels)
        found = Shift(self.mean, self.shift).of(combined)
        served = np.isfinite(found).all(axis=2)
        found[~served] = np.nan
        of_expert = np.array([m for m, _ in experts.each], dtype=np.int64)
        by = np.where(served, of_expert[heaviest], -1) if len(of_expert) else np.full(shape, -1, dtype=np.int64)
        return found, by


def learn(past: Past, anchors: Ints, experts: Experts, plan: CalibrationPlan, risks: Floats) -> Learned:
    """Calibrate each row of a past on what was known before its anchor. risks: [row], accepted share of short time."""
    step_s = past.view.step_s
    samples = Samples.before(anchors, plan, step_s)
    lesson = past.lesson(samples, experts.deepest)
    sparse = lesson.thin
    known = ~np.isnan(sparse)
    with np.errstate(over="ignore"):
        mean = np.where(known, sparse, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    if all(point is None for point in lesson.points):
        return _learned(lesson, anchors, mean, _Outcome.nothing(len(mean), experts), (plan, step_s, past.lead))
    in_whole_hours = lesson.peak
    if any(phases > 1 for _, phases in experts.each):
        in_whole_hours = np.where(np.arange(samples.steps) < samples.whole[:, None], lesson.peak, np.nan)
    said = _Said.of(lesson, past, samples.stride, mean)
    found = said.calibrated(sparse, in_whole_hours, experts, plan)
    losses = np.reshape([c.loss for c in found], (len(found), len(mean)))
    weights = weights_of(losses, mean)
    steps = np.arange(sparse.shape[1], dtype=np.int64) * samples.stride  # every first is that of an hour
    answers = [c.quantiles(said.thin[m], steps) for c, (m, _) in zip(found, experts.each, strict=True)]
    judging = weights
    if sparse.shape[1] < plan.apart_below:
        judging = said.weights_apart(weights, (sparse, in_whole_hours), experts, plan)
    combined, _ = averaged(answers, judging, sparse.shape, len(experts.levels))
    shift = recalibrated(combined, sparse, mean, experts.levels, plan.least)
    names = [experts.models[m] for m, _ in experts.each]
    judged = Judged.nobody(len(mean))
    if BASELINE in names:
        naive = names.index(BASELINE)
        alone = np.ascontiguousarray(answers[naive][:, :, -1])
        per_day = max(1, DAY_S // (samples.stride * step_s))
        contest = Contest(shifted_top(shift, combined), alone, sparse, mean, experts.levels[-1], risks, per_day)
        judged = Judged(contest.loss_ratio(plan.least), *contest.decision(plan.least))
        weights, shift = naive_alone(weights, shift, naive, judged.beaten)

    told = (np.isfinite(losses).any(axis=0), np.zeros(len(mean), dtype=np.bool_))
    if WEEKLY in names:
        told = (told[0], np.isfinite(losses[names.index(WEEKLY)]))
    found_out = _Outcome(tuple(c.offsets for c in found), weights, shift.offsets, judged, *told)
    return _learned(lesson, anchors, mean, found_out, (plan, step_s, past.lead))


@dataclass(frozen=True, slots=True, eq=False)
class _Outcome:
    """As in Learned and Progress."""

    offsets: tuple[Floats, ...]
    weights: Floats
    shift: Floats
    judged: Judged
    able: Bools
    weekly: Bools

    @staticmethod
    def nothing(rows: int, experts: Experts) -> _Outcome:
        """Of rows that nobody could be calibrated on."""
        blank, nobody = Learned.nothing(rows, experts), np.zeros(rows, dtype=np.bool_)
        return _Outcome(blank.offsets, blank.weights, blank.shift, Judged.nobody(rows), nobody, nobody)


def _learned(
    lesson: Lesson, anchors: Ints, mean: Floats, outcome: _Outcome, of: tuple[CalibrationPlan, int, int]
) -> Learned:
    """of: plan, seconds of a step, lead."""
    plan, step_s, lead = of
    own_s = lesson.known_s
    progress = Progress(
        anchor_s=np.asarray(anchors * step_s, dtype=np.float64),
        own_s=own_s,
        first_s=lesson.oldest_s,
        able=outcome.able,
        weekly=outcome.weekly,
    )
    young = own_s < min(OWN_DAY_S, plan.window_s / 2)
    turns_s = np.where(young, float(plan.refit_s), float(plan.period_s))
    return Learned(
        anchor=anchors,
        main=anchors,
        young=young,
        stale=np.zeros(len(mean), dtype=np.bool_),
        mean=mean,
        offsets=outcome.offsets,
        weights=outcome.weights,
        shift=outcome.shift,
        own_s=own_s,
        standing=standings(progress, outcome.judged, least_s(plan, step_s, lead), turns_s),
        faults={},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What each model would have said. points: by model as in a lesson. thin: by model [row, sample], NaN where it
    could not be asked. stride: steps between samples. mean: [row], of the demand.
    """

    points: tuple[Floats | None, ...]
    thin: tuple[Floats, ...]
    stride: int
    mean: Floats

    @staticmethod
    def of(lesson: Lesson, past: Past, stride: int, mean: Floats) -> _Said:
        nothing = np.full(lesson.thin.shape, np.nan)
        thin = tuple(
            nothing if p is None else np.ascontiguousarray(p[:, ::stride]) if dense else p
            for p, dense in zip(lesson.points, past.dense, strict=True)
        )
        return _Said(lesson.points, thin, stride, mean)

    def calibrated(
        self, sparse: Floats, in_whole_hours: Floats, experts: Experts, plan: CalibrationPlan
    ) -> list[Calibration]:
        """By expert, on the peaks of the samples and of every step of whole hours."""
        found = []
        for m, phases in experts.each:
            point = self.points[m]
            if point is None:
                found.append(Calibration.none(self.mean, phases, len(experts.levels)))
            elif phases == 1:
                found.append(calibrate(self.thin[m], sparse, self.mean, experts.levels, plan.least))
            else:
                least = plan.least_hours
                found.append(calibrate(point, in_whole_hours, self.mean, experts.levels, least, phases=phases))
        return found

    def weights_apart(
        self, weights: Floats, peaks: tuple[Floats, Floats], experts: Experts, plan: CalibrationPlan
    ) -> Floats:
        """[expert, row, sample], each sample with what all other days say of the experts.

        An expert that was lucky on a day weighs much on that day: a mean that is judged by the errors that it was
        weighed by looks closer than it will be, and its quantiles are passed too often. Source: cross-validation of
        what is calibrated, Barber, Candès, Ramdas & Tibshirani, Annals of Statistics 49(1), 2021. weights: [expert,
        row], by all days; taken where the others are too few. peaks: of samples, and of every step of whole hours.
        """
        samples = peaks[0].shape[1]
        days = max(1, min(round(plan.window_s / DAY_S), samples))
        found = np.repeat(weights[:, :, None], samples, axis=2)
        for begin, end in pairwise(samples * day // days for day in range(days + 1)):
            sparse, dense = (peak.copy() for peak in peaks)
            sparse[:, begin:end], dense[:, begin * self.stride : end * self.stride] = np.nan, np.nan
            losses = [c.loss for c in self.calibrated(sparse, dense, experts, plan)]
            by_others = weights_of(np.reshape(losses, weights.shape), self.mean)
            able = (by_others > 0).any(axis=0)
            found[:, able, begin:end] = by_others[:, able, None]
        return found


def least_s(plan: CalibrationPlan, step_s: int, lead: int) -> float:
    """Known demand without which no calibration of a forecaster is possible."""
    return float(plan.least * max(plan.sample_s, step_s) + (lead + 1) * step_s)
