"""Two plans in shadow, each kept at the asked risk by its own margin; the one that costs less serves.

The first is margin × Q.95 of the peak. The second takes the usual peak of this window on past days instead, where that
is more: where load comes at the same minutes each day a mean of forecasts blurs it, and the margin that makes up for it
is paid all day. Which of both is cheaper differs from load to load, and only both shadows, at the same risk, can tell.

Source: prediction with expert advice, the follower of the recently best (Cesa-Bianchi & Lugosi 2006, ch. 3), on costs
that risk control has made comparable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import SIZING_LEVEL, ForesightAt
from autoscaler.domain.series import Bools, Floats, Ints, anywhere
from autoscaler.planning.margin import DAY_S, MarginState, Settled

MEMORY_S: Final = 7 * DAY_S
"""Time constant of what is remembered; 4 to 14 days are alike."""
LEAST_S: Final = 2 * DAY_S
"""Judged time before anything but the first plan serves."""
BETTER: Final = 0.99
"""Of the cost of what serves, below which the other takes over."""
TOLERATED: Final = 1.25
DEARER: Final = 0.25
"""A plan that is short more often than TOLERATED times the risk counts as dearer, by so much of the logarithm."""


@dataclass(frozen=True, slots=True, eq=False)
class Twofold:
    """second: risk control of the second plan. cost: [plan, lane], recent mean of the replicas that each kept, up to a
    factor common to both. short: [plan, lane], recent share of steps that each left short. serves: [lane], the plan in
    force, 0 or 1. judged, missed: [lane], steps that both were judged by, and those that the one in force left short.
    """

    second: MarginState
    cost: Floats
    short: Floats
    serves: Ints
    judged: Ints
    missed: Ints

    @staticmethod
    def fresh(second: MarginState) -> Twofold:
        lanes = len(second.log_margin)
        none = np.zeros(lanes, dtype=np.int64)
        return Twofold(second, np.zeros((2, lanes)), np.full((2, lanes), np.nan), none, none, none)

    def carried(self, old: Ints, second: MarginState) -> Twofold:
        """For another fleet: lane l was old[l] here, or is new where that is -1."""
        fresh, stays = Twofold.fresh(second), old >= 0
        if not len(self.serves):
            return fresh
        return Twofold(
            second,
            np.where(stays, self.cost[:, old], fresh.cost),
            np.where(stays, self.short[:, old], fresh.short),
            np.where(stays, self.serves[old], 0),
            np.where(stays, self.judged[old], 0),
            np.where(stays, self.missed[old], 0),
        )

    def margin(self, first: MarginState) -> Floats:
        """[lane], of the plan in force."""
        second = self.serves > 0
        return np.where(second, self.second.margin, first.margin) if anywhere(second) else first.margin

    def after(self, firsts: tuple[MarginState, MarginState], second: MarginState, settled: Settled, step_s: int,
              risk: Floats) -> Twofold:  # fmt: skip
        """Once both margins have settled a step. firsts: of the first plan, before it and after; second: after it."""
        before, now = firsts
        both = (now.judged > before.judged) & (second.judged > self.second.judged)
        if not anywhere(both):
            return replace(self, second=second) if second is not self.second else self
        missed = np.stack((now.missed > before.missed, second.missed > self.second.missed))
        late = np.clip(before.step - settled.step, 0, len(before.shadow) - 1)
        lanes = np.arange(len(late))
        kept = np.stack((before.shadow[late, lanes], self.second.shadow[late, lanes]))
        share = step_s / MEMORY_S
        known = np.where(np.isnan(self.short), risk, self.short)
        cost = np.where(both, self.cost + share * (kept - self.cost), self.cost)
        short = np.where(both, known + share * (missed - known), self.short)
        judged = self.judged + both
        return Twofold(
            second, cost, short, self._cheaper(cost, short, risk, judged * step_s >= LEAST_S), judged,
            self.missed + (both & np.where(self.serves > 0, missed[1], missed[0])),
        )  # fmt: skip

    def _cheaper(self, cost: Floats, short: Floats, risk: Floats, known: Bools) -> Ints:
        with np.errstate(divide="ignore", invalid="ignore"):
            priced = cost * (1 + DEARER * np.maximum(np.log(short / (TOLERATED * risk)), 0.0))
            first, second = priced
            to_second = (self.serves == 0) & (second < BETTER * first) & known
            to_first = (self.serves > 0) & (first < BETTER * second)
        if not (anywhere(to_second) or anywhere(to_first)):
            return self.serves
        return np.where(to_second, 1, np.where(to_first, 0, self.serves))


def sized_by(fleet: Fleet, seen: ForesightAt, levels: tuple[float, ...], second: Bools) -> ForesightAt:
    """What is foreseen, as the plan of each lane sizes by it. second: [lane], those of the second plan."""
    if seen.usual is None or not anywhere(second):
        return seen
    at = levels.index(SIZING_LEVEL)
    of_row = second if fleet.row_per_lane else second[fleet.row_lane]
    quantiles = seen.quantiles.copy()
    lifted = seen.present & of_row & (seen.usual > quantiles[:, at])
    quantiles[lifted, at:] = np.maximum(quantiles[lifted, at:], seen.usual[lifted, None])
    return replace(seen, quantiles=quantiles, lifted=lifted)
