"""Rules over many workloads at once: how many replicas they may have together, and how many of them may shrink at once.

A guard sees one lane at a time. What is shared is therefore worked out between two passes of the chain: the first tells
what each lane would get, then each lane is told its part, and the second pass keeps it. The parts stand in the record.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.domain.policy import UNGUARDED, Brake, Budget
from autoscaler.domain.policy_lanes import lanes_of
from autoscaler.domain.series import Bools, Floats, Ints, anywhere
from autoscaler.domain.workload import Workload

NO_CAP = int(np.iinfo(np.int32).max)
_CENT = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """What the first pass left, all [lane]. fixed: lanes that nothing shared may change (held, frozen, not known).

    running: replicas that count against a budget whatever is granted (under a floor those of the HPA).
    least: fewest that a budget may leave: observed need, min, and what the steps downward allow; least_short: without
    observed need. need: observed and trusted.
    """

    granted: Ints
    current: Ints
    running: Ints
    least: Ints
    fixed: Bools
    least_short: Ints | None = None
    need: Ints | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """All [lane]. braked, growth_braked: must not shrink, or grow beyond need, in this tick. cap: most replicas for a
    budget, NO_CAP = none. short_budget, short_growth: they may cut below observed need.
    """

    braked: Bools
    cap: Ints
    growth_braked: Bools
    short_budget: Bools
    short_growth: Bools


@dataclass(frozen=True, slots=True, eq=False)
class SharedRules:
    """priority: [lane], the higher is served first. spin: [lane], a number of the name, for turns.

    price: [lane], of a replica and hour, NaN = the budget's own.
    """

    brakes: tuple[tuple[Brake, Ints], ...]
    budgets: tuple[tuple[Budget, Ints], ...]
    priority: Ints
    spin: np.ndarray
    price: Floats

    @staticmethod
    def of(loads: Sequence[Workload]) -> SharedRules:
        each = [w.guarded or UNGUARDED for w in loads]
        return SharedRules(
            lanes_of(each, lambda g: g.brakes),
            lanes_of(each, lambda g: g.budgets),
            np.array([g.priority for g in each], dtype=np.int64),
            np.array([zlib.crc32(str(w.ref).encode()) for w in loads], dtype=np.uint64),
            np.array([np.nan if g.replica_price is None else g.replica_price for g in each], dtype=np.float64),
        )

    @property
    def any(self) -> bool:
        """Whether any rule is shared."""
        return bool(self.brakes or self.budgets)

    def bind(self, offer: Offer, now_s: float) -> Shares | None:
        """Each lane's part of what is shared; None where nothing binds, which is the usual case."""
        braked, slowed, short_growth = self._braked(offer, now_s)
        granted = np.where(braked, np.maximum(offer.granted, offer.current), offer.granted)
        if anywhere(slowed):
            need = np.zeros_like(granted) if offer.need is None else np.where(short_growth, 0, offer.need)
            granted = np.where(slowed, np.minimum(granted, np.maximum(offer.current, need)), granted)
        cap, short = self._capped(offer, granted)
        if not anywhere(braked | slowed) and not anywhere(cap < NO_CAP):
            return None
        return Shares(braked, cap, slowed, short, short_growth)

    def _braked(self, offer: Offer, now_s: float) -> tuple[Bools, Bools, Bools]:
        """Of the lanes that would shrink, and of those that would grow beyond what they need now, those whose turn it
        is not; the turns change from tick to tick. The third: lanes that may be left short.
        """
        braked, slowed, short = (np.zeros(len(offer.granted), dtype=np.bool_) for _ in range(3))
        shrinking = (offer.granted < offer.current) & ~offer.fixed
        need = 0 if offer.need is None else offer.need
        growing = (offer.granted > offer.current) & ~offer.fixed
        for brake, lanes in self.brakes:
            moving = growing & (brake.short | (offer.granted > need)) if brake.grow else shrinking
            inside = lanes[moving[lanes]]
            allowed = max(math.floor(brake.share * len(lanes) + 1e-9), 1 if brake.share > 0 else 0)
            if len(inside) > allowed:
                order = np.argsort(_mixed(self.spin[inside], now_s), kind="stable")
                late = inside[order[allowed:]]
                (slowed if brake.grow else braked)[late] = True
                if brake.short:
                    short[late] = True
        return braked, slowed, short

    def _capped(self, offer: Offer, granted: Ints) -> tuple[Ints, Bools]:
        """What a budget leaves each lane: what it must have, then the rest by priority, evenly inside one.

        The second: lanes that a budget left short of what they need.
        """
        cap = np.full(len(granted), NO_CAP, dtype=np.int64)
        short = np.zeros(len(granted), dtype=np.bool_)
        for budget, lanes in self.budgets:
            asked = np.minimum(granted[lanes], cap[lanes])
            least = offer.least_short if budget.short and offer.least_short is not None else offer.least
            must = np.where(offer.fixed[lanes], asked, np.minimum(asked, least[lanes]))
            used = np.maximum(must, offer.running[lanes])
            for whole, each in self._purses(budget, lanes):
                left = whole - float((used * each).sum())
                base = used
                if left < 0:  # what must be there, or runs by itself, is too much already: nothing comes on top
                    base, left = must, 0.0
                extra = np.maximum(asked - base, 0)
                if float((extra * each).sum()) > left + _CENT:
                    got = _shared_out(extra, each, self.priority[lanes], left)
                    cap[lanes] = np.where(got < extra, np.minimum(cap[lanes], base + got), cap[lanes])
                    short[lanes] |= budget.short & (got < extra)
                    asked = np.minimum(asked, cap[lanes])
        return cap, short

    def _purses(self, budget: Budget, lanes: Ints) -> Iterator[tuple[float, Floats]]:
        """What there is of replicas and of money, and what one replica of each lane takes from it."""
        if budget.replicas is not None:
            yield float(budget.replicas), np.ones(len(lanes))
        if budget.money is not None:
            price = self.price[lanes]
            yield budget.money, np.where(np.isnan(price), budget.price, price)


def _shared_out(extra: Ints, price: Floats, priority: Ints, left: float) -> Ints:
    """`left` over lanes, by price: the highest priority first; inside one in proportion, what is over to the first."""
    got = np.zeros_like(extra)
    for level in np.unique(priority)[::-1].tolist():
        inside = np.flatnonzero(priority == level)
        wanted = extra[inside]
        each = price[inside]
        total = float((wanted * each).sum())
        if total <= left + _CENT:
            part = wanted
        else:
            part = np.floor(wanted * (left / total) + _CENT).astype(np.int64)
            rest = left - float((part * each).sum()) + _CENT
            over = np.flatnonzero((wanted > part) & (each <= rest))
            part[over[np.cumsum(each[over]) <= rest]] += 1
        got[inside] = part
        left = max(left - float((part * each).sum()), 0.0)
    return got


def _mixed(numbers: np.ndarray, now_s: float) -> np.ndarray:
    """Numbers that differ from second to second without a pattern (the finalizer of SplitMix64)."""
    with np.errstate(over="ignore"):
        mixed = numbers + np.uint64(int(now_s) % 2**63) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
