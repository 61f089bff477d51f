"""Replicas for a demand: the one place where demand becomes a count."""

from __future__ import annotations

import numpy as np

from autoscaler.domain.fleet import NO_LIMIT
from autoscaler.domain.series import Floats, Ints

ROUNDING = 1e-9
"""A demand within this relative distance above a whole number of replicas is served by that number."""


def replicas_for(demand: Floats, capacity: Floats) -> Ints:
    """Fewest replicas that carry `demand`, elementwise; 0 for no demand, NaN counts as 0 (mask it).

    demand and capacity share a unit; capacity is what one Ready replica serves. Saturates at NO_LIMIT
    instead of wrapping. Example: 450 requests/s at 45 per replica are 10; 450.1 are 11.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        count = demand / capacity
    # fmax takes the 0 where the count is NaN
    bounded = np.minimum(np.fmax(count * (1 - ROUNDING), 0.0), NO_LIMIT)
    return np.ceil(bounded).astype(np.int64)
