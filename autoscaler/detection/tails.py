"""How far out a number lies in what was seen before: -log p of both tails, from a few order statistics of each row.

Source: ECOD, Li et al. (TKDE 2022): unsupervised outlier detection by empirical cumulative distributions, summed over
dimensions; and COPOD, Li et al. (ICDM 2020). Beyond the largest value seen, -log p goes on along an exponential tail,
slowed down: what was never seen is odd, but how odd is a guess.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection.shape import Reals
from autoscaler.domain.series import Floats

LEVELS: Final = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002)
"""Tail probabilities whose order statistics are kept, beside the extreme itself."""
KEPT: Final = len(LEVELS) + 2
"""Numbers kept for a tail: the order statistics, the extreme, and the mean excess over the one of 0.05."""
BEYOND: Final = 0.25
"""Share of an exponential tail's growth beyond the extreme."""
MOST_BEYOND: Final = 5.0
"""Most that a value beyond the extreme adds to -log p."""
_FROM: Final = LEVELS.index(0.05)
Packed = NDArray[np.float32]


def learned(sample: Reals, low: Reals, high: Reals) -> Packed:
    """[…, 2, KEPT], the left and the right tail of sample [..., n] (NaN = not known; fewer than 20 known: all NaN).

    low, high: [...], the extremes seen, which a thinned sample may lack. The left tail is kept with its sign turned.
    """
    count = np.count_nonzero(~np.isnan(sample), axis=-1)
    ordered = np.sort(sample, axis=-1)
    out = np.full((*sample.shape[:-1], 2, KEPT), np.nan, dtype=np.float32)
    last = np.maximum(count - 1, 0)
    for side in (0, 1):
        for k, level in enumerate(LEVELS):
            at = np.floor(level * last) if side == 0 else np.ceil((1 - level) * last)
            found = np.take_along_axis(ordered, at.astype(np.int64)[..., None], axis=-1)[..., 0]
            out[..., side, k] = -found if side == 0 else found
        edge = out[..., side, _FROM, None]
        signed = -ordered if side == 0 else ordered
        over = np.where(signed >= edge, signed - edge, np.nan)
        with np.errstate(invalid="ignore"):
            excess = np.nansum(over, axis=-1) / np.maximum(np.count_nonzero(~np.isnan(over), axis=-1), 1)
        body = out[..., side, _FROM] - out[..., side, 0]
        out[..., side, -2] = -low if side == 0 else high
        out[..., side, -1] = np.maximum(excess, 0.1 * body)
    out[count < 20] = np.nan
    return out


def surprise(tails: Packed, values: Reals, sample: Reals) -> tuple[Floats, Floats]:
    """-log p (natural) of values [..., step] in the left and the right tail; NaN where a value or the tail is unknown.

    sample: [...], how many values the tails were learned from: p of the extreme is one of so many.
    """
    return _one(tails[..., 0, :], -values, sample), _one(tails[..., 1, :], values, sample)


def _one(tail: Packed, values: Reals, sample: Reals) -> Floats:
    kept = tail.astype(np.float64)
    marks = np.append(-np.log(LEVELS), 0.0)
    out = np.zeros(values.shape)
    extreme = np.log(np.maximum(sample, 2.0))[..., None]
    for k in range(len(LEVELS)):
        here, there = kept[..., k, None], kept[..., k + 1, None]
        rise = marks[k + 1] - marks[k] if k + 1 < len(LEVELS) else np.maximum(extreme - marks[k], 0.0)
        share = _share(values, here, there)
        share *= rise
        out += share
    start = np.minimum(marks[0], extreme)
    beyond = np.maximum(values - kept[..., -2, None], 0.0)
    width = kept[..., -1, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        more = np.where(beyond > 0, np.minimum(BEYOND * beyond / width, MOST_BEYOND), 0.0)
    out = np.minimum(out + np.where(values >= kept[..., 0, None], start, 0.0), extreme) + more
    out[~np.isfinite(values) | np.isnan(kept[..., 0, None])] = np.nan
    return out


def _share(values: Reals, here: Floats, there: Floats) -> Floats:
    """How far values have come from `here` to `there`, 0 … 1; where the two are one, all the way once above."""
    width = there - here
    wide = width > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.asarray(values - here)
        share /= np.where(wide, width, 1.0)
        if not wide.all():
            share = np.where(wide, share, values > here)
    return np.clip(share, 0.0, 1.0, out=share)


def ecod(left: Floats, right: Floats) -> Floats:
    """The larger of the sums over the first axis: odd in one direction. NaN where nothing is known."""
    none = np.isnan(left).all(axis=0)
    out = np.maximum(np.nansum(left, axis=0), np.nansum(right, axis=0))
    out[none] = np.nan
    return out


def copod(left: Floats, right: Floats) -> Floats:
    """The sum over the first axis of each one's larger tail: odd in any mixture of directions."""
    none = np.isnan(left).all(axis=0)
    out = np.nansum(np.fmax(left, right), axis=0)
    out[none] = np.nan
    return out
