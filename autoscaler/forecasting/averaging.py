"""Many experts' quantiles into one: their mean, weighted by recent loss.

Source: averaging quantiles keeps them sharp where a mixture of distributions would widen them (Lichtendahl,
Grushka-Cockayne & Winkler, Management Science 59(7), 2013); weights by the inverse of the loss to a power as in
Stock & Watson (2004), Combination forecasts of output growth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autoscaler.domain.series import Floats, Ints

SHARPNESS = 4
"""4 of 1, 2, 4 and 8 was best over public loads, and flat around it; 1 is near a plain mean, 8 near the best alone."""
TIE = 1e-9
"""Of the mean demand: losses below it are equal."""


def weights_of(losses: Floats, mean: Floats) -> Floats:
    """[expert, row], relative weights from losses [expert, row] (inf = has none); the best has 1."""
    if not losses.size:
        return losses
    best = losses.min(axis=0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        ratio = (best + TIE * mean) / (losses + TIE * mean)
        return np.where(np.isfinite(losses), np.nan_to_num(ratio, nan=1.0) ** SHARPNESS, 0.0)


def averaged(answers: Sequence[Floats], weights: Floats, shape: tuple[int, ...], levels: int) -> tuple[Floats, Ints]:
    """Mean of the experts' quantiles, each [row, origin, level], over those that can say; NaN where none can.

    weights: [expert, row], or [expert, row, origin] where they differ. The second answer is the expert that weighs
    most, [row, origin].
    """
    total, most = np.zeros(shape), np.zeros(shape)
    heaviest = np.zeros(shape, dtype=np.int64)
    by_origin = np.atleast_3d(weights)
    there = [
        np.where(np.isnan(a[:, :, 0]) | np.isnan(a[:, :, -1]), 0.0, w) for a, w in zip(answers, by_origin, strict=True)
    ]
    for each in there:
        total += each
    mean = np.zeros((shape[0], levels, *shape[1:])).transpose(0, 2, 1)  # in memory as the answers are
    mean[~(total > 0)] = np.nan
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for x, (answer, weight) in enumerate(zip(answers, there, strict=True)):
            said = weight > 0
            if not said.any():
                continue
            share = np.where(said, weight / total, 0.0)
            known = answer if said.all() and (share > 0).all() else np.where(share[:, :, None] > 0, answer, 0.0)
            mean += share[:, :, None] * known
            heavier = weight > most
            heaviest[heavier], most = x, np.maximum(most, weight)
    return np.where(np.isinf(mean), np.nan, mean), heaviest
