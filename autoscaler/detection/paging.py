"""From a workload's surprise to how often something like it comes on ordinary days, and to pages: one for each event.

How fast false pages get rarer as surprise grows is measured on recorded services whose incidents were labelled (CURVE):
from one's own past alone it cannot be told, because its largest surprises are mostly real. What one's own past tells is
where the curve lies: the surprise that a fifth of all quarters of a day exceed, pooled over all workloads of one kind,
those of a single series and those of several. A page begins where the rate falls to what the user accepts, and lasts
until six hours are quiet.
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
ABOVE: Final = 0.2
"""Share of quarters above the edge."""
FIRST: Final = 3 * 4
"""Quarters that must have been seen before a workload pages."""
USUAL_EDGE: Final = 0.85
"""Where the edge lies in a fleet of which nothing is known, and where CURVE was measured."""
CURVE: Final = ((0.0, 20.0), (0.5, 3.0), (1.0, 0.8), (1.5, 0.31), (2.0, 0.165), (2.5, 0.085), (3.0, 0.055), (5.0, 0.02))
"""(surprise, false pages a week) of a single series, measured on labelled recordings: docs/benchmarks/anomalies.md."""
CURVE_SEVERAL: Final = (
    (0.0, 20.0), (0.5, 4.4), (0.85, 2.0), (1.1, 0.9), (1.5, 0.45), (1.85, 0.15), (2.3, 0.05), (3.0, 0.015),
)  # fmt: skip
"""Of several series: the mean of three reaches high values less often."""
WEIGHT: Final = 56.0
"""Quarters that USUAL_EDGE counts for against the pool."""


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """All [group]. edge: surprise that ABOVE of the quarters exceed. ready: enough was seen. several: series."""

    edge: Floats
    ready: Bools
    several: Bools

    @staticmethod
    def of(maxima: NDArray[np.float32], several: Bools) -> Tail:
        """From the largest surprises of quarters, [group, block], NaN = none. several: [group], of several series."""
        seen = np.count_nonzero(~np.isnan(maxima), axis=1)
        edge = np.full(len(seen), USUAL_EDGE)
        for kind in (several, ~several):
            mine = maxima[kind]
            pool = np.sort(mine[~np.isnan(mine)].astype(np.float64))
            if len(pool):
                own = float(pool[math.ceil((1 - ABOVE) * (len(pool) - 1))])
                edge[kind] = (len(pool) * own + WEIGHT * USUAL_EDGE) / (len(pool) + WEIGHT)
        return Tail(edge, seen >= FIRST, several)

    def rate(self, surprise: Floats) -> Floats:
        """[group, step], false pages a week of a page at this surprise; inf where it cannot be said."""
        moved = surprise - (self.edge - USUAL_EDGE)[:, None]
        found = np.empty_like(surprise)
        for kind, curve in self._kinds():
            found[kind] = np.exp(_along(curve[:, 0], np.log(curve[:, 1]), moved[kind]))
        found[np.isnan(surprise) | ~self.ready[:, None]] = np.inf
        return found

    def surprise_at(self, rate: Floats) -> Floats:
        """[group], the surprise at which false pages come `rate` [group] times a week; inf for never."""
        with np.errstate(divide="ignore"):
            rarity = -np.log(rate)
        found = np.empty_like(rate)
        for kind, curve in self._kinds():
            found[kind] = _along(-np.log(curve[:, 1]), curve[:, 0], rarity[kind])
        return found + self.edge - USUAL_EDGE

    def _kinds(self) -> tuple[tuple[Bools, Floats], ...]:
        return (self.several, np.array(CURVE_SEVERAL)), (~self.several, np.array(CURVE))


def _along(x: Floats, y: Floats, at: Floats) -> Floats:
    """What y is at `at` along the line through (x, y), x rising; beyond its end it goes straight on."""
    beyond = np.fmax(at - x[-1], 0.0)
    slope = (y[-1] - y[-2]) / (x[-1] - x[-2])
    return np.interp(np.minimum(at, x[-1]), x, y) + slope * beyond


def events(alarm: Bools, last: Ints, first_step: int, quiet: int) -> tuple[Bools, Bools, Ints]:
    """(paging, page) [group, step], and the step of each group's last alarm.

    alarm: [group, step]. last: [group], absolute step of the last alarm, very negative for none. quiet: steps.
    """
    steps = first_step + np.arange(alarm.shape[1])
    at = np.maximum.accumulate(np.where(alarm, steps, last[:, None]), axis=1)
    before = np.concatenate([last[:, None], at[:, :-1]], axis=1) if alarm.shape[1] else at
    page = alarm & (steps - before > quiet)
    return steps - at < quiet, page, at[:, -1] if alarm.shape[1] else last
