"""Point forecasts of demand at single steps ahead, for a batch of rows × origins × horizons.

Source: naive and seasonal naive as in Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., §5.2;
the usual day as the median over past days, as it was, moved to the recent level, or stretched to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.naive import DAY_S, column_median

LEVEL_S: Final = 900
"""The recent level is the mean of what is known of this long; failing that, of four times as long."""
SLOW_S: Final = 3 * 3600
"""A slow level: what noise of minutes does not move."""
SLOW_STEPS: Final = 3
SMOOTH_S: Final = 900
"""Past days are smoothed over this long: the noise of one step says nothing about the same step today."""
FLOOR: Final = 0.1
"""Of the mean demand, added to both sides of a ratio: a level near zero stretches nothing without limit."""
DAYS: Final = 7


@dataclass(frozen=True, slots=True, eq=False)
class Lags:
    """What experts read: demand before each origin.

    values: [row, step] from absolute step `first` on, NaN = not observed, nothing at or after the newest origin.
    smoothed: [row, step], means around each step. levels, slow: [row, step], the recent and
    the slow level at the start of each step.
    origins: [origin], absolute steps. ahead: [horizon], steps after an origin, all below a day. mean: [row].
    """

    step_s: int
    first: int
    values: Floats
    smoothed: Floats
    levels: Floats
    slow: Floats
    origins: Ints
    ahead: Ints
    mean: Floats

    @staticmethod
    def of(panel: Panel, origins: Ints, ahead: Ints) -> Lags:
        """Of a panel that ends where the newest origin may, or before."""
        sums = _Sums.of(panel.values)
        half = SMOOTH_S // panel.step_s // 2
        width = max(1, LEVEL_S // panel.step_s)
        near, far = sums.mean(-width, 0), sums.mean(-4 * width, 0)
        slow = sums.mean(-max(SLOW_STEPS, SLOW_S // panel.step_s), 0)
        return Lags(
            panel.step_s, panel.first_step, panel.values, sums.mean(-half, half + 1) if half else panel.values,
            np.where(np.isnan(near), far, near), slow, origins, ahead, sums.whole(),
        )  # fmt: skip

    @property
    def day(self) -> int:
        return DAY_S // self.step_s

    def level(self, back: int = 0) -> Floats:
        """[row, origin], the recent level `back` steps before each origin."""
        return _taken(self.levels, self.origins - back - self.first)

    def slow_level(self, back: int = 0) -> Floats:
        """As `level`, of the slow one."""
        return _taken(self.slow, self.origins - back - self.first)

    def before(self, back: int) -> Floats:
        """[row, origin, horizon], demand `back` steps before each step ahead."""
        return _taken(self.values, self._steps(back) - self.first)

    def smooth(self, back: int) -> Floats:
        """As `before`, a mean around that step; NaN where the mean would reach to the origin or beyond."""
        steps = self._steps(back)
        found = _taken(self.smoothed, steps - self.first)
        found[:, steps + SMOOTH_S // self.step_s // 2 >= self.origins[:, None]] = np.nan
        return found

    def _steps(self, back: int) -> Ints:
        return self.origins[:, None] + self.ahead[None, :] - back


def _taken(values: Floats, at: Ints) -> Floats:
    """[row, …] from [row, step]; NaN outside."""
    found = values.take(np.clip(at, 0, values.shape[1] - 1), axis=1)
    outside = (at < 0) | (at >= values.shape[1])
    if outside.any():
        found[:, outside] = np.nan
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Running sums and counts of what is known, [row, step + 1], so that any mean is a difference."""

    total: Floats
    known: Ints

    @staticmethod
    def of(values: Floats) -> _Sums:
        total = np.zeros((values.shape[0], values.shape[1] + 1))
        known = np.zeros(total.shape, dtype=np.int64)
        there = ~np.isnan(values)
        with np.errstate(over="ignore"):
            np.cumsum(np.where(there, values, 0.0), axis=1, out=total[:, 1:])
        np.cumsum(there, axis=1, out=known[:, 1:])
        return _Sums(total, known)

    def mean(self, low: int, high: int) -> Floats:
        """[row, step + 1], mean over [step + low, step + high); NaN where fewer than half of its steps are known."""
        steps = np.arange(self.total.shape[1])
        end = len(steps) - 1
        lows, highs = np.clip(steps + low, 0, end), np.clip(steps + high, 0, end)
        count = self.known.take(highs, axis=1) - self.known.take(lows, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (self.total.take(highs, axis=1) - self.total.take(lows, axis=1)) / count
        # a difference of large sums may fall below zero by a rounding
        return np.where((count * 2 >= high - low) & np.isfinite(mean), np.maximum(mean, 0.0), np.nan)

    def whole(self) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.total[:, -1] / self.known[:, -1])


Expert = Callable[[Lags], Floats]
"""[row, origin, horizon], demand units; NaN = cannot say."""


def last_level(lags: Lags) -> Floats:
    """The recent level stays."""
    return np.repeat(lags.level()[:, :, None], len(lags.ahead), axis=2)


def same_step_yesterday(lags: Lags) -> Floats:
    return lags.before(lags.day)


def last_week(lags: Lags) -> Floats:
    return lags.smooth(7 * lags.day)


def last_week_stretched(lags: Lags) -> Floats:
    """Last week's course, stretched to the recent level."""
    week = 7 * lags.day
    return _stretched(lags, lags.smooth(week), lags.level(week))


def usual_day(lags: Lags) -> Floats:
    """The median of past days at this time."""
    return column_median(np.stack([lags.smooth(k * lags.day) for k in range(1, DAYS + 1)]))


def usual_day_stretched(lags: Lags) -> Floats:
    """The median of past days, each stretched from its level at this time to the recent one."""
    days = [
        _stretched(lags, lags.smooth(k * lags.day), lags.level(k * lags.day)) for k in range(1, DAYS + 1)
    ]  # fmt: skip
    return column_median(np.stack(days))


def usual_day_stretched_slowly(lags: Lags) -> Floats:
    """As `usual_day_stretched`, by the levels of hours: less moved by noise, later to follow."""
    now = lags.slow_level()
    days = [
        _stretched(lags, lags.smooth(k * lags.day), lags.slow_level(k * lags.day), now) for k in range(1, DAYS + 1)
    ]  # fmt: skip
    return column_median(np.stack(days))


def _stretched(lags: Lags, course: Floats, start: Floats, now: Floats | None = None) -> Floats:
    now = lags.level() if now is None else now
    floor = FLOOR * lags.mean[:, None, None]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ratio = (now[:, :, None] + floor) / (start[:, :, None] + floor)
        return np.asarray(np.maximum((course + floor) * ratio - floor, 0.0))


EXPERTS: Final[Mapping[str, Expert]] = MappingProxyType(
    {
        "last-level": last_level,
        "same-step-yesterday": same_step_yesterday,
        "last-week": last_week,
        "last-week-stretched": last_week_stretched,
        "usual-day": usual_day,
        "usual-day-stretched": usual_day_stretched,
        "usual-day-stretched-slowly": usual_day_stretched_slowly,
    }
)
BASELINE: Final[Mapping[str, Expert]] = MappingProxyType({"same-step-yesterday": same_step_yesterday})
"""Seasonal naive by day: what the whole is compared with, calibrated in the same way."""
