"""Split-conformal quantiles of the peak: a point forecast plus the order statistics of its own past errors.

Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005); Lei et al. 2018 (split
conformal, arXiv:1604.04173). Errors are measured in units of a scale between constant and proportional noise,
√((h + m/10)·m) with m the mean demand: half additive, half multiplicative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.series import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What was learned from past errors of one forecaster.

    mean: [row], mean known demand over the calibration window. offsets: [row, level], in units of the scale;
    NaN where too few errors were seen. loss: [row], mean pinball loss at the highest level; inf likewise.
    """

    mean: Floats
    offsets: Floats
    loss: Floats

    def quantiles(self, point: Floats) -> Floats:
        """[row, origin, level] from point forecasts [row, origin]; NaN where either is unknown."""
        with np.errstate(over="ignore", invalid="ignore"):
            scale = error_scale(point, self.mean[:, None])
            found = np.maximum(point[:, :, None] + scale[:, :, None] * self.offsets[:, None, :], 0.0)
        return np.where(np.isinf(found), np.nan, found)


def error_scale(point: Floats, mean: Floats) -> Floats:
    """Demand units; positive wherever the mean is."""
    return np.sqrt((point + 0.1 * mean) * mean)


def calibrate(point: Floats, peak: Floats, mean: Floats, levels: tuple[float, ...], least: int) -> Calibration:
    """Learn offsets from pairs of forecast and realised peaks, both [row, sample], NaN = not usable.

    least: errors that a row needs before it gets offsets; never fewer than the highest level asks for,
    ⌈level/(1-level)⌉, below which the finite-sample quantile would be infinite.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = error_scale(point, mean[:, None])
        errors = np.sort(np.where(scale > 0, (peak - point) / scale, np.nan), axis=1)
    count = (~np.isnan(errors)).sum(axis=1)
    needed = max(least, *(int(np.ceil(q / (1 - q) - 1e-9)) for q in levels))
    enough = count >= needed
    ranks: Ints = np.ceil((count[:, None] + 1) * np.array(levels) - 1e-9).astype(np.int64) - 1
    ranks = np.clip(ranks, 0, np.maximum(count, 1)[:, None] - 1)
    offsets = np.where(enough[:, None], np.take_along_axis(errors, ranks, axis=1), np.nan)
    top = levels[-1]
    with np.errstate(invalid="ignore", over="ignore"):
        miss = (peak - point) - offsets[:, -1:] * scale
        pinball = np.where(miss > 0, top * miss, (top - 1) * miss)
        used = ~np.isnan(pinball)
        total = np.where(used, pinball, 0.0).sum(axis=1)
    loss = np.where(enough, total / np.maximum(used.sum(axis=1), 1), np.inf)
    return Calibration(mean, offsets, loss)
