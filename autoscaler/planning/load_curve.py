"""What a replica uses at which load: a rising curve with an idle intercept, for a whole fleet at once.

Isotonic regression of resource on load (least squares under "never falls"; Barlow, Bartholomew, Bremner, Brunk 1972)
over bins of the samples by load, narrower towards the top, where capacity is decided. It needs no form of the curve, so
that CPU (a line) and latency (flat, then steep) go the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints

SHARES: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
"""Edges of the bins, as shares of a lane's known samples in the order of load."""
BINS: Final = len(SHARES) - 1
UPPER: Final = BINS // 2
"""From this bin on is the upper half, whose slope counts beyond what was seen: a curve that bends goes on bending."""


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """One rising curve per lane, in each lane's own units; NaN throughout where a lane has too few samples.

    idle, slope: [lane], resource without load, and its rise per unit of load over all. load, level: [lane, bin], its
    points, rising; points that had to be pooled to rise stand at their common mean. steepest: [lane], slope beyond
    the last point; not positive = it does not rise.
    """

    idle: Floats
    slope: Floats
    load: Floats
    level: Floats
    steepest: Floats

    def load_at(self, level: Floats) -> Floats:
        """[lane], least load at which the curve reaches `level` [lane]: 0 below idle, inf where it never does."""
        zero = np.zeros_like(self.idle)[..., None]
        x = np.concatenate((zero, self.load), axis=-1)
        y = np.concatenate((self.idle[..., None], self.level), axis=-1)
        wanted = np.broadcast_to(np.asarray(level, dtype=np.float64), self.idle.shape)[..., None]
        reached = y >= wanted
        at = np.where(reached.any(axis=-1), reached.argmax(axis=-1), BINS)[..., None]
        low = np.maximum(at - 1, 0)
        x0, x1, y0, y1 = (np.take_along_axis(a, k, -1)[..., 0] for a, k in ((x, low), (x, at), (y, low), (y, at)))
        wanted = wanted[..., 0]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            inside = x0 + (x1 - x0) * (wanted - y0) / (y1 - y0)
            rises = self.steepest > 0
            beyond = np.where(rises, x[..., -1] + (wanted - y[..., -1]) / np.where(rises, self.steepest, 1.0), np.inf)
        found = np.where(reached[..., 0], 0.0, np.where(reached.any(axis=-1), inside, beyond))
        return np.where(np.isnan(self.idle) | np.isnan(wanted), np.nan, found)

    def level_at(self, load: Floats) -> Floats:
        """[lane, point], the curve at `load` [lane, point]; NaN where either is unknown."""
        zero = np.zeros_like(self.idle)[:, None]
        x = np.concatenate((zero, self.load), axis=1)
        y = np.concatenate((self.idle[:, None], self.level), axis=1)
        at = np.zeros(load.shape, dtype=np.int64)
        for knot in range(BINS):  # points are few, samples are many
            at += load >= x[:, knot + 1, None]
        after = np.minimum(at + 1, BINS)
        x0, x1, y0, y1 = (np.take_along_axis(a, k, 1) for a, k in ((x, at), (x, after), (y, at), (y, after)))
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(x1 > x0, (y1 - y0) / (x1 - x0), 0.0)
        slope = np.where(at == BINS, np.maximum(self.steepest, 0.0)[:, None], slope)
        return np.asarray(np.where(np.isnan(self.idle)[:, None], np.nan, y0 + slope * (load - x0)))


def bins_of(load: Floats, known: Bools) -> Ints:
    """[lane, sample], the bin of each known sample by the order of its load; BINS where it is not known."""
    lanes, samples = load.shape
    order = np.argsort(np.where(known, load, np.inf), axis=1, kind="stable")
    rank = np.empty((lanes, samples), dtype=np.int64)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(samples), (lanes, samples)), axis=1)
    share = (rank + 0.5) / np.maximum(known.sum(axis=1), 1)[:, None]
    found = np.searchsorted(SHARES[1:-1], share, side="right")
    return np.where(known, found, BINS)


def sums_by_bin(values: Floats, bins: Ints, group: Ints | None = None, groups: int = 1) -> Floats:
    """[lane, group, bin], the sum of `values` [lane, sample] over known samples. group: [sample]."""
    lanes = len(values)
    wide = BINS + 1
    of = np.zeros(values.shape[1], dtype=np.int64) if group is None else group
    flat = (np.arange(lanes)[:, None] * groups + of) * wide + bins
    found = np.bincount(flat.ravel(), np.where(bins < BINS, values, 0.0).ravel(), minlength=lanes * groups * wide)
    return np.asarray(found.reshape(lanes, groups, wide)[..., :BINS])


def rising(means: Floats, weights: Floats) -> Floats:
    """[..., bin], the closest series to `means` that never falls (weighted least squares), by the max-min formula.

    Example: 1, 3, 2, 4 of equal weight become 1, 2.5, 2.5, 4. NaN where a whole tail has no weight.
    """
    bins = means.shape[-1]
    zero = np.zeros((*means.shape[:-1], 1))
    sums = np.concatenate((zero, np.cumsum(np.where(weights > 0, means * weights, 0.0), axis=-1)), axis=-1)
    total = np.concatenate((zero, np.cumsum(weights, axis=-1)), axis=-1)
    start, end = np.arange(bins)[:, None], np.arange(bins)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (sums[..., None, 1:] - sums[..., :-1, None]) / (total[..., None, 1:] - total[..., :-1, None])
    mean = np.where((start <= end) & np.isfinite(mean), mean, np.inf)
    least = np.minimum.accumulate(mean[..., ::-1], axis=-1)[..., ::-1]
    found = np.where(start <= end, least, -np.inf).max(axis=-2)
    # a cumulative sum rounds: what was level stays level
    return np.where(np.isfinite(found), np.maximum.accumulate(found, axis=-1), np.nan)


def curves_of(count: Floats, load: Floats, resource: Floats) -> Curves:
    """From sums per bin, all [..., bin]: the number of samples, their load, their resource."""
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = load / count, resource / count
        slope, start = _line(count, x, y)
        steepest = np.fmax(slope, _line(count[..., UPPER:], x[..., UPPER:], y[..., UPPER:])[0])
        level = rising(y, count)
        # points that were pooled are one
        same = np.isclose(level[..., :, None], level[..., None, :], rtol=1e-12, atol=0.0)
        x = (same * (count * x)[..., None, :]).sum(axis=-1) / (same * count[..., None, :]).sum(axis=-1)
    return Curves(np.clip(start, 0.0, level[..., 0]), slope, x, level, steepest)


def _line(count: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Slope and value at zero of the weighted least-squares line; slope 0 where x does not vary."""
    total = count.sum(axis=-1)
    mean_x, mean_y = (count * x).sum(axis=-1) / total, (count * y).sum(axis=-1) / total
    off = x - mean_x[..., None]
    spread = (count * off * off).sum(axis=-1)
    slope = np.where(spread > 0, (count * off * (y - mean_y[..., None])).sum(axis=-1) / spread, 0.0)
    slope = np.where(np.isnan(mean_x), np.nan, slope)
    return slope, mean_y - slope * mean_x
