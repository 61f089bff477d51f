"""The recent course of series as numbers without a unit: scale, carried holes, trailing windows, ten features of them.

Windows are counted in steps. Sums are added up in one fixed order at every step, so that a block and its single steps
give the same numbers to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.series import Bools, Floats

Reals = NDArray[np.floating[Any]]
"""Double precision where scores are made, single where it is only learned."""
SHORT, MIDDLE, LONG = 6, 24, 96
"""Windows in steps: half an hour, two hours and eight at five minutes."""
CARRIED: Final = 24
"""Steps over which the last value stands in a hole; beyond, what needs a value says nothing."""
REACH: Final = LONG + MIDDLE + CARRIED
"""Steps before a step that its features may depend on."""
LEAST: Final = 150
"""Known steps without which nothing is learned of a row."""
CLIP: Final = 50.0
"""Scales from the centre beyond which a value is no odder."""
FEATURES: Final = (
    "value", "mean of 6", "mean of 24", "mean of 96", "spread of 6", "spread of 24", "step",
    "change of mean of 6", "change of mean of 24", "value against mean of 96",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """How a row's unit is taken away: z = (x - centre) / width; all [row]. NaN where too little is known."""

    centre: Floats
    width: Floats

    @staticmethod
    def of(values: Floats) -> Scale:
        """Median, and the quartiles' distance as of a normal (never below a fifth of the standard deviation)."""
        rows = values.shape[0]
        centre, width = np.full(rows, np.nan), np.full(rows, np.nan)
        enough = np.flatnonzero(np.count_nonzero(~np.isnan(values), axis=1) >= LEAST)
        if len(enough):
            known = values[enough]
            low, middle, high = _quartiles(known)
            away = np.abs(known - middle[:, None])
            most = np.fmax.reduce(away, axis=1)
            most = np.where(most > 0, most, 1.0)
            deviation = most * np.sqrt(np.nanmean((away / most[:, None]) ** 2, axis=1))
            wide = np.maximum((high - low) / 1.349, 0.2 * deviation)
            tiny = 1e-13 * np.abs(middle)
            centre[enough], width[enough] = middle, np.where(wide > tiny, wide, np.where(tiny > 0, tiny, 1.0))
        return Scale(centre, width)

    def taken(self, values: Floats) -> Floats:
        """[row, step] without unit, clipped."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.clip((values - self.centre[:, None]) / self.width[:, None], -CLIP, CLIP)


def _quartiles(values: Floats) -> tuple[Floats, Floats, Floats]:
    """[row] each, of what is known. A sort puts NaN last, so that rows of unlike lengths need no loop."""
    ordered = np.sort(values, axis=1)
    count = np.count_nonzero(~np.isnan(values), axis=1)
    low, middle, high = (
        np.take_along_axis(ordered, (q * (count - 1)).astype(np.int64)[:, None], axis=1)[:, 0]
        for q in (0.25, 0.5, 0.75)
    )
    return low, middle, high


def carried(values: Reals, most: int = CARRIED) -> Reals:
    """[row, step], holes of up to `most` steps filled with the value before them."""
    if not np.isnan(values).any():
        return values
    steps = np.arange(values.shape[1])
    at = np.maximum.accumulate(np.where(np.isnan(values), -1, steps), axis=1)
    found = np.take_along_axis(values, np.maximum(at, 0), axis=1)
    return np.where((at >= 0) & (steps - at <= most), found, np.nan)


def lagged(values: Reals, back: int) -> Reals:
    """[row, step], what stood `back` steps before; NaN before the beginning."""
    out = np.full_like(values, np.nan)
    if back < values.shape[1]:
        out[:, back:] = values[:, : values.shape[1] - back]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Trailing means [row, step] over SHORT, MIDDLE and LONG steps of what is known; NaN where less than half is."""

    short: Reals
    middle: Reals
    long: Reals

    @staticmethod
    def of(values: Reals) -> Means:
        known = ~np.isnan(values)
        if known.all():
            steps = np.arange(1, values.shape[1] + 1).astype(values.dtype)
            counts = tuple(np.minimum(steps, width) for width in (SHORT, MIDDLE, LONG))
            totals = _totals(values)
        else:
            counts = _totals(known.astype(values.dtype))
            totals = _totals(np.where(known, values, 0.0))
        return Means(
            *(_mean(t, n, w) for t, n, w in zip(totals, counts, (SHORT, MIDDLE, LONG), strict=True)),
        )


