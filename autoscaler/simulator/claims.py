"""What may be claimed: your HPA as set, your HPA retuned in hindsight at our risk, and Foresail; with intervals.

Intervals come from drawing whole days (UTC) again with replacement, the same days for both sides of a comparison:
shortages come in spells, and a quiet week is quiet for everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats, Ints
from autoscaler.simulator.comparison import Entry
from autoscaler.simulator.figures import DAY_S, INTERVAL, LEAST_DAYS, RESAMPLES, SEED, Served

NOT_COMPARABLE: Final = "no equal-risk comparison possible"


@dataclass(frozen=True, slots=True)
class Interval:
    """value, and 95 % over resampled days; low and high are None below LEAST_DAYS days."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One row. saving: share of the first row's replica-hours that is not needed; None in that row.

    short_minutes: time short of capacity; avoided_minutes: less of it than the first row has.
    """

    title: str
    entry: Entry
    replica_hours: Interval
    short_minutes: Interval
    saving: Interval | None = None
    avoided_minutes: Interval | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """rows: as set, retuned (where a rung keeps our risk), Foresail. caveat: why a row is missing or weak."""

    rows: tuple[Claim, ...]
    caveats: tuple[str, ...] = ()


def claims(as_set: Entry, retuned: Entry | None, ours: Entry, titles: tuple[str, str, str]) -> Claims:
    """titles: of the three rows. Without any observed shortage nothing can be said at equal risk, and that is said."""
    caveats = []
    if not (as_set.served.short.any() or ours.served.short.any()):
        caveats.append(f"{NOT_COMPARABLE}: no shortage was observed, neither with the HPA as set nor with Foresail")
    elif retuned is None:
        caveats.append(f"{NOT_COMPARABLE}: at no target did the HPA keep a shortage as small as ours")
    rows = [_claim(titles[0], as_set, None)]
    if retuned is not None:
        rows.append(_claim(titles[1], retuned, as_set))
    rows.append(_claim(titles[2], ours, as_set))
    if rows[0].replica_hours.low is None:
        caveats.append(f"no intervals: the scored part has fewer than {LEAST_DAYS} days")
    return Claims(tuple(rows), tuple(caveats))


def _claim(title: str, entry: Entry, base: Entry | None) -> Claim:
    days = _Days(entry.served)
    hours, minutes = days.total(entry.served.running, "hours"), days.total(entry.served.short, "minutes")
    if base is None:
        return Claim(title, entry, days.interval(hours), days.interval(minutes))
    base_hours = days.total(base.served.running, "hours")
    base_minutes = days.total(base.served.short, "minutes")
    return Claim(
        title,
        entry,
        days.interval(hours),
        days.interval(minutes),
        days.saving(hours, base_hours),
        days.interval(base_minutes - minutes),
    )


class _Days:
    """Sums by calendar day over the scored steps, and what they become when days are drawn again."""

    def __init__(self, served: Served) -> None:
        self._scored = served.scored
        at = (served.first_step + np.arange(len(self._scored))) * served.step_s // DAY_S
        days, self._block = np.unique(at[self._scored], return_inverse=True)
        self._count, self._step_s = len(days), served.step_s
        self._drawn: Floats | None = None
        if self._count >= LEAST_DAYS:
            even = np.full(self._count, 1 / self._count)
            drawn = np.random.default_rng(SEED).multinomial(self._count, even, size=RESAMPLES)
            self._drawn = drawn.astype(np.float64)

    def total(self, values: Ints | Floats | np.ndarray[tuple[int, ...], np.dtype[np.bool_]], unit: str) -> Floats:
        """[day], sum over the day's scored steps, times the length of a step in `unit`."""
        length = self._step_s / (3600 if unit == "hours" else 60)
        weights = values[self._scored].astype(np.float64)
        return np.asarray(np.bincount(self._block, weights=weights, minlength=self._count) * length)

    def interval(self, by_day: Floats) -> Interval:
        if self._drawn is None:
            return Interval(float(by_day.sum()))
        low, high = np.quantile(self._drawn @ by_day, INTERVAL)
        return Interval(float(by_day.sum()), float(low), float(high))

    def saving(self, ours: Floats, theirs: Floats) -> Interval:
        """1 - ours / theirs, with the same days drawn for both."""
        value = 1 - float(ours.sum()) / float(theirs.sum()) if theirs.sum() else 0.0
        if self._drawn is None or not (self._drawn @ theirs).all():
            return Interval(value)
        low, high = np.quantile(1 - (self._drawn @ ours) / (self._drawn @ theirs), INTERVAL)
        return Interval(value, float(low), float(high))
