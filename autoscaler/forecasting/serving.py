"""What serves each row: all forecasters, calibrated on absolute anchors and averaged by recent loss.

An expert is a forecaster with one calibration: over all steps alike, or by minute of the hour. A forecaster that fails
is quarantined and the others serve. A row too new for a calibration is begun by a model that was learned elsewhere,
which fades out as its own errors come in (pretrained_start.py).

Everything learned is a pure function of the history before an anchor, and anchors are absolute steps
(staggered by the row's own identity), so that a block of origins and single ticks agree, a restart changes
nothing, and no tick pays for refitting the whole fleet.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.forecast import LEVELS, PeakForecast
from autoscaler.domain.ladder import STANDING
from autoscaler.domain.series import Bools, Floats, Ints, Panel
from autoscaler.forecasting.asking import ask_point, ask_quantiles
from autoscaler.forecasting.averaging import averaged, weights_of
from autoscaler.forecasting.catalogue import BASELINE, HOURLY, WEEKLY
from autoscaler.forecasting.conformal import Calibration, Shift, calibrate, recalibrated
from autoscaler.forecasting.contract import PeakForecaster, QuantileForecaster, observed_peaks
from autoscaler.forecasting.pretrained_start import beginners, global_share, with_own
from autoscaler.forecasting.qualification import (
    Contest,
    Progress,
    naive_alone,
    shifted_top,
    silent,
    standings,
    with_start,
)

HOUR_S = 3600
HALF = 0.5


@dataclass(frozen=True, slots=True)
class CalibrationPlan:
    """window_s: how far back errors are learned. sample_s: spacing of the samples (peaks of neighbouring steps
    say nearly the same), but by minute of the hour, which takes every step. refit_s: how often offsets and weights are
    renewed; the rows are spread over `slots` turns of it. least: samples before an expert serves; least_hours: likewise
    by minute of the hour.
    """

    window_s: int = 7 * 86400
    sample_s: int = 300
    refit_s: int = 7200
    slots: int = 120
    least: int = 24
    least_hours: int = 24


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """One group's experts at one anchor. experts: (index of the model, its calibration). weights: [expert, row], the
    best has 1, those without a calibration 0. shift: [row, level], what brings their mean back to its nominal coverage.
    own_s: [row], seconds of known demand that they were calibrated on. faults: model name → why it could not be
    calibrated. standing: [row] of STANDING, their places on the ladder.
    """

    anchor: int
    keys: tuple[str, ...]
    experts: tuple[tuple[int, Calibration], ...]
    weights: Floats
    shift: Shift
    own_s: Floats
    standing: NDArray[Any]
    faults: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Whom to forecast. keys: identity of each row. leads: [row], steps of the window after its first.
    delays: [row], newest steps before an origin that are not in yet; the window begins with the first of them.
    """

    keys: Sequence[str]
    leads: Ints
    delays: Ints

    @staticmethod
    def punctual(keys: Sequence[str], leads: Ints) -> Rows:
        """Rows whose data is never late."""
        return Rows(keys, leads, np.zeros_like(leads))


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Rows that share a refit phase, a lead and a delay."""

    phase: int
    lead: int
    delay: int
    rows: Ints
    keys: tuple[str, ...]


@dataclass(slots=True)
class PeakServer:
    """Serves quantiles of the peak for all rows; keeps fits until the next anchor of their group.

    quarantined: model name → why, for models that in the newest call, or in the fits that it used, raised or
    answered with the wrong shape or values; what they could not say is served by the others. hourly: names of models
    that are calibrated by minute of the hour too. start: what serves a row in its first hours and fades over its first
    day; it may be put in or replaced between calls.
    """

    models: tuple[PeakForecaster, ...]
    plan: CalibrationPlan = field(default_factory=CalibrationPlan)
    levels: tuple[float, ...] = LEVELS
    hourly: tuple[str, ...] = HOURLY
    start: QuantileForecaster | None = None
    quarantined: dict[str, str] = field(default_factory=dict)
    _fits: dict[tuple[int, int, int], Fitted] = field(default_factory=dict)
    _groups: tuple[tuple[object, ...], tuple[Group, ...]] | None = None

    def history_steps(self, step_s: int, lead: int) -> int:
        """Steps of history that make a difference to a forecast."""
        deepest = max((m.history_steps(step_s) for m in self.models), default=0)
        calibrated = (self.plan.window_s + self.plan.refit_s) // step_s + deepest + lead + 1
        return max(calibrated, 0 if self.start is None else self.start.history_steps(step_s))

    def forecast(self, panel: Panel, rows: Rows, origins: Ints) -> PeakForecast:
        """Quantiles of the peak over u - delay … u - delay + lead at each origin u.

        panel: history of the rows; only steps before u - delay are used. origins: absolute steps, consecutive.
        """
        shape = (len(rows.keys), len(origins))
        quantiles = np.full((*shape, len(self.levels)), np.nan)
        model = np.full(shape, -1, dtype=np.int64)
        standing = np.empty(shape, dtype=STANDING)
        self.quarantined = {}
        oldest = int(origins[0])
        for group in self._grouped(panel.step_s, rows):
            first_unknown = origins - group.delay
            for anchor, low, high in self._segments(panel.step_s, group.phase, first_unknown):
                fitted = self._fit(panel, group, anchor)
                served, by, where = self._serve(panel, group, fitted, first_unknown[low:high])
                quantiles[group.rows, low:high] = served
                model[group.rows, low:high] = by
                standing[group.rows, low:high] = where
                oldest = min(oldest, anchor)
        self._forget(oldest - self.plan.refit_s // panel.step_s)
        return PeakForecast(self.levels, quantiles, model >= 0, model, self._names(), standing)

    def _names(self) -> tuple[str, ...]:
        """What `model` of a forecast points into."""
        return (*(m.name for m in self.models), *(() if self.start is None else (self.start.name,)))

    def relearn(self) -> None:
        """Calibrate again at the next call: older history has come in since."""
        self._fits.clear()

    def _forget(self, before: int) -> None:
        """Drop fits of leads and delays that nobody has asked for since; a delay that comes and goes keeps its own."""
        if any(f.anchor < before for f in self._fits.values()):
            self._fits = {k: f for k, f in self._fits.items() if f.anchor >= before}

    def _grouped(self, step_s: int, rows: Rows) -> tuple[Group, ...]:
        identity = (step_s, tuple(rows.keys), rows.leads.tobytes(), rows.delays.tobytes())
        if self._groups is None or self._groups[0] != identity:
            refit = max(1, self.plan.refit_s // step_s)
            slots = min(self.plan.slots, refit)
            turns = np.array([zlib.crc32(k.encode()) % slots for k in rows.keys], dtype=np.int64)
            alike = np.stack([turns * refit // slots, rows.leads, rows.delays])
            found = []
            for phase, lead, delay in sorted(set(zip(*alike.tolist(), strict=True))):
                which = np.flatnonzero((alike == [[phase], [lead], [delay]]).all(axis=0))
                found.append(Group(phase, lead, delay, which, tuple(rows.keys[r] for r in which.tolist())))
            self._groups = (identity, tuple(found))
        return self._groups[1]

    def _segments(self, step_s: int, phase: int, origins: Ints) -> Iterator[tuple[int, int, int]]:
        """Split the origins at the group's anchors: (anchor step, first index, end index)."""
        refit = max(1, self.plan.refit_s // step_s)
        anchors = (origins - phase) // refit * refit + phase
        cuts = np.flatnonzero(np.diff(anchors)) + 1
        edges = [0, *cuts.tolist(), len(origins)]
        for low, high in pairwise(edges):
            yield int(anchors[low]), low, high

    def _fit(self, panel: Panel, group: Group, anchor: int) -> Fitted:
        """Calibrate the group on what was known before the anchor."""
        kept = self._fits.get((group.phase, group.lead, group.delay))
        if kept is not None and kept.anchor == anchor and kept.keys == group.keys:
            self.quarantined |= kept.faults
            return kept
        grid = _Samples.before(anchor, self.plan, panel.step_s)
        view = self._view(panel, group, grid.first, anchor)
        every = np.arange(grid.first, anchor, dtype=np.int64)
        peak = observed_peaks(view, every, group.lead, limit=anchor)
        sparse = np.ascontiguousarray(peak[:, :: grid.stride])
        known = ~np.isnan(sparse)
        with np.errstate(over="ignore"):
            mean = np.where(known, sparse, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        experts: list[tuple[int, Calibration]] = []
        points: list[Floats] = []
        faults: dict[str, str] = {}
        for m, each in enumerate(self.models):
            hourly = grid.phases > 1 and grid.whole > 0 and each.name in self.hourly
            point = ask_point(each, view, every if hourly else every[:: grid.stride], group.lead, faults)
            if point is None:
                continue
            alike = np.ascontiguousarray(point[:, :: grid.stride]) if hourly else point
            found = [calibrate(alike, sparse, mean, self.levels, self.plan.least)]
            if hourly:
                whole = slice(grid.whole)
                found.append(
                    calibrate(
                        point[:, whole], peak[:, whole], mean, self.levels, self.plan.least_hours, phases=grid.phases
                    )
                )
            experts += [(m, one) for one in found]
            points += [alike] * len(found)
        weights = weights_of(np.reshape([c.loss for _, c in experts], (len(experts), len(group.rows))), mean)
        learned = [c.quantiles(point, every[:: grid.stride]) for (_, c), point in zip(experts, points, strict=True)]
        combined, _ = averaged(learned, weights, sparse.shape, len(self.levels))
        shift = recalibrated(combined, sparse, mean, self.levels, self.plan.least)
        naive = next((x for x, (m, _) in enumerate(experts) if self.models[m].name == BASELINE), None)
        ratio = np.full(len(mean), np.inf)
        if naive is not None:
            alone = np.ascontiguousarray(learned[naive][:, :, -1])
            contest = Contest(shifted_top(shift, combined), alone, sparse, mean, self.levels[-1])
            ratio = contest.loss_ratio(self.plan.least)
            weights, shift = naive_alone(weights, shift, naive, np.isfinite(ratio) & (ratio > 1))
        progress = self._progress(view, anchor, grid.first, experts)
        standing = standings(progress, ratio, self._least_s(panel.step_s, group.lead), float(self.plan.refit_s))
        fitted = Fitted(anchor, group.keys, tuple(experts), weights, shift, progress.own_s, standing, faults)
        self._fits[group.phase, group.lead, group.delay] = fitted
        self.quarantined |= faults
        return fitted

    def _progress(self, view: Panel, anchor: int, first: int, experts: Sequence[tuple[int, Calibration]]) -> Progress:
        known = ~np.isnan(view.values)
        of = {m: np.isfinite(c.loss) for m, c in reversed(experts)}
        none = np.zeros(view.rows, dtype=np.bool_)
        weekly = [of[m] for m in of if self.models[m].name == WEEKLY]
        oldest = (view.first_step + known.argmax(axis=1)) * float(view.step_s)
        return Progress(
            anchor_s=float(anchor * view.step_s),
            own_s=np.count_nonzero(known[:, first - view.first_step :], axis=1) * float(view.step_s),
            first_s=np.where(known.any(axis=1), oldest, np.inf),
            able=np.logical_or.reduce([*of.values(), none]),
            weekly=weekly[0] if weekly else none,
        )

    def _least_s(self, step_s: int, lead: int) -> float:
        """Known demand without which no calibration of a forecaster is possible."""
        return float(self.plan.least * max(self.plan.sample_s, step_s) + (lead + 1) * step_s)

    def _view(self, panel: Panel, group: Group, first: int, end: int) -> Panel:
        """The group's rows over [first - what the deepest model reads, end)."""
        low = first - max((m.history_steps(panel.step_s) for m in self.models), default=0)
        values = panel.learnable(low, end, group.rows)
        values.setflags(write=False)
        return Panel(panel.step_s, low, values, np.empty((0, 0), dtype=np.uint8))

    def _serve(self, panel: Panel, group: Group, fitted: Fitted, origins: Ints) -> tuple[Floats, Ints, NDArray[Any]]:
        """Quantiles [row, origin, level], averaged over the experts that can say, the model that weighs most, and the
        places on the ladder.
        """
        view = self._view(panel, group, int(origins[0]), int(origins[-1]))
        shape = (len(group.rows), len(origins))
        nothing = np.full((*shape, len(self.levels)), np.nan)
        points = {
            m: ask_point(self.models[m], view, origins, group.lead, self.quarantined)
            for m in dict.fromkeys(m for m, _ in fitted.experts)
        }
        answers = []
        for m, learned in fitted.experts:
            point = points[m]
            answers.append(nothing if point is None else learned.quantiles(point, origins))
        combined, heaviest = averaged(answers, fitted.weights, shape, len(self.levels))
        quantiles = fitted.shift.of(combined)
        served = np.isfinite(quantiles).all(axis=2)
        quantiles[~served] = np.nan
        of_expert = np.array([m for m, _ in fitted.experts], dtype=np.int64)
        by = np.where(served, of_expert[heaviest], -1) if len(of_expert) else np.full(shape, -1, dtype=np.int64)
        begun = self._begin(panel, group, fitted.own_s, origins, (quantiles, by))
        timed = (float(fitted.anchor * panel.step_s), float(self.plan.refit_s))
        lifted, quiet = with_start(fitted.standing, fitted.own_s, timed), silent(fitted.standing)
        standing = np.where(begun, lifted[:, None], np.where(by < 0, quiet[:, None], fitted.standing[:, None]))
        return quantiles, by, standing

    def _begin(self, panel: Panel, group: Group, own_s: Floats, origins: Ints, own: tuple[Floats, Ints]) -> Bools:
        """Mix the start into what the rows' own experts say (`own`: quantiles and model, changed in place).

        [row, origin], whether it had a share.
        """
        quantiles, by = own
        begun = np.zeros(by.shape, dtype=np.bool_)
        which = np.flatnonzero(beginners(own_s))
        if self.start is None or not len(which):
            return begun
        low = int(origins[0]) - self.start.history_steps(panel.step_s)
        values = panel.learnable(low, int(origins[-1]), group.rows[which])
        values.setflags(write=False)
        view = Panel(panel.step_s, low, values, np.empty((0, 0), dtype=np.uint8))
        learned = ask_quantiles(self.start, view, origins, (group.lead, self.levels), self.quarantined)
        if learned is None:
            return begun
        alone, said = by[which] < 0, np.isfinite(learned).all(axis=2)
        quantiles[which] = with_own(quantiles[which], learned, own_s[which])
        mostly = alone | (global_share(own_s[which]) >= HALF)[:, None]
        by[which] = np.where(said & mostly, len(self.models), by[which])
        begun[which] = said
        return begun


@dataclass(frozen=True, slots=True)
class _Samples:
    """The steps before an anchor whose errors are learned. first: absolute step, the first of an hour on its grid.
    stride: spacing of the sparse samples. phases: steps of an hour (1: the grid has none). whole: steps of whole hours.
    """

    first: int
    stride: int
    phases: int
    whole: int

    @staticmethod
    def before(anchor: int, plan: CalibrationPlan, step_s: int) -> _Samples:
        stride = max(1, plan.sample_s // step_s)
        phases = HOUR_S // step_s if HOUR_S % step_s == 0 else 1
        unit = math.lcm(stride, phases)
        first = -(-(anchor - plan.window_s // step_s) // unit) * unit
        return _Samples(min(first, anchor), stride, phases, max(0, anchor - first) // phases * phases)
