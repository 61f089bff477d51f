"""What one Ready replica serves, learned from what was seen; accepted above stated quality, else refused with why.

Capacity is the load at which the curve of load and resource reaches the limit, and never more than BEYOND_SEEN times
the highest load that a replica was seen to carry without a breach, nor more than the load at which breaches begin. What
a replica can carry beyond what was seen is not known; a few percent more let the bound follow the truth upward.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints
from autoscaler.planning.load_curve import BINS, Curves, bins_of, curves_of, rising, sums_by_bin

BEYOND_SEEN: Final = 1.1
LEAST_SAMPLES: Final = 144
"""Half a day of five minutes, below which nothing is learned."""
LEAST_SPREAD: Final = 0.2
"""Of the load's 98th percentile, between the 5th and it; a load that hardly moves shows no curve."""
LEAST_EXPLAINED: Final = 0.5
"""Share of the resource's variance that the curve explains, below which load is not what uses it."""
LEAST_STEADY: Final = 0.8
"""Of what any curve over the load explains, the share that a rising one does, below which it falls or turns."""
WIDEST: Final = 0.25
"""Width of the 90 % interval, of the capacity, above which it is too uncertain."""
BREACHED_SHARE: Final = 0.05
"""Of the samples at a load; more, and that load is not served within its SLO. Less is somebody else's incident."""
LOWEST_BINS: Final = 4
"""The lowest fifth of the samples; where breaches begin there, load is not what breaks it."""
A_DAY: Final = 288
ENOUGH_NEW: Final = A_DAY
"""Samples of a new image, from which on it speaks for itself."""
NEW_IMAGE: Final = 1.25
"""The interval is this much wider at first, and the capacity this much less; both fade with the samples."""
DRAWS: Final = 64
LEAST_PARTS: Final = 8
LANES_AT_ONCE: Final = 64
ROUNDING: Final = 1e-9
"""Of the mean; less is no variance."""
_INTERVAL: Final = (0.05, 0.95)


class Bound(StrEnum):
    """What decided an accepted capacity."""

    CURVE = "Curve"
    SEEN = "Seen"
    BREACHES = "Breaches"


