"""What a series is expected to be at the next step, from its last values and the day before: ridge, all rows at once.

It stands in where no forecast is fed. Source: Hoerl & Kennard (1970), ridge regression; the day before as in seasonal
naive methods.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection.shape import MIDDLE, Means, Reals, lagged
from autoscaler.domain.series import Floats

SHRUNK: Final = 30.0
"""Of a fit on FULL steps."""
FULL: Final = 4032
SAMPLE: Final = 1000
"""Steps that weights are learned from, evenly taken."""
TERMS: Final = 9
NEAR: Final = 20.0
"""Values further from the centre are cut: a spike must not bend the weights."""
Weights = NDArray[np.float32]


def terms(z: Reals, day: int, taken: slice) -> Reals:
    """[TERMS, row, step] known before each of the steps taken; unknown ones are zero, the centre."""
    means = Means.of(z)
    yesterday = lagged(z, day)[:, taken]
    found = np.stack(
        [
            *(lagged(z, back)[:, taken] for back in (1, 2, 3)), lagged(means.short, 1)[:, taken],
            lagged(means.middle, 1)[:, taken], yesterday, yesterday - lagged(z, day + 1)[:, taken],
            lagged(means.middle, day)[:, taken], np.ones_like(yesterday),
        ]
    )  # fmt: skip
    np.nan_to_num(found, copy=False, nan=0.0)
    return np.clip(found, -NEAR, NEAR, out=found)


def learned(z: Reals, given: Reals, day: int) -> tuple[Weights, Floats]:
    """[row, TERMS], and what is left of the thinned steps, [row, some of the steps].

    z: [row, step], carried, without unit; given: the same with its holes, which teach nothing.
    """
    thin = max(1, z.shape[1] // SAMPLE)
    x = np.ascontiguousarray(terms(z, day, slice(None, None, thin)).transpose(1, 0, 2), dtype=np.float64)
    some = given[:, ::thin]
    known = ~np.isnan(some)
    y = np.clip(np.where(known, some, 0.0), -NEAR, NEAR)
    taught = x * known[:, None, :]
    gram = taught @ x.transpose(0, 2, 1)
    gram[:, np.arange(TERMS), np.arange(TERMS)] += SHRUNK * SAMPLE / FULL
    weights = np.linalg.solve(gram, taught @ y[:, :, None])
    return weights[:, :, 0].astype(np.float32), some - (weights.transpose(0, 2, 1) @ x)[:, 0]


def expected(weights: Weights, z: Floats, day: int, new: int) -> Floats:
    """[row, step] of the last `new` steps, without unit; NaN where the step before is unknown."""
    end = z.shape[1]
    near, far = slice(end - new - MIDDLE, end - 1), slice(end - new - day - MIDDLE + 1, end - day)
    means = Means.of(z[:, near])
    day_before = Means.of(z[:, far]).middle[:, MIDDLE - 1 :]
    yesterday = z[:, end - new - day : end - day]
    x = np.stack(
        [
            *(z[:, end - new - back : end - back] for back in (1, 2, 3)), means.short[:, MIDDLE - 1 :],
            means.middle[:, MIDDLE - 1 :], yesterday, yesterday - z[:, end - new - day - 1 : end - day - 1], day_before,
            np.ones_like(yesterday),
        ]
    )  # fmt: skip
    unknown = np.isnan(x[0])
    np.nan_to_num(x, copy=False, nan=0.0)
    np.clip(x, -NEAR, NEAR, out=x)
    found = np.einsum("krs,rk->rs", x, weights.astype(np.float64))
    found[unknown] = np.nan
    return found
