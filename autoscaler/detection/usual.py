"""What a series reached, and how steeply it climbed, on the ordinary days of the last weeks, and at which hours.

An engine's own expectation follows the newest values, so it cannot say how far an hour-long event is from a usual
day; these numbers can. They cannot be raised by an event: its steps are left out for as long as it lasts. Only days
that are over count, so that a block and its steps one by one tell the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.series import Bools, Floats, Ints

DAY_S = 86_400
KEPT_DAYS = 14
CLIMB_S = 1800
"""A climb is judged over half an hour: what takes longer, replicas can follow."""
MOVED, FEW_DAYS, LEAST_DAYS = 1.5, 3, 8
"""A baseline has moved when the last few days reach so many times what the first few did, of at least so many."""
HOURS_DAYS = 7
SLOT_S = 1800
SLOTS = DAY_S // SLOT_S


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """Of the days before this one; NaN = not known.

    highest, steepest: [row]. known_days: [row], how many they are. climb: [row, step], each value over that half an
    hour ago. most, least: [row, step], at this time of the day, half an hour sooner or later, on the last seven days.
    typical: [row, step], the median of those days.
    """

    highest: Floats
    steepest: Floats
    known_days: Ints
    climb: Floats
    most: Floats
    least: Floats
    typical: Floats


@dataclass(slots=True)
class Usual:
    """rows: how many. State: daily maxima, the newest half an hour, the range of each half an hour of seven days."""

    step_s: int
    rows: int
    _high: Floats = field(init=False)
    _steep: Floats = field(init=False)
    _most: NDArray[np.float32] = field(init=False)
    _least: NDArray[np.float32] = field(init=False)
    _recent: Floats = field(init=False)
    _day: int = -1
    _next: int = -1

    def __post_init__(self) -> None:
        self._high, self._steep = (np.full((self.rows, KEPT_DAYS + 1), np.nan) for _ in range(2))
        shape = (self.rows, HOURS_DAYS + 1, SLOTS)
        self._most, self._least = (np.full(shape, np.nan, dtype=np.float32) for _ in range(2))
        self._recent = np.full((self.rows, self.climb_steps), np.nan)

    @property
    def climb_steps(self) -> int:
        return max(1, CLIMB_S // self.step_s)

    def reached(self, first_step: int, values: Floats) -> Reached:
        """What was usual before the day of a block that comes next. values: [row, step], all of one day."""
        self._turn(first_step * self.step_s // DAY_S)
        climb = _climbs(self._before(first_step), values, self.climb_steps)
        slots = self._slots(first_step, values.shape[1])
        return Reached(
            highest=_most(self._high[:, :-1]),
            steepest=_most(self._steep[:, :-1]),
            known_days=np.isfinite(self._high[:, :-1]).sum(axis=1),
            climb=climb,
            most=_around(self._most[:, :-1], slots, np.fmax),
            least=_around(self._least[:, :-1], slots, np.fmin),
            typical=_median((self._most[:, :-1] + self._least[:, :-1]) / np.float32(2), slots),
        )

    def learn(self, first_step: int, values: Floats, left_out: Bools) -> None:
        """Take a block of one day in. left_out: [row, step], what is not ordinary."""
        climb = _climbs(self._before(first_step), values, self.climb_steps)
        self._turn(first_step * self.step_s // DAY_S)
        taken = np.where(left_out, np.nan, values)
        for kept, new in ((self._high, taken), (self._steep, np.where(left_out, np.nan, climb))):
            kept[:, -1] = np.fmax(kept[:, -1], _most(new))
        slots = self._slots(first_step, values.shape[1])
        for slot in np.unique(slots).tolist():
            here = taken[:, slots == slot]
            self._most[:, -1, slot] = np.fmax(self._most[:, -1, slot], _most(here))
            self._least[:, -1, slot] = np.fmin(self._least[:, -1, slot], -_most(-here))
        joined = np.concatenate((self._before(first_step), values), axis=1)
        self._recent = joined[:, -self.climb_steps :].copy()
        self._next = first_step + values.shape[1]

    def moved(self) -> Floats:
        """[2, row], daily maxima of the first and of the last known days where they differ by MOVED times; else NaN."""
        days = self._high[:, :-1]
        known = np.isfinite(days)
        count = known.sum(axis=1)
        rank = np.cumsum(known, axis=1)
        ends = (known & (rank <= FEW_DAYS), known & (rank > count[:, None] - FEW_DAYS))
        first, last = (_middle(np.where(end, days, np.nan)) for end in ends)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.fmax(last / first, first / last)
        far = (count >= LEAST_DAYS) & (ratio >= MOVED)
        return np.where(far, np.stack([first, last]), np.nan)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """First axis the row; about 4 kB each."""
        stamp = np.tile(np.array([self._day, self._next], dtype=np.int64), (self.rows, 1))
        return {name: array.astype(np.float32) for name, array in self._kept.items()} | {"stamp": stamp}

    @property
    def _kept(self) -> dict[str, NDArray[Any]]:
        return {
            "high": self._high, "steep": self._steep, "recent": self._recent, "most": self._most, "least": self._least
        }  # fmt: skip

    def restore(self, saved: Mapping[str, NDArray[Any]], here: Ints, there: Ints) -> None:
        """Rows `there` of what was saved become rows `here`; ValueError when it is of another grid."""
        if not len(here):
            return
        mine = self._kept
        if any(saved[name].shape[1:] != array.shape[1:] for name, array in mine.items()):
            raise ValueError("what was usual was kept on another grid")
        self._day, self._next = (int(n) for n in saved["stamp"][there[0]])
        for name, array in mine.items():
            array[here] = saved[name][there]

    def _turn(self, day: int) -> None:
        """A new day begins: the oldest is forgotten, and days of which nothing was seen are not known."""
        gone = day - self._day if self._day >= 0 else KEPT_DAYS + 1
        if gone <= 0:
            return
        for kept in (self._kept[name] for name in ("high", "steep", "most", "least")):
            shift = min(gone, kept.shape[1])
            kept[:, : kept.shape[1] - shift] = kept[:, shift:].copy()
            kept[:, kept.shape[1] - shift :] = np.nan
        self._day = day

    def _slots(self, first_step: int, steps: int) -> Ints:
        """[step], which half an hour of the day."""
        return np.asarray((first_step + np.arange(steps)) * self.step_s % DAY_S // SLOT_S)

    def _before(self, first_step: int) -> Floats:
        """The newest half an hour before first_step; steps that were skipped are not known."""
        skipped = first_step - self._next if self._next >= 0 else self.climb_steps
        if skipped <= 0:
            return self._recent
        empty = np.full((self.rows, min(skipped, self.climb_steps)), np.nan)
        return np.concatenate((self._recent, empty), axis=1)[:, -self.climb_steps :]


def by_day(first_step: int, end_step: int, step_s: int) -> list[tuple[int, int]]:
    """The steps [first, end) cut at the midnights of UTC."""
    per_day = max(1, DAY_S // step_s)
    cuts = [first_step, *range((first_step // per_day + 1) * per_day, end_step, per_day), end_step]
    return [(a, b) for a, b in pairwise(cuts) if a < b]


def _climbs(back: Floats, values: Floats, steps: int) -> Floats:
    """[row, step], each value over that `steps` before."""
    joined = np.concatenate((back, values), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = joined[:, steps:] / joined[:, : values.shape[1]]
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _most(values: Floats) -> Floats:
    """[row], NaN where nothing is known."""
    return np.asarray(np.fmax.reduce(values, axis=1, initial=np.nan))


def _around(days: NDArray[np.float32], slots: Ints, pick: np.ufunc) -> Floats:
    """[row, step], of all days, at a slot and its two neighbours."""
    per_slot = pick.reduce(days, axis=1)
    wide = pick(per_slot, pick(np.roll(per_slot, 1, axis=1), np.roll(per_slot, -1, axis=1)))
    return np.asarray(wide[:, slots], dtype=np.float64)


def _middle(values: Floats) -> Floats:
    """[row], the median of what is known; NaN where nothing is."""
    ordered = np.sort(values, axis=1)
    known = np.isfinite(ordered).sum(axis=1)
    at = np.maximum(known - 1, 0)
    low, high = (np.take_along_axis(ordered, k[:, None], axis=1)[:, 0] for k in (at // 2, (at + 1) // 2))
    return np.asarray((low + high) / 2)


def _median(days: NDArray[np.floating[Any]], slots: Ints) -> Floats:
    """[row, step], of the days that are known; NaN where none is."""
    used = np.unique(slots)
    ordered = np.sort(days[:, :, used], axis=1)  # NaN comes last
    known = np.isfinite(ordered).sum(axis=1)
    middle = np.maximum(known - 1, 0)
    low, high = (np.take_along_axis(ordered, at[:, None, :], axis=1)[:, 0] for at in (middle // 2, (middle + 1) // 2))
    return np.asarray(((low + high) / 2)[:, np.searchsorted(used, slots)], dtype=np.float64)