class Refusal(StrEnum):
    """Why there is no capacity; codes are stable. `words` is what an SRE reads, with the way out."""

    FEW_SAMPLES = "FewSamples"
    NO_RESOURCE = "NoResource"
    NO_LOAD = "NoLoad"
    LITTLE_SPREAD = "LittleSpread"
    ALWAYS_BREACHED = "AlwaysBreached"
    NOT_RISING = "NotRising"
    NOT_MONOTONE = "NotMonotone"
    NOT_EXPLAINED = "NotExplained"
    IDLE_AT_LIMIT = "IdleAtLimit"
    UNCERTAIN = "Uncertain"

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS: Final = {
    Refusal.FEW_SAMPLES: "fewer than 12 hours of load and resource together: ask again later, or for a longer range",
    Refusal.NO_RESOURCE: "the resource is not on record: look at its query, and whether it answers",
    Refusal.NO_LOAD: "no replica carried any load: look at the load's query",
    Refusal.LITTLE_SPREAD: "the load of a replica hardly moves, so it shows no curve: type a capacity, or a load test",
    Refusal.ALWAYS_BREACHED: "the limit or SLO is breached at low loads already: mend the service or the limit first",
    Refusal.NOT_RISING: "the resource does not rise with the load: name the resource that the load uses",
    Refusal.NOT_MONOTONE: "the resource falls where the load rises: the two are not of one cause; name another",
    Refusal.NOT_EXPLAINED: "the load explains too little of the resource: name another load or resource",
    Refusal.IDLE_AT_LIMIT: "an idle replica uses as much as the limit: raise the limit, or name another resource",
    Refusal.UNCERTAIN: "days differ too much for one capacity: ask for a longer range, or name another resource",
}


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Means over five minutes of one replica, one after the other.

    load, resource: [lane, sample], NaN = unknown; resource in any unit. limit: [lane], the resource at which a replica
    is full. breached: [lane, sample], its SLO was not kept; a resource above the limit is a breach by itself.
    new_from: [lane], first sample of the pod template that runs now; 0 = of all.
    """

    load: Floats
    resource: Floats
    limit: Floats
    breached: Bools
    new_from: Ints

    def __post_init__(self) -> None:
        lanes, _ = shape = self.load.shape
        if self.resource.shape != shape or self.breached.shape != shape:
            raise ValueError(f"resource and breached are one per sample of the load {shape}")
        if self.limit.shape != (lanes,) or self.new_from.shape != (lanes,):
            raise ValueError(f"limit and new_from are one per lane, {lanes}")
        if not (np.isfinite(self.limit) & (self.limit > 0)).all():
            raise ValueError("a limit is a positive number")
        for values in (self.load, self.resource):
            if np.isinf(values).any() or (values < 0).any():
                raise ValueError("load and resource are not negative and finite, or NaN where unknown")

    def of(self, lanes: slice, known: Bools | None = None) -> Seen:
        """Some lanes; known: [lane, sample], the others are taken for unknown."""
        load = self.load[lanes] if known is None else np.where(known, self.load[lanes], np.nan)
        return Seen(load, self.resource[lanes], self.limit[lanes], self.breached[lanes], self.new_from[lanes])


@dataclass(frozen=True, slots=True)
class LearnedCapacity:
    """One lane's answer. per_replica: what to plan with, in the unit of the load; low, high: its 90 % interval.

    All three are None where refused, with the reason. explained: share of the resource's variance. highest: the most
    that a replica carried without a breach. samples: how many of five minutes. widened: 1, or by how much the interval
    was widened for a new image.
    """

    per_replica: float | None
    low: float | None
    high: float | None
    explained: float
    highest: float
    samples: int
    widened: float
    bound: Bound
    refused: Refusal | None


@dataclass(frozen=True, slots=True, eq=False)
class LearnedCapacities:
    """All [lane], NaN where refused; see LearnedCapacity. refused: an index into Refusal, -1 = accepted."""

    per_replica: Floats
    low: Floats
    high: Floats
    explained: Floats
    highest: Floats
    samples: Ints
    widened: Floats
    bound: Ints
    refused: Ints

    def __getitem__(self, lane: int) -> LearnedCapacity:
        code = int(self.refused[lane])
        values = (None if code >= 0 else float(a[lane]) for a in (self.per_replica, self.low, self.high))
        per, low, high = values
        return LearnedCapacity(
            per, low, high, float(self.explained[lane]), float(self.highest[lane]), int(self.samples[lane]),
            float(self.widened[lane]), tuple(Bound)[int(self.bound[lane])],
            None if code < 0 else tuple(Refusal)[code],
        )  # fmt: skip


def learned(seen: Seen) -> LearnedCapacities:
    """The capacity of every lane, or why there is none. Deterministic; independent of the units of load and resource.

    A new image speaks for itself once it has a day of samples and is accepted on them; until then all samples count,
    the interval is wider and the capacity smaller by up to NEW_IMAGE. Example: CPU of 0.1 + 0.02 × requests, a limit of
    1 core, and replicas seen at up to 50 requests: the curve says 45, so 45; seen at up to 30: 33.
    """
    parts = [_both(seen.of(slice(k, k + LANES_AT_ONCE))) for k in range(0, len(seen.load), LANES_AT_ONCE)]
    if not parts:
        parts = [_learned(seen)]
    return LearnedCapacities(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in LearnedCapacities.__slots__)
    )


def curves(seen: Seen) -> Curves:
    """The curves over all known samples, for pictures and for reading other levels than the limit."""
    known = ~np.isnan(seen.load) & ~np.isnan(seen.resource)
    bins = bins_of(seen.load, known)
    count, load, resource = (sums_by_bin(v, bins)[:, 0] for v in (np.ones_like(seen.load), seen.load, seen.resource))
    return curves_of(count, load, resource)


def explained_by(seen: Seen, found: Curves) -> tuple[Floats, Floats]:
    """[lane], share of the resource's variance that the rising curve explains, and that any curve in its place would.

    Both 0 where nothing varies.
    """
    known = ~np.isnan(seen.load) & ~np.isnan(seen.resource)
    bins = bins_of(seen.load, known)
    count, total = (sums_by_bin(v, bins)[:, 0] for v in (np.ones_like(seen.load), seen.resource))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total.sum(axis=1) / count.sum(axis=1)
        around = (np.where(known, seen.resource - mean[:, None], 0.0) ** 2).sum(axis=1)
        varies = np.sqrt(around / count.sum(axis=1)) > ROUNDING * mean

        def share(expected: Floats) -> Floats:
            rest = np.where(known, seen.resource - expected, 0.0)
            return np.where(varies, np.maximum(0.0, 1 - (rest**2).sum(axis=1) / around), 0.0)

        of_bins = np.concatenate((total / count, np.zeros((len(mean), 1))), axis=1)
        return share(found.level_at(seen.load)), share(np.take_along_axis(of_bins, bins, axis=1))


def _both(seen: Seen) -> LearnedCapacities:
    """By the samples of the new image where they do, else by all of them, widened."""
    at = np.arange(seen.load.shape[1])
    fresh = at >= seen.new_from[:, None]
    by_all = _learned(seen)
    if (seen.new_from <= 0).all():
        return by_all
    by_new = _learned(seen.of(slice(None), fresh))
    alone = (seen.new_from <= 0) | ((by_new.samples >= ENOUGH_NEW) & (by_new.refused < 0))
    faded = np.where(by_new.samples >= ENOUGH_NEW, 0.0, by_new.samples / ENOUGH_NEW)
    wider = np.where(alone, 1.0, NEW_IMAGE ** (1 - faded))
    mixed = {n: np.where(alone, getattr(by_new, n), getattr(by_all, n)) for n in LearnedCapacities.__slots__}
    mixed |= {
        "per_replica": mixed["per_replica"] / wider,
        "low": mixed["low"] / wider,
        "high": mixed["high"] * wider,
        "widened": wider,
    }
    return LearnedCapacities(**mixed)


def _learned(seen: Seen) -> LearnedCapacities:
    known = ~np.isnan(seen.load) & ~np.isnan(seen.resource)
    samples = known.sum(axis=1)
    load, resource = np.where(known, seen.load, 0.0), np.where(known, seen.resource, 0.0)
    bins = bins_of(seen.load, known)
    found = curves(seen)
    explained, at_best = explained_by(seen, found)
    highest, onset = _highest(seen, known, bins)
    cap = np.minimum(BEYOND_SEEN * highest, onset)
    at_limit = found.load_at(seen.limit)
    per = np.fmin(at_limit, cap)
    low, high = (np.fmin(edge, cap) for edge in _interval(seen, load, resource, bins))
    low, high = np.fmin(low, per), np.fmax(high, per)
    bound = np.where(at_limit <= cap, 0, np.where(onset < BEYOND_SEEN * highest, 2, 1))
    with np.errstate(invalid="ignore"):
        falls = ~(found.slope * found.load[:, -1] > ROUNDING * found.level[:, -1])
        turns = explained < LEAST_STEADY * at_best
        failing = {
            Refusal.NO_RESOURCE: np.isnan(seen.resource).all(axis=1),
            Refusal.FEW_SAMPLES: samples < LEAST_SAMPLES,
            Refusal.NO_LOAD: load.max(axis=1, initial=0.0) <= 0,
            Refusal.LITTLE_SPREAD: _spread(load, known) < LEAST_SPREAD,
            Refusal.ALWAYS_BREACHED: ~(highest > 0),
            Refusal.NOT_RISING: falls & ((at_best >= LEAST_EXPLAINED) | (at_best <= 0)),
            Refusal.NOT_EXPLAINED: (at_best < LEAST_EXPLAINED) | ((explained < LEAST_EXPLAINED) & ~turns),
            Refusal.NOT_MONOTONE: turns,
            Refusal.IDLE_AT_LIMIT: ~(at_limit > 0),
            Refusal.UNCERTAIN: (high - low) > WIDEST * per,
        }
    codes = {reason: k for k, reason in enumerate(Refusal)}
    refused = np.select(list(failing.values()), [codes[r] for r in failing], -1)
    no = refused >= 0
    per, low, high = (np.where(no, np.nan, a) for a in (per, low, high))
    return LearnedCapacities(
        per, low, high, explained, highest, samples, np.ones(len(per)), bound.astype(np.int64), refused.astype(np.int64)
    )


def _spread(load: Floats, known: Bools) -> Floats:
    """[lane], (98th − 5th percentile) ÷ 98th of the known loads; 0 without load."""
    ordered = np.sort(np.where(known, load, np.inf), axis=1)
    count = np.maximum(known.sum(axis=1), 1)
    low, high = (
        np.take_along_axis(ordered, np.minimum((share * count).astype(np.int64), count - 1)[:, None], 1)[:, 0]
        for share in (0.05, 0.98)
    )
    usual = np.isfinite(high) & (high > 0)
    return np.where(usual, 1 - np.where(usual, low, 0.0) / np.where(usual, high, 1.0), 0.0)


def _highest(seen: Seen, known: Bools, bins: Ints) -> tuple[Floats, Floats]:
    """[lane], the highest load without a breach below where breaches begin, and where they do (inf = nowhere)."""
    breached = known & (seen.breached | (np.nan_to_num(seen.resource) > seen.limit[:, None]))
    count = sums_by_bin(np.ones_like(seen.load), bins)[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = rising(sums_by_bin(breached.astype(np.float64), bins)[:, 0] / count, count)
        unsafe = share > BREACHED_SHARE
    first = np.where(unsafe.any(axis=1), unsafe.argmax(axis=1), BINS)[:, None]
    onset = np.where(breached & (bins >= first), seen.load, np.inf).min(axis=1, initial=np.inf)
    good = known & ~breached & (seen.load < onset[:, None]) & (first >= LOWEST_BINS)
    return np.where(good, seen.load, 0.0).max(axis=1, initial=0.0), onset


def _interval(seen: Seen, load: Floats, resource: Floats, bins: Ints) -> tuple[Floats, Floats]:
    """[lane] twice: the 90 % interval of the load at the limit over parts drawn anew.

    A bootstrap of whole days (of eighths of a shorter record): what makes one hour unlike another lasts longer than it.
    """
    samples = load.shape[1]
    parts = max(LEAST_PARTS, samples // A_DAY)
    part = np.arange(samples) * parts // max(samples, 1)
    sums_of_parts = [sums_by_bin(v, bins, part, parts) for v in (np.ones_like(load), load, resource)]
    drawn = np.random.default_rng(0).multinomial(parts, np.full(parts, 1 / parts), size=DRAWS)
    # a trace of the whole keeps bins that no drawn part has from being empty
    weights = drawn + 0.01
    sums = [np.einsum("np,lpb->lnb", weights, s) for s in sums_of_parts]
    at_limit = curves_of(*sums).load_at(np.repeat(seen.limit[:, None], DRAWS, axis=1))
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(np.where(np.isnan(at_limit), np.inf, at_limit), _INTERVAL, axis=1, method="nearest")
    return low, high
