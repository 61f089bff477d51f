"""Rivals at their best: tuned in hindsight, which no operator can do, and causally, which one could.

In hindsight: the cheapest rung whose realised shortage over the scored part is within the asked risk. Causally:
each midnight (UTC) the cheapest rung whose last 14 days kept the risk; it is asked of every rung's own shadow run.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints
from autoscaler.simulator.rivals.contract import DAY_S, World
from autoscaler.simulator.rivals.score import LadderScores, short

TUNING_DAYS: Final = 14


def in_hindsight(scores: LadderScores, risk: float) -> int | None:
    """The cheapest rung within `risk`; None where no rung is."""
    kept = np.flatnonzero(scores.short <= risk)
    return int(kept[np.argmin(scores.paid[kept])]) if len(kept) else None


def frontier(scores: LadderScores) -> Ints:
    """Rungs that nothing beats on both sides, by falling shortage and rising cost."""
    order = np.lexsort((scores.short, scores.paid))
    best = np.minimum.accumulate(np.concatenate(([np.inf], scores.short[order][:-1])))
    return order[scores.short[order] < best].astype(np.int64)


def paid_at(scores: LadderScores, risk: float) -> float | None:
    """Replica-hours at a shortage of exactly `risk`, straight between neighbours of the frontier.

    None where the frontier does not reach down to `risk`; its cheapest rung where that is within it.
    """
    rungs = frontier(scores)[::-1]  # rising shortage
    shares, paid = scores.short[rungs], scores.paid[rungs]
    if not len(rungs) or shares[0] > risk:
        return None
    return float(np.interp(risk, shares, paid))


def rungs_by_day(
    requested: Ints, demand: Floats, world: World, risk: float, *, default: int, days: int = TUNING_DAYS
) -> Ints:
    """[step], the rung in force. requested: [knob, step]. The first day runs at `default`.

    Where no rung kept the risk, the one that broke it least; ties go to the cheaper. Days without a single
    observed step change nothing.
    """
    day = (world.first_step + np.arange(len(demand))) * world.step_s // DAY_S
    number = (day - day[0]) if len(day) else day
    total = int(number[-1]) + 1 if len(day) else 0
    seen = ~np.isnan(demand)
    observed = _by_day(seen, number, total)
    missed = np.stack([_by_day(short(row, demand, world), number, total) for row in requested])
    paid = np.stack([np.bincount(number, weights=row * seen, minlength=total) for row in requested])
    chosen, rung = np.empty(total, dtype=np.int64), default
    for today in range(total):
        past = slice(max(0, today - days), today)
        steps = observed[past].sum()
        if steps:
            share, cost = missed[:, past].sum(axis=1) / steps, paid[:, past].sum(axis=1)
            kept = share <= risk
            rung = int(np.argmin(np.where(kept, cost, np.inf))) if kept.any() else int(np.lexsort((cost, share))[0])
        chosen[today] = rung
    return chosen[number]


def causally(
    requested: Ints, demand: Floats, world: World, risk: float, *, default: int, days: int = TUNING_DAYS
) -> Ints:
    """[step], what an operator who re-tunes each midnight would have asked for."""
    rung = rungs_by_day(requested, demand, world, risk, default=default, days=days)
    return requested[rung, np.arange(len(rung))]


def _by_day(flags: Bools, number: Ints, total: int) -> Floats:
    return np.asarray(np.bincount(number, weights=flags.astype(np.float64), minlength=total), dtype=np.float64)
