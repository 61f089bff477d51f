"""What is learned of rows once a day from two weeks: scale, tails of features, usual courses, how they vary, the ridge.

Plain arrays by name, first axis the row. The engine asks it while it relives history; the training process asks it for
the day's refit (learning.detection) and hands the arrays over.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection import covariation, expectation, shape, subsequence, tails
from autoscaler.detection.contract import Arrays
from autoscaler.domain.series import Floats

HISTORY_S: Final = 14 * 86400
CHUNK: Final = 128 * 4032
"""Values at a time, of as many rows as have them: little memory, however short a step is."""
SAMPLE: Final = 1000
"""Steps of a row that order statistics are taken from, evenly; its extremes are of all steps."""


def empty(rows: int) -> dict[str, NDArray[Any]]:
    """Nothing learned yet."""
    return {
        "centre": np.full(rows, np.nan),
        "width": np.full(rows, np.nan),
        "sample": np.zeros(rows, dtype=np.float32),
        "tails": np.full((rows, len(shape.FEATURES), 2, tails.KEPT), np.nan, dtype=np.float32),
        "centres": np.full((rows, subsequence.CENTRES, shape.LONG), np.nan, dtype=np.float32),
        "weights": np.full((rows, expectation.TERMS), np.nan, dtype=np.float32),
        "noise": np.full(rows, np.nan, dtype=np.float32),
        "moved": np.full(rows, np.nan, dtype=np.float32),
        "usual": np.full((rows, covariation.POINTS), np.nan, dtype=np.float32),
        "whiten": np.full((rows, covariation.POINTS, covariation.POINTS), np.nan, dtype=np.float32),
    }


def fit(values: Floats, day: int, before: Arrays | None = None) -> dict[str, NDArray[Any]]:
    """Learn of rows from values [row, step], NaN = not observed; day: steps of one. Too little known: NaN.

    before: what was learned the last time, from which centres start.
    """
    out = empty(values.shape[0])
    rows = np.flatnonzero(shape.enough(values))
    size = max(1, CHUNK // max(1, values.shape[1]))
    for at in range(0, len(rows), size):
        some = rows[at : at + size]
        start = None if before is None else before["centres"][some]
        found = _fit(values[some], day, start)
        for name, array in found.items():
            out[name][some] = array
    return out


def _fit(values: Floats, day: int, start: subsequence.Centres | None) -> dict[str, NDArray[Any]]:
    scale = shape.Scale.of(values)
    given = scale.taken(values).astype(np.float32)  # enough to learn from, and twice as fast
    z = shape.carried(given)
    steps = z.shape[1]
    found = shape.features(z, steps)
    low, high = np.fmin.reduce(found, axis=2), np.fmax.reduce(found, axis=2)
    thin = np.ascontiguousarray(found[:, :, :: max(1, steps // SAMPLE)])
    weights, left = expectation.learned(z, given, day)
    return {
        "centre": scale.centre,
        "width": scale.width,
        "sample": np.count_nonzero(~np.isnan(values), axis=1).astype(np.float32),
        "tails": tails.learned(thin, low, high).transpose(1, 0, 2, 3),
        "centres": subsequence.learned(z, start),
        "weights": weights,
        "noise": _quantile(np.abs(left), 0.995).astype(np.float32),
        "moved": _quantile(np.abs(found[2] - shape.lagged(found[2], day)), 0.99).astype(np.float32),
        **covariation.learned(z),
    }


def _quantile(values: shape.Reals, level: float) -> shape.Reals:
    ordered = np.sort(values, axis=1)
    count = np.count_nonzero(~np.isnan(values), axis=1)
    at = np.ceil(level * np.maximum(count - 1, 0)).astype(np.int64)
    return np.take_along_axis(ordered, at[:, None], axis=1)[:, 0]
