"""Windows over [row, step] arrays whose result at a step does not depend, bit for bit, on where the array begins.

A running sum's would: it carries the rounding of everything before. Here a window is added up in one fixed tree of
pairs, so that a block of origins and a single origin give the same features, and the same leaves of a tree.
"""

from __future__ import annotations

import numpy as np

from autoscaler.domain.series import Floats


def window_max(values: Floats, width: int) -> Floats:
    """Largest known value of each full window, [row, steps - width + 1]; column j ends at j + width - 1.

    NaN where nothing of a window is known. Doubling: log2(width) passes.
    """
    most, covered = values, 1
    while covered < width:
        shift = min(covered, width - covered)
        most = np.fmax(most[:, shift:], most[:, : most.shape[1] - shift])
        covered += shift
    return most


def window_sum(values: Floats, width: int) -> Floats:
    """Sum of each full window, as `window_max`; values must hold no NaN.

    The window is cut into powers of two, newest first, each added up in pairs.
    """
    columns = values.shape[1] - width + 1
    total = np.zeros((values.shape[0], max(0, columns)))
    block, size, end = values, 1, values.shape[1]
    while size <= width:
        if width & size:
            total += block[:, end - size - columns + 1 : end - size + 1] if columns > 0 else 0.0
            end -= size
        if size * 2 <= width:
            block = block[:, size:] + block[:, : block.shape[1] - size]
        size *= 2
    return total


def in_bins(values: Floats, steps: int) -> tuple[Floats, Floats, Floats]:
    """Sum, count and largest of the known values of each bin of `steps` columns; each [row, columns // steps].

    The largest is NaN where nothing of a bin is known. The number of columns must be a multiple of `steps`.
    """
    whole = values.reshape(values.shape[0], values.shape[1] // steps, steps)
    known = ~np.isnan(whole)
    everything = bool(known.all())
    filled = whole if everything else np.where(known, whole, 0.0)
    total, most = filled[:, :, 0].copy(), whole[:, :, 0].copy()
    for k in range(1, steps):
        total += filled[:, :, k]
        np.fmax(most, whole[:, :, k], out=most)
    count = np.full(total.shape, float(steps)) if everything else known.sum(axis=2).astype(np.float64)
    return total, count, most


def known_mean(values: Floats, width: int) -> Floats:
    known = ~np.isnan(values)
    if known.all():
        return window_sum(values, width) / width
    return window_sum(np.where(known, values, 0.0), width) / window_sum(known.astype(np.float64), width)


def ranked(values: Floats) -> dict[str, Floats]:
    """Median, four fifths, second largest and largest of what is known along the first axis."""
    ordered = np.sort(values, axis=0)
    last = (~np.isnan(values)).sum(axis=0) - 1
    ranks = {"median": last // 2, "high": last * 4 // 5, "second": last - 1, "max": last}
    return {name: np.take_along_axis(ordered, np.maximum(rank, 0)[None], axis=0)[0] for name, rank in ranks.items()}
