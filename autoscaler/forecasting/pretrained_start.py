"""How a new workload passes from the global model to its own calibrated experts: all of the one, then less and less.

A calibration of two hours knows nothing of the other hours of a day; the global model has seen many days of others.
Measured over public loads that it had not learned from, fading over a day needs less than either at the same shortage
(docs/training.md).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from autoscaler.domain.series import Bools, Floats

ALONE_S: Final = 7200
FADE_S: Final = 86400


def global_share(learned_s: Floats) -> Floats:
    """[row], the global model's weight, 1 … 0, from how many seconds of own demand the own calibration has seen."""
    return np.clip(1.0 - (learned_s - ALONE_S) / FADE_S, 0.0, 1.0)


def beginners(learned_s: Floats) -> Bools:
    """[row], whose quantiles the global model still has a share in; of the others it need not be asked."""
    return global_share(learned_s) > 0


def with_own(own: Floats, learned: Floats, learned_s: Floats) -> Floats:
    """Quantiles [row, origin, level]: the weighted mean of the own and of the global model's, of each alone where the
    other is NaN. Means of rising quantiles rise.
    """
    share = global_share(learned_s)[:, None, None]
    mixed = np.where(share == 0, own, np.where(share == 1, learned, (1 - share) * own + share * learned))
    return np.where(np.isnan(mixed), np.where(np.isnan(own), learned, own), mixed)
