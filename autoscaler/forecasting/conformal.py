"""Split-conformal quantiles of the peak: a point forecast plus the order statistics of its own past errors.

Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005); Lei et al. 2018 (split
conformal, arXiv:1604.04173); by minute of the hour: Mondrian conformal prediction (Vovk et al., ch. 4.5), as what runs
by the clock (cron jobs, batches) comes at the same minutes of every hour. Errors are measured in units of a scale
between constant and proportional noise, √((h + m/10)·m) with m the mean demand: half additive, half multiplicative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.series import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What was learned from past errors of one forecaster.

    mean: [row], mean known demand over the calibration window. offsets: [row, phase, level], in units of the scale;
    NaN where too few errors were seen. A step belongs to phase (absolute step modulo the number of phases); one
    phase = all steps alike. loss: [row], mean pinball loss at the highest level; inf likewise.
    """

    mean: Floats
    offsets: Floats
    loss: Floats

    @staticmethod
    def none(mean: Floats, phases: int, levels: int) -> Calibration:
        """Of a forecaster that could not be asked."""
        return Calibration(mean, np.full((len(mean), phases, levels), np.nan), np.full(len(mean), np.inf))

    def quantiles(self, point: Floats, origins: Ints) -> Floats:
        """[row, origin, level] from point forecasts [row, origin]; NaN where either is unknown."""
        return offset_quantiles(point, self.mean, self.offsets, origins)


def offset_quantiles(point: Floats, mean: Floats, offsets: Floats, origins: Ints) -> Floats:
    """[row, origin, level] from points [row, origin], mean [row] and offsets [row, phase, level] of a calibration.

    In memory a level's origins lie side by side: there are few levels, and loops over three numbers are slow.
    """
    phases = offsets.shape[1]
    by_level = offsets.transpose(0, 2, 1)
    here = by_level if phases == 1 else by_level[:, :, origins % phases]
    with np.errstate(over="ignore", invalid="ignore"):
        found = error_scale(point, mean[:, None])[:, None, :] * here
        found += point[:, None, :]
    np.maximum(found, 0.0, out=found)
    endless = np.isinf(found)
    return (np.where(endless, np.nan, found) if endless.any() else found).transpose(0, 2, 1)


def error_scale(point: Floats, mean: Floats) -> Floats:
    """Demand units; positive wherever the mean is."""
    return np.sqrt((point + 0.1 * mean) * mean)


def calibrate(
    point: Floats, peak: Floats, mean: Floats, levels: tuple[float, ...], least: int, *, phases: int = 1
) -> Calibration:
    """Learn offsets from pairs of forecast and realised peaks, both [row, sample], NaN = not usable.

    least: errors that a row needs (in each phase) before it gets offsets; never fewer than the highest level asks for,
    ⌈level/(1-level)⌉, below which the finite-sample quantile would be infinite. phases: the samples are those of
    consecutive steps, the first of phase 0; a row gets offsets in all phases or in none.
    """
    if point.shape[1] % phases:
        raise ValueError(f"{point.shape[1]} samples are not whole turns of {phases} phases")
    by_phase = (point.shape[0], -1, phases)
    needed = max(least, *(int(np.ceil(q / (1 - q) - 1e-9)) for q in levels))
    pairs = np.count_nonzero(~np.isnan(peak - point), axis=1) if phases > 1 else None
    if pairs is not None and not (pairs >= needed * phases).any():
        return Calibration.none(mean, phases, len(levels))  # as most often in the first day
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = error_scale(point, mean[:, None])
        errors = np.where(scale > 0, (peak - point) / scale, np.nan).reshape(by_phase)
    errors = np.sort(errors.transpose(0, 2, 1), axis=2)  # [row, phase, error]
    count = (~np.isnan(errors)).sum(axis=2)
    enough = (count >= needed).all(axis=1)
    ranks: Ints = np.ceil((count[:, :, None] + 1) * np.array(levels) - 1e-9).astype(np.int64) - 1
    ranks = np.clip(ranks, 0, np.maximum(count, 1)[:, :, None] - 1)
    if errors.shape[2]:
        offsets = np.where(enough[:, None, None], np.take_along_axis(errors, ranks, axis=2), np.nan)
    else:
        offsets = np.full(ranks.shape, np.nan)
    top = levels[-1]
    with np.errstate(invalid="ignore", over="ignore"):
        above = offsets[:, np.newaxis, :, -1] * scale.reshape(by_phase)
        miss = (peak - point) - above.reshape(scale.shape)
        pinball = np.maximum(top * miss, (top - 1) * miss)
        used = ~np.isnan(pinball)
        total = np.where(used, pinball, 0.0).sum(axis=1)
    loss = np.where(enough, total / np.maximum(used.sum(axis=1), 1), np.inf)
    return Calibration(mean, offsets, loss)


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """What brings quantiles back to their nominal coverage. offsets: [row, level], in units of the scale around each
    quantile; 0 where too few errors were seen.
    """

    mean: Floats
    offsets: Floats

    def of(self, quantiles: Floats) -> Floats:
        """[row, origin, level], shifted and rising along level."""
        with np.errstate(over="ignore", invalid="ignore"):
            scale = error_scale(quantiles, self.mean[:, None, None])
            moved = np.maximum(quantiles + self.offsets[:, None, :] * scale, 0.0)
        return np.asarray(np.maximum.accumulate(moved, axis=2))


def recalibrated(quantiles: Floats, peak: Floats, mean: Floats, levels: tuple[float, ...], least: int) -> Shift:
    """The shift of quantiles [row, sample, level] under which the peaks [row, sample] keep the levels.

    A mean of quantiles whose errors partly cancel covers more than each of them.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = error_scale(quantiles, mean[:, None, None])
        errors = np.sort(np.where(scale > 0, (peak[:, :, None] - quantiles) / scale, np.nan), axis=1)
    count = (~np.isnan(errors)).sum(axis=1)  # [row, level]
    ranks: Ints = np.ceil((count + 1) * np.array(levels) - 1e-9).astype(np.int64) - 1
    ranks = np.clip(ranks, 0, np.maximum(count, 1) - 1)
    if not errors.shape[1]:
        return Shift(mean, np.zeros(ranks.shape))
    found = np.take_along_axis(errors, ranks[:, np.newaxis, :], axis=1)[:, 0]
    return Shift(mean, np.where((count >= least).all(axis=1)[:, None], found, 0.0))
