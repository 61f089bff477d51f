"""How high a floor may go under its owner's maximum."""

from __future__ import annotations

import numpy as np

from autoscaler.domain.series import Ints

LEAST_MARGIN, MARGIN_SHARE = 1, 0.1


def floor_ceiling(greatest: Ints | int, own_floor: Ints | int) -> Ints:
    """Highest floor under a maximum of `greatest`: a tenth of it, at least one replica, stays free.

    The API server refuses a maximum below the minimum: with the floor at the maximum a person could not lower it in
    an incident. Never below the owner's own floor. Example: a maximum of 60 bears a floor of 54.
    """
    free = np.maximum(np.ceil(np.asarray(greatest) * MARGIN_SHARE - 1e-9), LEAST_MARGIN).astype(np.int64)
    return np.asarray(np.maximum(np.asarray(greatest) - free, own_floor), dtype=np.int64)