def _mean(total: Reals, count: Reals, width: int) -> Reals:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count * 2 >= width, total / count, np.nan)


def _totals(values: Reals) -> tuple[Reals, Reals, Reals]:
    """Trailing sums over 6, 24 = 4 · 6 and 96 = 4 · 24 steps. Before the beginning stands zero."""
    short = values.copy()
    for back in range(1, SHORT):
        short[:, back:] += values[:, :-back]
    middle = _four(short, SHORT)
    return short, middle, _four(middle, MIDDLE)


def _four(sums: Reals, width: int) -> Reals:
    out = sums.copy()
    for k in range(1, 4):
        if k * width < sums.shape[1]:
            out[:, k * width :] += sums[:, : -k * width]
    return out


def features(z: Reals, new: int) -> Reals:
    """[feature, row, step] of the last `new` steps of z [row, step], which is carried and without unit."""
    if new == 1 and z.shape[1] >= LONG + MIDDLE:
        return _features_now(z)
    means, squares = Means.of(z), Means.of(z * z)
    with np.errstate(invalid="ignore"):
        spread_short = np.sqrt(np.maximum(squares.short - means.short**2, 0.0))
        spread_middle = np.sqrt(np.maximum(squares.middle - means.middle**2, 0.0))
    found = (
        z, means.short, means.middle, means.long, spread_short, spread_middle, z - lagged(z, 1),
        means.short - lagged(means.short, SHORT), means.middle - lagged(means.middle, MIDDLE), z - means.long,
    )  # fmt: skip
    return np.stack([f[:, f.shape[1] - new :] for f in found])


def _features_now(z: Reals) -> Reals:
    """As `features` of the last step alone, to the last bit, from sums that end there and none between."""
    (short, earlier, middle, before, long), (short_squares, _, middle_squares, _, _) = _ending(z), _ending(z * z)
    now, last = z[:, -1], z[:, -2]
    with np.errstate(invalid="ignore"):
        spread_short = np.sqrt(np.maximum(short_squares - short**2, 0.0))
        spread_middle = np.sqrt(np.maximum(middle_squares - middle**2, 0.0))
    found = (
        now, short, middle, long, spread_short, spread_middle, now - last, short - earlier, middle - before, now - long,
    )  # fmt: skip
    return np.stack(found)[:, :, None]


def _ending(values: Reals) -> tuple[Reals, ...]:
    """[row] each: means of 6 steps, that end at the last one and 6 before; of 24, at the last and 24 before; of 96."""
    near = values[:, values.shape[1] - LONG - MIDDLE :]
    known = ~np.isnan(near)
    sums = _ending_sums(np.where(known, near, 0.0))
    counts = _ending_sums(known.astype(values.dtype))
    widths = (SHORT, SHORT, MIDDLE, MIDDLE, LONG)
    return tuple(_mean(s, c, w) for s, c, w in zip(sums, counts, widths, strict=True))


def _ending_sums(near: Reals) -> tuple[Reals, ...]:
    parts = near.reshape(len(near), -1, SHORT)[:, ::-1]
    short = parts[:, :, -1].copy()
    for back in range(1, SHORT):
        short += parts[:, :, -1 - back]
    middle = short[:, 0::4] + short[:, 1::4]
    middle += short[:, 2::4]
    middle += short[:, 3::4]
    long = middle[:, 0] + middle[:, 1]
    long += middle[:, 2]
    long += middle[:, 3]
    return short[:, 0], short[:, 1], middle[:, 0], middle[:, 1], long


def enough(values: Reals) -> Bools:
    """[row], whether enough is known to learn from."""
    return np.asarray(np.count_nonzero(~np.isnan(values), axis=1) >= LEAST)
