"""Which forecaster serves which row: fitted on absolute anchors, ranked by recent loss, quarantined when it fails.

Everything learned is a pure function of the history before an anchor, and anchors are absolute steps
(staggered by the row's own identity), so that a block of origins and single ticks agree, a restart changes
nothing, and no tick pays for refitting the whole fleet.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from autoscaler.domain.forecast import LEVELS, PeakForecast
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.conformal import Calibration, calibrate
from autoscaler.forecasting.contract import PeakForecaster, observed_peaks


@dataclass(frozen=True, slots=True)
class CalibrationPlan:
    """window_s: how far back errors are learned. sample_s: spacing of the samples (peaks of neighbouring steps
    say nearly the same). refit_s: how often offsets and ranks are renewed; the rows are spread over `slots` turns
    of it. least: samples before a model serves.
    """

    window_s: int = 7 * 86400
    sample_s: int = 300
    refit_s: int = 7200
    slots: int = 12
    least: int = 24


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """One group's calibrations at one anchor. order: [rank, row], models from the least loss up.
    faults: model name → why it could not be calibrated.
    """

    anchor: int
    keys: tuple[str, ...]
    calibrations: tuple[Calibration | None, ...]
    order: Ints
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
    answered with the wrong shape or values; what they could not say is served by the next best.
    """

    models: tuple[PeakForecaster, ...]
    plan: CalibrationPlan = field(default_factory=CalibrationPlan)
    levels: tuple[float, ...] = LEVELS
    quarantined: dict[str, str] = field(default_factory=dict)
    _fits: dict[tuple[int, int, int], Fitted] = field(default_factory=dict)
    _groups: tuple[tuple[object, ...], tuple[Group, ...]] | None = None

    def history_steps(self, step_s: int, lead: int) -> int:
        """Steps of history that make a difference to a forecast."""
        deepest = max((m.history_steps(step_s) for m in self.models), default=0)
        return (self.plan.window_s + self.plan.refit_s) // step_s + deepest + lead + 1

    def forecast(self, panel: Panel, rows: Rows, origins: Ints) -> PeakForecast:
        """Quantiles of the peak over u - delay … u - delay + lead at each origin u.

        panel: history of the rows; only steps before u - delay are used. origins: absolute steps, consecutive.
        """
        shape = (len(rows.keys), len(origins))
        quantiles = np.full((*shape, len(self.levels)), np.nan)
        model = np.full(shape, -1, dtype=np.int64)
        self.quarantined = {}
        oldest = int(origins[0])
        for group in self._grouped(panel.step_s, rows):
            first_unknown = origins - group.delay
            for anchor, low, high in self._segments(panel.step_s, group.phase, first_unknown):
                fitted = self._fit(panel, group, anchor)
                served, by = self._serve(panel, group, fitted, first_unknown[low:high])
                quantiles[group.rows, low:high] = served
                model[group.rows, low:high] = by
                oldest = min(oldest, anchor)
        self._forget(oldest - self.plan.refit_s // panel.step_s)
        return PeakForecast(self.levels, quantiles, model >= 0, model, tuple(m.name for m in self.models))

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
        window, sample = self.plan.window_s // panel.step_s, max(1, self.plan.sample_s // panel.step_s)
        first = -(-(anchor - window) // sample) * sample
        samples = np.arange(first, anchor, sample, dtype=np.int64)
        view = self._view(panel, group, first, anchor)
        peak = observed_peaks(view, samples, group.lead, limit=anchor)
        known = ~np.isnan(peak)
        with np.errstate(over="ignore"):
            mean = np.where(known, peak, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        found: list[Calibration | None] = []
        faults: dict[str, str] = {}
        for each in self.models:
            point = _ask(each, view, samples, group.lead, faults)
            found.append(None if point is None else calibrate(point, peak, mean, self.levels, self.plan.least))
        losses = [np.full(len(group.rows), np.inf) if c is None else c.loss for c in found]
        order = np.argsort(np.reshape(losses, (len(found), len(group.rows))), axis=0, kind="stable")
        fitted = Fitted(anchor, group.keys, tuple(found), order, faults)
        self._fits[group.phase, group.lead, group.delay] = fitted
        self.quarantined |= faults
        return fitted

    def _view(self, panel: Panel, group: Group, first: int, end: int) -> Panel:
        """The group's rows over [first - what the deepest model reads, end)."""
        low = first - max((m.history_steps(panel.step_s) for m in self.models), default=0)
        values = panel.learnable(low, end, group.rows)
        values.setflags(write=False)
        return Panel(panel.step_s, low, values, np.empty((0, 0), dtype=np.uint8))

    def _serve(self, panel: Panel, group: Group, fitted: Fitted, origins: Ints) -> tuple[Floats, Ints]:
        """Quantiles [row, origin, level] of the best-ranked model that can say, and which one it was."""
        view = self._view(panel, group, int(origins[0]), int(origins[-1]))
        answers: list[Floats | None] = []
        for each, learned in zip(self.models, fitted.calibrations, strict=True):
            point = None if learned is None else _ask(each, view, origins, group.lead, self.quarantined)
            answers.append(None if point is None or learned is None else learned.quantiles(point))
        quantiles = np.full((len(group.rows), len(origins), len(self.levels)), np.nan)
        by = np.full((len(group.rows), len(origins)), -1, dtype=np.int64)
        for rank in range(len(self.models)):
            for m, answer in enumerate(answers):
                if answer is None:
                    continue
                usable = (fitted.order[rank] == m)[:, None] & (by < 0) & ~np.isnan(answer).any(axis=2)
                quantiles[usable] = answer[usable]
                by[usable] = m
        return quantiles, by


def _ask(model: PeakForecaster, view: Panel, origins: Ints, lead: int, faults: dict[str, str]) -> Floats | None:
    """The model's answer, or None when it is not one; single impossible numbers become NaN. `faults` says why."""
    try:
        point: object = model.peaks(view, origins, lead)
    except Exception as error:  # noqa: BLE001 - a model's failure costs its own answer, never the tick
        faults[model.name] = f"raised {type(error).__name__}: {error}"
        return None
    shape = (view.rows, len(origins))
    if not isinstance(point, np.ndarray) or point.shape != shape or point.dtype != np.float64:
        got = f"{point.dtype} {point.shape}" if isinstance(point, np.ndarray) else type(point).__name__
        faults[model.name] = f"answered {got} instead of float64 {shape}"
        return None
    impossible = np.isinf(point) | (point < 0)
    if impossible.any():
        faults[model.name] = "answered infinite or negative demand"
        return np.where(impossible, np.nan, point)
    return np.ascontiguousarray(point)
