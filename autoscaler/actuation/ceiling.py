"""How high a floor may go under its owner's maximum."""

from __future__ import annotations

import numpy as np

from autoscaler.domain.series import Ints

LEAST_MARGIN, ONE_IN = 1, 10


def floor_ceiling(greatest: Ints | int, own_floor: Ints | int) -> Ints:
    """Highest floor under a maximum of `greatest`: a tenth of it, at least one replica, stays free.

    The API server refuses a maximum below the minimum: with the floor at the maximum a person could not lower it in
    an incident. Never below the owner's own floor. Example: a maximum of 60 bears a floor of 54.
    """
    most = np.asarray(greatest, dtype=np.int64)
    free = np.maximum(-(most // -ONE_IN), LEAST_MARGIN)
    return np.asarray(np.maximum(most - free, own_floor))
