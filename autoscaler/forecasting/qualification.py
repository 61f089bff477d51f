"""Who may serve: the averaged experts while they err less than seasonal-naive, else that one, else nobody.

Judged at every refit over the calibration window by pinball loss at the sizing level and by what plans on it cost, both
calibrated on that window (offsets are order statistics: a few numbers out of two thousand errors). Source: forecast
value added, as in Gilliland (2010), The Business Forecasting Deal: what does not beat the naive one is not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.ladder import STANDING, Rung, Why
from autoscaler.domain.series import Bools, Floats
from autoscaler.forecasting.averaging import TIE
from autoscaler.forecasting.conformal import Shift, error_scale
from autoscaler.forecasting.decision_loss import dearer_on_most_days, decision_costs
from autoscaler.forecasting.pretrained_start import ALONE_S, FADE_S

OWN_DAY_S: Final = ALONE_S + FADE_S
"""Known demand from which on a row stands on its own."""
WEEK_S: Final = 7 * 86400
STAND_IN: Final = 1e-9
"""Weight of the others where seasonal-naive serves: they speak only where it cannot."""


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """What is compared, over the samples of the calibration window.

    combined, naive: [row, sample], quantiles at the highest level, of the averaged experts after their shift and of
    seasonal-naive. peak: [row, sample]. mean, risk: [row], the latter the accepted share of short time.
    per_day: samples of a day. NaN = unknown.
    """

    combined: Floats
    naive: Floats
    peak: Floats
    mean: Floats
    level: float
    risk: Floats
    per_day: int

    def loss_ratio(self, least: int) -> Floats:
        """[row], loss of the experts over that of seasonal-naive where both spoke; inf below `least` such samples."""
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            by_ours, by_theirs = self.peak - self.combined, self.peak - self.naive
            either = np.isnan(by_ours + by_theirs)
            count, tie = either.shape[1] - np.count_nonzero(either, axis=1), TIE * self.mean
            ours, theirs = (self._loss(miss, either) / np.maximum(count, 1) + tie for miss in (by_ours, by_theirs))
            ratio = np.where(theirs > 0, ours / theirs, 1.0)
        return np.where((count >= least) & np.isfinite(ratio), ratio, np.inf)

    def decision(self, least: int) -> tuple[Floats, Bools]:
        """[row] twice: what the sized plans cost above perfect foresight, of the experts over seasonal-naive, likewise;
        and whether theirs are dearer on most days too.
        """
        used = ~np.isnan(self.combined + self.naive + self.peak)
        count, tie = np.count_nonzero(used, axis=1), TIE * self.mean
        ours, theirs = (decision_costs(plan, self.peak, used, self.risk) for plan in (self.combined, self.naive))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            sums = [costs.sum(axis=1) / np.maximum(count, 1) + tie for costs in (ours, theirs)]
            ratio = np.where(sums[1] > 0, sums[0] / sums[1], 1.0)
        compared = (count >= least) & np.isfinite(ratio)
        dearer = np.zeros(len(count), dtype=np.bool_)
        if len(rows := np.flatnonzero(compared & (ratio > 1))):
            plans = (self.combined[rows], self.naive[rows])
            dearer[rows] = dearer_on_most_days(plans, self.peak[rows], used[rows], self.risk[rows], self.per_day)
        return np.where(compared, ratio, np.inf), dearer

    def _loss(self, miss: Floats, left_out: Bools) -> Floats:
        pinball = np.maximum(self.level * miss, (self.level - 1) * miss)
        pinball[left_out] = 0.0
        return np.asarray(pinball.sum(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """All [row]. Losses of the experts over those of seasonal-naive, inf = not compared. dearer: their plans cost more
    over the window, and on most of its days.
    """

    loss_ratio: Floats
    decision_ratio: Floats
    dearer: Bools

    @staticmethod
    def nobody(rows: int) -> Judged:
        return Judged(np.full(rows, np.inf), np.full(rows, np.inf), np.zeros(rows, dtype=np.bool_))

    @property
    def beaten(self) -> Bools:
        """[row], where seasonal-naive is the better one by either loss."""
        return np.asarray(np.isfinite(self.loss_ratio) & ((self.loss_ratio > 1) | self.dearer))


def shifted_top(shift: Shift, combined: Floats) -> Floats:
    """[row, sample], the highest level of quantiles [row, sample, level] after the shift."""
    top = np.ascontiguousarray(combined[:, :, -1])
    with np.errstate(over="ignore", invalid="ignore"):
        moved = top + shift.offsets[:, None, -1] * error_scale(top, shift.mean[:, None])
    return np.asarray(np.maximum(moved, 0.0))


def naive_alone(weights: Floats, shift: Shift, naive: int, rows: Bools) -> tuple[Floats, Shift]:
    """Weights [expert, row] and shift under which in `rows` the expert `naive` serves as it is calibrated."""
    if not rows.any():
        return weights, shift
    only = np.where(np.arange(len(weights))[:, None] == naive, 1.0, STAND_IN * weights)
    offsets = np.where(rows[:, None], 0.0, shift.offsets)
    return np.where(rows, only, weights), Shift(shift.mean, offsets)


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """What the rung of each row follows from, all [row]. anchor_s: epoch of the refit. own_s, seconds of known
    demand in the calibration window; first_s, epoch of the oldest known step, inf = none; able, whether any expert is
    calibrated; weekly, whether that of last week is.
    """

    anchor_s: Floats
    own_s: Floats
    first_s: Floats
    able: Bools
    weekly: Bools


def standings(progress: Progress, judged: Judged, least_s: float, refit_s: Floats | float) -> NDArray[Any]:
    """[row] of STANDING as its own experts make it; a start may lift what is below a day (`with_start`).

    least_s: known demand that a calibration needs. refit_s: [row] or one for all. A next rung is reached at a refit, so
    its date is rounded up to one.
    """
    p = progress
    day = p.able & (p.own_s >= OWN_DAY_S)
    found = np.empty(len(p.own_s), dtype=STANDING)
    found["rung"] = np.select([day & p.weekly, day, p.able], [Rung.WEEK, Rung.DAY, Rung.HOURS], Rung.REACTIVE)
    compared = np.isfinite(judged.loss_ratio)
    found["why"] = np.select(
        [~p.able & (p.own_s >= OWN_DAY_S), ~p.able, ~compared, ~judged.beaten, judged.loss_ratio <= 1],
        [Why.NONE_QUALIFIED, Why.SHORT_HISTORY, Why.UNCOMPARED, Why.QUALIFIED, Why.BASELINE_CHEAPER],
        Why.BASELINE,
    )
    for name, ratio in (("loss_ratio", judged.loss_ratio), ("decision_ratio", judged.decision_ratio)):
        found[name] = np.where(p.able & compared, np.where(judged.beaten, 1.0, ratio), np.inf)
    missing_s = np.select(
        [found["rung"] == Rung.WEEK, found["rung"] == Rung.DAY, found["rung"] == Rung.HOURS],
        [np.inf, p.first_s + WEEK_S + least_s - p.anchor_s, OWN_DAY_S - p.own_s],
        least_s - p.own_s,
    )
    found["next_s"] = p.anchor_s + np.maximum(np.ceil(missing_s / refit_s), 1.0) * refit_s
    return found


def with_start(own: NDArray[Any], since_s: Floats, anchor_s: Floats, refit_s: float) -> NDArray[Any]:
    """[row], the standings of rows that the start has a share in. since_s: [row], epoch from which their own demand
    counts. anchor_s: [row], epoch of their refit.
    """
    found = own.copy()
    found["rung"], found["why"], found["loss_ratio"] = Rung.PRETRAINED, Why.SHORT_HISTORY, np.inf
    found["decision_ratio"] = np.inf
    found["next_s"] = anchor_s + np.maximum(np.ceil((since_s + OWN_DAY_S - anchor_s) / refit_s), 1.0) * refit_s
    return found


def silent(own: NDArray[Any]) -> NDArray[Any]:
    """The same where nothing is served: what could have been says why."""
    found = own.copy()
    found["why"] = np.where(own["rung"] > Rung.REACTIVE, Why.NOTHING_RECENT, own["why"])
    found["rung"], found["loss_ratio"], found["decision_ratio"] = Rung.REACTIVE, np.inf, np.inf
    return found


def not_learned(own: NDArray[Any], waits: Bools, next_s: float) -> NDArray[Any]:
    """The same where history that is there waits to be learned, and no rung of its own is reached yet. waits: [row].
    next_s: epoch, when it may be.
    """
    hit = waits & (own["why"] == Why.SHORT_HISTORY)
    if not hit.any():
        return own
    found = own.copy()
    found["why"][hit], found["next_s"][hit] = Why.NOT_LEARNED_YET, next_s
    for ratio in ("loss_ratio", "decision_ratio"):
        found[ratio][hit] = np.inf
    return found
