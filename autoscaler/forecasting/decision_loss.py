"""What a forecast costs as a plan: replicas that are there for nothing, and demand that none are there for.

A plan is margin × quantile, as in the service, each side with the margin that would have been cheapest over the same
origins: a poor forecast that a margin mends is as good as it costs then, and no worse. Demand and plan are in one unit
and both costs are proportional, so capacity does not enter. Source: the newsvendor problem (Arrow, Harris & Marschak,
1951); a missing unit costs 1 ÷ risk of what a unit costs, under which the risk asked for is the cheapest one.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.series import Bools, Floats

LEAST_MARGIN: Final = 0.75
GREATEST_MARGIN: Final = 8.0
"""As risk control keeps them."""
FEW: Final = 8
LEAST_DAYS: Final = 4
MOST: Final = 2 / 3


def decision_costs(quantile: Floats, peak: Floats, used: Bools, risk: Floats) -> Floats:
    """[row, sample], cost of a plan above that of knowing the peak, in units of demand; 0 where a sample is not used.

    quantile, peak: [row, sample], what is planned for and what came, not negative. used: samples that count.
    risk: [row], accepted share of short time. Example: a quantile that is always a tenth above the peak costs nothing,
    as the margin is 1/1.1 then; one that is 10 % too high and 10 % too low in turn costs 0.11 of the peak, for half
    of the time 0.22 too much stands there.
    """
    if not quantile.shape[1]:
        return np.zeros(quantile.shape)
    plan, came = np.where(used, quantile, 0.0), np.where(used, peak, 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        kept = _cheapest(plan, came, risk)[:, None] * plan
        return np.asarray(kept - came + np.maximum(came - kept, 0.0) / risk[:, None])


def dearer_on_most_days(plans: tuple[Floats, Floats], peak: Floats, used: Bools, risk: Floats, per_day: int) -> Bools:
    """[row], whether the first of two plans costs more on over MOST of the known days, each day with its own margins.

    per_day: samples of a day. A week has ten moments that decide at 0.5 %, and one incident may be all of them: a plan
    that foresaw nothing of it pays then, or by its margin all week, however good it is on other days. Fewer than
    LEAST_DAYS known days prove nothing.
    """
    rows, samples = used.shape
    days = -(-samples // per_day)

    def by_day(values: NDArray[Any]) -> NDArray[Any]:
        return np.pad(values, ((0, 0), (days * per_day - samples, 0))).reshape(rows * days, per_day)

    known, came, risks = by_day(used), by_day(np.where(used, peak, 0.0)), np.repeat(risk, days)
    ours, theirs = (
        decision_costs(by_day(np.where(used, plan, 0.0)), came, known, risks).sum(axis=1).reshape(rows, days)
        for plan in plans
    )
    count = known.any(axis=1).reshape(rows, days).sum(axis=1)
    return np.asarray((count >= LEAST_DAYS) & ((ours > theirs).sum(axis=1) > MOST * count))


def _cheapest(plan: Floats, came: Floats, risk: Floats) -> Floats:
    """[row], margin within its limits at which the plan's own cost meets what it saves in shortage.

    The cost is convex in the margin: its slope is Σ plan - Σ plan where peak > margin·plan, ÷ risk. So it is the ratio
    of peak to plan above which as much plan lies as risk × all plan is.
    """
    ratio, rows = np.where(plan > 0, came / plan, 0.0), np.arange(len(plan))
    found, limit = np.zeros(len(plan)), risk * plan.sum(axis=1)
    some = min(ratio.shape[1], math.ceil(FEW * float(risk.max(initial=0.0)) * ratio.shape[1]) + FEW)
    while len(rows):
        # most often the few highest ratios are enough, and a part of them is had for much less than all in order
        last = ratio.shape[1] - some
        places = np.argpartition(ratio[rows], last, axis=1)[:, last:] if last else np.argsort(ratio[rows], axis=1)
        highest = np.take_along_axis(ratio[rows], places, axis=1)
        order = np.argsort(-highest, axis=1)
        weights = np.take_along_axis(plan[rows], np.take_along_axis(places, order, axis=1), axis=1)
        passed = np.cumsum(weights, axis=1) > limit[rows, None]
        turn = np.take_along_axis(order, passed.argmax(axis=1)[:, None], axis=1)
        reached = passed.any(axis=1) | (last == 0)
        found[rows[reached]] = np.take_along_axis(highest, turn, axis=1)[reached, 0]
        rows, some = rows[~reached], ratio.shape[1]
    return np.clip(found, LEAST_MARGIN, GREATEST_MARGIN)
