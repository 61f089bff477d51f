"""Rivals that put a forecast of the usual day under an HPA: KEDA with cron, AWS-like, Kapacity- or AHPA-like.

KEDA's cron scaler and AWS's forecast are one more demand beside the measured one: the HPA's largest proposal wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from autoscaler.domain.series import Floats, Ints
from autoscaler.simulator.rivals.contract import (
    DEFAULT_TARGET,
    HOUR_S,
    TARGETS,
    World,
    counts,
    held,
    last_known,
    nearest,
)
from autoscaler.simulator.rivals.hpa import percents
from autoscaler.simulator.rivals.loop import Lanes, closed_loop
from autoscaler.simulator.rivals.simple import earlier, window_ahead

DOWN_S: Final = 300
WEEK: Final = 7


def hpa_with(ahead: Floats, known: Floats, knobs: tuple[float, ...], world: World, down_s: int = DOWN_S) -> Ints:
    """[knob, step], an HPA at each target with `ahead` [step] as a second demand (NaN: none).

    Its down-window is the nearest number of whole steps.
    """
    lanes = Lanes(percents(knobs), (world.step_s * world.steps(down_s),))
    return closed_loop(known, world, lanes, ahead=ahead)


@dataclass(frozen=True, slots=True)
class KedaCron:
    """KEDA: an HPA with a cron trigger per hour of the day, for workdays and for weekends.

    Source: KEDA's cron scaler (`desiredReplicas` from start to end), whose value is one more metric of the HPA. The
    schedule is what a careful operator reads off history: each midnight, for each hour, the `quantile` of its steps on
    the last 14 days of the same kind; a window opens one lead early. Without a day of that kind there is no floor.
    """

    quantile: float = 0.9
    days: int = 14
    knobs: tuple[float, ...] = TARGETS
    name: str = "keda-cron"

    @property
    def default(self) -> int:
        return nearest(self.knobs, DEFAULT_TARGET)

    def requested(self, seen: Floats, world: World) -> Ints:
        return hpa_with(self.schedule(seen, world), last_known(seen), self.knobs, world)

    def schedule(self, seen: Floats, world: World) -> Floats:
        """[step], demand that the cron windows provide for; NaN outside of them."""
        padded = by_day(held(seen), world)
        weekend = (world.first_step // world.day + np.arange(len(padded)) + 3) % WEEK >= 5  # the epoch: a Thursday
        hour_of = np.arange(world.day) * world.step_s // HOUR_S
        floors = np.full(padded.shape, np.nan)
        for today in range(1, len(padded)):
            low = max(0, today - self.days)
            past = padded[low:today][weekend[low:today] == weekend[today]]
            usual = [_quantile(past[:, hour_of == hour], self.quantile) for hour in range(int(hour_of[-1]) + 1)]
            floors[today] = np.asarray(usual)[hour_of]
        # Before midnight the next day's first window is today's: what it will become is not known yet.
        open_now = np.fmax(floors, np.roll(floors, -world.lead_steps, axis=1))
        offset = world.first_step % world.day
        return np.asarray(open_now.ravel()[offset : offset + len(seen)])


@dataclass(frozen=True, slots=True)
class AwsHourly:
    """Predictive scaling in the manner of AWS: an hourly forecast as a floor under dynamic scaling.

    Source: the EC2 Auto Scaling guide: at least 24 h and at most 14 days of history, hourly forecasts for 48 h,
    refreshed every 6 h, launched ahead by SchedulingBufferTime (300 s by default; a slow start needs its lead), never
    scaling in.
    Its model is not published; here an hour's forecast is the mean over the same hour of the days before, of the
    hour's mean or maximum demand. A new refresh would not change it: an hour's predecessors end a day before it.
    """

    of_hour: Literal["mean", "max"] = "mean"
    days: int = 14
    buffer_s: int = 300
    knobs: tuple[float, ...] = TARGETS

    @property
    def name(self) -> str:
        return f"aws-hourly-{self.of_hour}"

    @property
    def default(self) -> int:
        return nearest(self.knobs, DEFAULT_TARGET)

    def requested(self, seen: Floats, world: World) -> Ints:
        return hpa_with(self.forecast(seen, world), last_known(seen), self.knobs, world)

    def forecast(self, seen: Floats, world: World) -> Floats:
        """[step], the forecast load of this hour or, within the buffer, of the next one if that is more."""
        hour = world.steps(HOUR_S)
        if world.day % hour or HOUR_S % world.step_s:
            raise ValueError(f"an hour is not a whole number of steps of {world.step_s} s")
        offset, values = world.first_step % hour, held(seen)
        known = np.concatenate((np.full(offset, np.nan), values, np.full(-(offset + len(values)) % hour, np.nan)))
        hours = known.reshape(-1, hour)
        whole = ~np.isnan(hours).any(axis=1)
        whole[-1] = False  # it may still be running, and no forecast here needs it
        load = np.where(whole, hours.mean(axis=1) if self.of_hour == "mean" else hours.max(axis=1), np.nan)
        past = np.stack([earlier(load, 24 * d, 1) for d in range(1, self.days + 1)])
        there = ~np.isnan(past)
        usual = np.where(there, past, 0).sum(axis=0) / np.where(there.any(axis=0), there.sum(axis=0), np.nan)
        buffer = max(world.lead_steps, world.steps(self.buffer_s))
        at = offset + np.arange(len(seen))
        return np.asarray(np.fmax(usual[at // hour], usual[np.minimum((at + buffer) // hour, len(usual) - 1)]))


@dataclass(frozen=True, slots=True)
class SameTime:
    """The quantile of the same time on past days, over this and the next lead steps, and never less than now.

    Source: AHPA (Zhou et al., AAAI '23) and Kapacity provide a high quantile of the period's usual load, proactively,
    beside a reactive count. Their forecasters are learned; this is their common core.
    """

    quantile: float = 0.95
    days: int = 7
    knobs: tuple[float, ...] = TARGETS

    @property
    def name(self) -> str:
        return f"same-time-q{round(self.quantile * 100)}"

    @property
    def default(self) -> int:
        return nearest(self.knobs, DEFAULT_TARGET)

    def requested(self, seen: Floats, world: World) -> Ints:
        values = held(seen)
        past = np.stack([earlier(values, d * world.day, world.lead_steps) for d in range(1, self.days + 1)])
        usual = window_ahead(column_quantile(past, self.quantile), world)
        return counts(np.fmax(last_known(seen), usual), self.knobs, world)


def column_quantile(rows: Floats, quantile: float) -> Floats:
    """[column], linear between order statistics of what is not NaN; NaN where nothing is."""
    ordered, known = np.sort(rows, axis=0), (~np.isnan(rows)).sum(axis=0)
    at = quantile * np.maximum(known - 1, 0)
    below = np.floor(at).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    columns = np.arange(rows.shape[1])
    low, high = ordered[below, columns], ordered[above, columns]
    return np.asarray(low + (high - low) * (at - below))


def by_day(values: Floats, world: World) -> Floats:
    """[day, step of day], padded with NaN to whole days (UTC)."""
    before = world.first_step % world.day
    after = -(before + len(values)) % world.day
    return np.concatenate((np.full(before, np.nan), values, np.full(after, np.nan))).reshape(-1, world.day)


def _quantile(values: Floats, quantile: float) -> float:
    known = values[~np.isnan(values)]
    return float(np.quantile(known, quantile)) if len(known) else float("nan")
