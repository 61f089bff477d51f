"""How unlike the last hours are in the directions in which a series varies little: distance by principal components.

Source: Shyu et al. (2003), outlier detection by principal components: squared projections over their variances, summed.
On windows of the series (Sub-PCA of TSB-AD, NeurIPS 2024), each thinned to means of four steps.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection.shape import LONG, Reals

POINTS: Final = 24
EACH: Final = LONG // POINTS
THINNED: Final = 600
RIDGE: Final = 0.02
"""Of the mean variance, added to each: a direction never taken is odd, not infinitely odd."""


def points(z: Reals, first: int, stride: int = 1) -> Reals:
    """[row, window, POINTS], newest first, of windows that end at steps first, first + stride, … of z [row, step]."""
    means = z.copy()
    for back in range(1, EACH):
        means[:, back:] += z[:, : z.shape[1] - back]
    means /= EACH
    views = np.lib.stride_tricks.sliding_window_view(means[:, first - (POINTS - 1) * EACH :], LONG - EACH + 1, axis=1)
    return views[:, ::stride, ::-EACH]


def distances(usual: NDArray[np.float32], whiten: NDArray[np.float32], z: Reals, new: int) -> Reals:
    """[row, step] of the last `new` steps of z [row, step]; NaN where a window has a hole.

    usual: [row, POINTS]; whiten: [row, POINTS, POINTS].
    """
    if not new:
        return np.empty((z.shape[0], 0))
    short = LONG + new - z.shape[1]
    if short > 0:
        z = np.concatenate([np.full((z.shape[0], short), np.nan), z], axis=1)
    z = z[:, z.shape[1] - new - LONG :]
    turned = (points(z, z.shape[1] - new) - usual[:, None, :]) @ whiten.astype(np.float64)
    return np.sqrt(np.einsum("rsk,rsk->rs", turned, turned) / POINTS)


def learned(z: Reals) -> dict[str, NDArray[np.float32]]:
    """`usual` and `whiten` of windows of z [row, step]; NaN where there are too few whole ones."""
    steps = z.shape[1]
    windows = points(z, LONG, max(1, (steps - LONG) // THINNED)).astype(np.float64)
    whole = np.asarray(~np.isnan(windows).any(axis=2))
    count = np.count_nonzero(whole, axis=1)
    windows = np.where(whole[:, :, None], windows, 0.0)
    usual = windows.sum(axis=1) / np.maximum(count, 1)[:, None]
    away = np.where(whole[:, :, None], windows - usual[:, None, :], 0.0)
    spread = away.transpose(0, 2, 1) @ away / np.maximum(count, 1)[:, None, None]
    variance, axes = np.linalg.eigh(spread)
    variance = np.maximum(variance, 0.0)
    variance += RIDGE * variance.mean(axis=1, keepdims=True) + 1e-6
    whiten = axes / np.sqrt(variance)[:, None, :]
    none = count < 2 * POINTS
    usual[none], whiten[none] = np.nan, np.nan
    return {"usual": usual.astype(np.float32), "whiten": whiten.astype(np.float32)}
