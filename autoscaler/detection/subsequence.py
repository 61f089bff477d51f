"""How unlike the last hours are to the courses a series usually takes: distance to the nearest of a few centres.

Source: KMeansAD, Yairi et al. (2001), as measured in TSB-AD (NeurIPS 2024): k-means over windows, the score of a window
is its distance to the nearest centre. Windows are not normalised each by itself, so that the level counts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection.shape import LONG, Reals

CENTRES: Final = 10
ROUNDS: Final = 8
THINNED: Final = 500
"""Windows of a row that centres are learned from, evenly taken."""
Centres = NDArray[np.float32]


def distances(centres: Centres, z: Reals, new: int) -> Reals:
    """[row, step] of the last `new` steps of z [row, step]: root mean square distance per step of the window.

    centres: [row, CENTRES, LONG]. NaN where the window has a hole or reaches before the beginning.
    """
    rows, steps = z.shape
    if not new:
        return np.empty((rows, 0))
    if steps < LONG + new - 1:
        z = np.concatenate([np.full((rows, LONG + new - 1 - steps), np.nan), z], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(z[:, z.shape[1] - new - LONG + 1 :], LONG, axis=1)
    kept = centres.astype(np.float64)
    cross = windows @ kept.transpose(0, 2, 1)
    squares = np.einsum("rsw,rsw->rs", windows, windows)
    gap = squares[:, :, None] - 2 * cross + np.einsum("rkw,rkw->rk", kept, kept)[:, None, :]
    return np.sqrt(np.maximum(gap.min(axis=2), 0.0) / LONG)


def learned(z: Reals, start: Centres | None = None) -> Centres:
    """[row, CENTRES, LONG] by Lloyd's rounds on windows of z [row, step], all rows at once.

    start: yesterday's centres, from which fewer rounds are needed. Rows without whole windows: NaN.
    """
    steps = z.shape[1]
    stride = max(1, (steps - LONG) // THINNED)
    views = np.lib.stride_tricks.sliding_window_view(z, LONG, axis=1)[:, (steps - LONG) % stride :: stride]
    windows = np.ascontiguousarray(views, dtype=np.float32)
    whole = np.asarray(~np.isnan(windows).any(axis=2))
    windows[~whole] = 0.0
    centres = _first(windows, whole)
    cold = np.arange(len(windows))
    if start is not None:
        warm = ~np.isnan(start).any(axis=(1, 2))
        centres[warm] = start[warm]
        cold = np.flatnonzero(~warm)
    for _ in range(ROUNDS // 2):
        centres = _round(windows, whole, centres)
    if len(cold):  # by itself: how often a row goes round depends on no other row
        some = (windows, whole) if len(cold) == len(windows) else (windows[cold], whole[cold])
        found = centres[cold]
        for _ in range(ROUNDS - ROUNDS // 2):
            found = _round(*some, found)
        centres[cold] = found
    centres[np.count_nonzero(whole, axis=1) < 2 * CENTRES] = np.nan
    return centres


def _first(windows: Centres, whole: NDArray[np.bool_]) -> Centres:
    """Windows evenly taken over the order of their means: no chance, and extremes among them."""
    mean = np.where(whole, windows.mean(axis=2), np.inf)
    order = np.argsort(mean, axis=1, kind="stable")
    count = np.count_nonzero(whole, axis=1)
    share = np.linspace(0, 1, CENTRES)
    at = (share[None, :] * np.maximum(count - 1, 0)[:, None]).astype(np.int64)
    chosen = np.take_along_axis(order, at, axis=1)
    return np.take_along_axis(windows, chosen[:, :, None], axis=1).copy()


def _round(windows: Centres, whole: NDArray[np.bool_], centres: Centres) -> Centres:
    cross = windows @ centres.transpose(0, 2, 1)
    gap = np.einsum("rkw,rkw->rk", centres, centres)[:, None, :] - 2 * cross
    nearest = gap.argmin(axis=2)
    mine = (nearest[:, :, None] == np.arange(CENTRES)) & whole[:, :, None]
    one_hot = mine.astype(np.float32)
    count = one_hot.sum(axis=1)
    total = one_hot.transpose(0, 2, 1) @ windows
    return np.where(count[:, :, None] > 0, total / np.maximum(count, 1)[:, :, None], centres)
