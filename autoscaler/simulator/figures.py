"""Figures of one way to scale over recorded demand: what it cost and what it left short, always both.

Only steps observed in full are scored and paid: nobody knows what a step without a sample, or with a lower bound
alone, would have needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.fleet import NO_LIMIT
from autoscaler.domain.series import Bools, Floats, Ints
from autoscaler.planning.need import ROUNDING, replicas_for
from autoscaler.simulator.clairvoyant import UNOBSERVED, clairvoyant

DAY_S = 86400
RESAMPLES, SEED = 2000, 0
INTERVAL = (0.025, 0.975)
LEAST_DAYS = 3
"""Blocks below which resampling them says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """What happened, [step] from absolute step first_step on. demand: NaN = unknown. ready: replicas that served.

    running: ready and starting ones, which are paid. capacity: demand that one ready replica serves.
    scored_step: first absolute step that counts (what lies before is warm-up). censored: demand is a lower bound only,
    None = nowhere. nodes: that are there, None = none are simulated.
    """

    step_s: int
    first_step: int
    scored_step: int
    capacity: float
    demand: Floats
    ready: Ints
    running: Ints
    censored: Bools | None = None
    nodes: Ints | None = None

    @property
    def observed(self) -> Bools:
        """[step], with some value and after the warm-up."""
        after = np.arange(len(self.demand)) >= self.scored_step - self.first_step
        return after & ~np.isnan(self.demand)

    @property
    def bounded(self) -> Bools:
        """[step], observed, and only as a lower bound."""
        return np.zeros(len(self.demand), dtype=np.bool_) if self.censored is None else self.observed & self.censored

    @property
    def scored(self) -> Bools:
        """[step], observed in full: a lower bound is no proof that nothing was short, nor of what was."""
        return self.observed & ~self.bounded

    @property
    def needed(self) -> Ints:
        """[step], replicas that the demand of the step needs; UNOBSERVED in gaps."""
        need = replicas_for(self.demand, np.asarray(self.capacity))
        return np.where(np.isnan(self.demand), UNOBSERVED, need)

    @property
    def short(self) -> Bools:
        """[step], scored and with demand above what the ready replicas serve."""
        return self.scored & self._above

    @property
    def bounded_short(self) -> Bools:
        """[step], where even the lower bound is above what the ready replicas serve."""
        return self.bounded & self._above

    @property
    def _above(self) -> Bools:
        known = np.nan_to_num(self.demand, nan=0.0)
        return np.asarray(known * (1 - ROUNDING) > self.ready * self.capacity)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the figures are measured against. lead_steps: from the request until a replica is ready.

    risk: accepted share of short steps. least, most: replicas that nobody may go below or above, the clairvoyant
    included.
    """

    lead_steps: int
    risk: float
    least: int = 1
    most: int = NO_LIMIT


@dataclass(frozen=True, slots=True)
class Scores:
    """replica_hours: of running replicas. over_bound: their ratio to the clairvoyant's. None = not to be told.

    unserved_hours: demand above capacity, in units of demand × hours; unserved_share: of all demand. worst_missing:
    replicas missing in the worst step; worst_share: largest share of a step's demand that was above capacity.
    churn_per_hour: replicas added and removed. turns_per_day: changes of direction. risk_ratio: realised over
    asked risk, with a 95 % interval over resampled days (UTC); None below LEAST_DAYS days. censored_steps: known only
    as a lower bound, in none of the other figures; censored_short_steps: those where even that was above capacity.
    node_hours: of nodes that are there, over the scored steps. above_most_steps: that need more replicas than anybody
    may have, the bound included.
    """

    steps: int
    unobserved_steps: int
    hours: float
    replica_hours: float
    bound_hours: float
    over_bound: float | None
    short_minutes: float
    short_share: float | None
    unserved_hours: float
    unserved_share: float | None
    worst_missing: int
    worst_share: float
    longest_short_minutes: float
    churn_per_hour: float | None
    turns_per_day: float | None
    risk_asked: float
    risk_ratio: float | None
    risk_low: float | None
    risk_high: float | None
    censored_steps: int = 0
    censored_short_steps: int = 0
    node_hours: float | None = None
    above_most_steps: int = 0


def score(served: Served, asked: Asked) -> Scores:
    """Both sides of the bargain over the scored steps."""
    scored, short = served.scored, served.short
    steps, hour = int(scored.sum()), served.step_s / 3600
    bound = np.clip(clairvoyant(served.needed, asked.lead_steps), asked.least, asked.most)
    demand = np.where(scored, np.nan_to_num(served.demand, nan=0.0), 0.0)
    unserved = np.where(short, demand - served.ready * served.capacity, 0.0)
    missing = np.where(short, served.needed - served.ready, 0)
    moves = np.diff(served.running, prepend=served.running[:1])[scored]
    paid, least = float(served.running[scored].sum() * hour), float(bound[scored].sum() * hour)
    total, realised = float(demand.sum()), float(short.sum() / steps) if steps else None
    low, high = _interval(served, asked.risk)
    bounded = int(served.bounded.sum())
    return Scores(
        steps=steps,
        unobserved_steps=max(0, len(scored) - max(0, served.scored_step - served.first_step)) - steps - bounded,
        hours=steps * hour,
        replica_hours=paid,
        bound_hours=least,
        over_bound=paid / least if least else None,
        short_minutes=float(short.sum() * served.step_s / 60),
        short_share=realised,
        unserved_hours=float(unserved.sum() * hour),
        unserved_share=float(unserved.sum() / total) if total else None,
        worst_missing=int(missing.max(initial=0)),
        worst_share=float((unserved[short] / demand[short]).max(initial=0.0)),
        longest_short_minutes=longest(short) * served.step_s / 60,
        churn_per_hour=float(np.abs(moves).sum() / (steps * hour)) if steps else None,
        turns_per_day=_turns(moves) / (steps * hour / 24) if steps else None,
        risk_asked=asked.risk,
        risk_ratio=None if realised is None else realised / asked.risk,
        risk_low=low,
        risk_high=high,
        censored_steps=bounded,
        censored_short_steps=int(served.bounded_short.sum()),
        node_hours=None if served.nodes is None else float(served.nodes[scored].sum() * hour),
        above_most_steps=int((served.needed[scored] > asked.most).sum()),
    )


def longest(flags: Bools) -> int:
    """Length of the longest run of True."""
    edges = np.diff(np.concatenate(([0], flags.astype(np.int8), [0])))
    return int((np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)).max(initial=0))


def _turns(moves: Ints) -> int:
    signs = np.sign(moves[moves != 0])
    return int((np.diff(signs) != 0).sum())


def _interval(served: Served, risk: float) -> tuple[float | None, float | None]:
    """Realised over asked risk when whole days are drawn again with replacement: shortages come in spells.

    Days are those of the calendar (UTC), so that the blocks do not move with the start of the record.
    """
    scored = served.scored
    days = ((served.first_step + np.arange(len(scored))) * served.step_s // DAY_S)[scored]
    if not len(days):
        return None, None
    _, block = np.unique(days, return_inverse=True)
    count = int(block[-1]) + 1
    if count < LEAST_DAYS:
        return None, None
    length = np.bincount(block, minlength=count)
    shorts = np.bincount(block, weights=served.short[scored], minlength=count)
    drawn = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    low, high = np.quantile(drawn @ shorts / (drawn @ length), INTERVAL) / risk
    return float(low), float(high)
