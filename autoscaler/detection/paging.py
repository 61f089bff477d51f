"""From a workload's surprise to how often something like it comes, and to pages: one for each event.

Counted are the largest surprises of quarters of a day over four weeks. Above their 0.8 quantile they are taken as
exponential, with a mean excess pooled over all workloads; the quantile is the workload's own, drawn towards the pool's
while little is known. A page begins where the rate falls to what the user accepts, and lasts until six hours are quiet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.series import Bools, Floats, Ints

QUIET_S: Final = 6 * 3600
BLOCKS: Final = 28 * 4
"""Quarters of a day kept."""
PER_WEEK: Final = 28.0
ABOVE: Final = 0.2
"""Share of quarters above the quantile from which the tail is taken."""
FIRST: Final = 3 * 4
"""Quarters that must have been seen before a workload pages."""
USUAL_EDGE, USUAL_EXCESS = 1.1, 0.35
"""Where the tail begins and its mean excess, in -log10 p, of a fleet of which nothing is known."""
WEIGHT: Final = 28.0
"""Quarters that the pool counts for against a workload's own, and that USUAL counts for against the pool."""


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """All [group]. edge: surprise that ABOVE of the quarters exceed; excess: their mean excess, one number for all."""

    edge: Floats
    excess: Floats
    ready: Bools

    @staticmethod
    def of(maxima: NDArray[np.float32]) -> Tail:
        """From the largest surprises of quarters, [group, block], NaN = none."""
        seen = np.count_nonzero(~np.isnan(maxima), axis=1)
        pool = np.sort(maxima[~np.isnan(maxima)].astype(np.float64))
        own = float(pool[math.ceil((1 - ABOVE) * (len(pool) - 1))]) if len(pool) else USUAL_EDGE
        over = pool[pool > own] - own
        edge = (len(pool) * own + WEIGHT * USUAL_EDGE) / (len(pool) + WEIGHT)
        excess = (float(over.sum()) + ABOVE * WEIGHT * USUAL_EXCESS) / (len(over) + ABOVE * WEIGHT)
        return Tail(np.full(len(seen), edge), np.full(len(seen), excess), seen >= FIRST)

    def rate(self, surprise: Floats) -> Floats:
        """[group, step], quarters a week whose largest surprise is at least this; inf where it cannot be said."""
        over = (surprise - self.edge[:, None]) / self.excess[:, None]
        found = PER_WEEK * np.where(over > 0, ABOVE * np.exp(-np.maximum(over, 0.0)), 1.0)
        found[np.isnan(surprise) | ~self.ready[:, None]] = np.inf
        return found

    def surprise_at(self, rate: Floats) -> Floats:
        """[group], the surprise that comes `rate` [group] times a week; inf for never."""
        with np.errstate(divide="ignore"):
            more = np.log(ABOVE * PER_WEEK / np.maximum(rate, 0.0))
        return self.edge + self.excess * np.maximum(more, 0.0)


def events(alarm: Bools, last: Ints, first_step: int, quiet: int) -> tuple[Bools, Bools, Ints]:
    """(paging, page) [group, step], and the step of each group's last alarm.

    alarm: [group, step]. last: [group], absolute step of the last alarm, very negative for none. quiet: steps.
    """
    steps = first_step + np.arange(alarm.shape[1])
    at = np.maximum.accumulate(np.where(alarm, steps, last[:, None]), axis=1)
    before = np.concatenate([last[:, None], at[:, :-1]], axis=1) if alarm.shape[1] else at
    page = alarm & (steps - before > quiet)
    return steps - at <= quiet, page, at[:, -1] if alarm.shape[1] else last
