"""Replicas for a demand: the one place where demand becomes a count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.forecast import Foresight, ForesightAt
from autoscaler.domain.series import Bools, Floats, Ints

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


@dataclass(frozen=True, slots=True, eq=False)
class Needs:
    """What demand alone asks for, before anything about replicas. All [lane, origin], or [lane] of one origin.

    observed: replicas for the demand observed, 0 where known is False. predicted: some demand has a forecast that can
    be sized. settled: replicas for the newest step that is in, NaN where it was not observed. load: replicas, not
    rounded, that the demand observed asks for; 0 = unknown. No demand without a capacity is known or predicted.
    """

    observed: Ints
    known: Bools
    predicted: Bools
    settled: Floats
    load: Floats

    @staticmethod
    def of(fleet: Fleet, seen: Foresight | ForesightAt) -> Needs:
        """Of a block of origins, or of one. seen.present comes from its forecast."""
        shape = (-1, *(1,) * (seen.observed.ndim - 1))
        capacity = fleet.capacity.reshape(shape)
        present = seen.present if isinstance(seen, ForesightAt) else seen.peaks.present
        row_known, settled = ~np.isnan(seen.observed), fleet.all_over_rows(~np.isnan(seen.settled))
        if fleet.unsized is not None:
            row_known = row_known & ~np.isnan(capacity)
            unsized = fleet.unsized.reshape(shape)
            present, settled = present & ~unsized[fleet.row_lane], settled & ~unsized
        with np.errstate(over="ignore", invalid="ignore"):
            load = np.fmax(seen.observed / capacity, 0.0)
        return Needs(
            observed=fleet.most_over_rows(replicas_for(seen.observed, capacity)),
            known=fleet.any_over_rows(row_known),
            predicted=fleet.any_over_rows(present),
            settled=np.where(settled, fleet.most_over_rows(replicas_for(seen.settled, capacity)), np.nan),
            load=load if fleet.row_per_lane else np.maximum.reduceat(load, fleet.row_start),
        )

    def at(self, origin: int) -> Needs:
        """Of one origin of a block."""
        return Needs(
            self.observed[:, origin],
            self.known[:, origin],
            self.predicted[:, origin],
            self.settled[:, origin],
            self.load[:, origin],
        )
