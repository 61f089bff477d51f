"""SYNTHETIC load of a web shop, for the demo and for tests; no measurement of anything real.

Every value is a function of absolute time and the seed, so that two cuts of one load agree where they overlap.
The load goes on for ever in its weekly rhythm; the three events happen once, in the week of `shop_window`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from autoscaler.domain.series import Bools, Floats

LABEL = "SYNTHETIC web shop"
UNIT = "requests/s"
STARTS = datetime(2026, 6, 1, tzinfo=UTC)
"""A Monday. Eight days of ordinary history begin here, then the week that is shown (Tuesday to Monday)."""
HISTORY_DAYS = 8
WEEK_DAYS = 7
DEFAULT_SEED = 7

DAY_S = 86_400
_START_S = int(STARTS.timestamp())
_NIGHT_RPS = 130.0
_NOISE = 0.9  # standard deviation of a one-minute mean, in √(requests/s)
_WOBBLE = 0.035  # slow drift of the level, relative
_BURSTS_PER_DAY = 7.0
_LOST_SCRAPES = 0.001
# humps of a day: (hour of the middle, width in hours, requests/s)
_WEEKDAY = ((9.0, 1.0, 310.0), (12.6, 1.6, 430.0), (16.0, 2.4, 200.0), (20.0, 1.9, 690.0))
_WEEKEND = ((11.0, 2.2, 330.0), (14.5, 2.6, 380.0), (20.3, 2.2, 560.0))
_WEEKDAY_FACTOR = (0.97, 0.98, 1.0, 1.03, 1.06, 1.0, 1.04)  # Monday … Sunday

_CAMPAIGN_FACTOR, _CAMPAIGN_RAMP_S = 1.8, 15 * 60
_CROWD_FACTOR, _CROWD_RISE_S, _CROWD_FADE_S = 3.6, 5 * 60, 17 * 60


class ShopEvent(NamedTuple):
    """Something that happened in steps [first_step, end_step)."""

    name: str
    first_step: int
    end_step: int
    description: str


class ShopWindow(NamedTuple):
    """History is [first_step, week_step), the shown week [week_step, end_step)."""

    first_step: int
    week_step: int
    end_step: int


@dataclass(frozen=True, slots=True, eq=False)
class ShopLoad:
    """demand: [step], requests/s offered. seen: [step], what the metrics said; NaN = not observed.

    events: those that touch the load, whole, even where they reach beyond it.
    """

    step_s: int
    first_step: int
    seed: int
    demand: Floats
    seen: Floats
    events: tuple[ShopEvent, ...]

    def __post_init__(self) -> None:
        if self.demand.shape != self.seen.shape or self.demand.ndim != 1:
            raise ValueError(f"demand {self.demand.shape} and seen {self.seen.shape} must be one 1-d shape")
        self.demand.setflags(write=False)
        self.seen.setflags(write=False)

    @property
    def end_step(self) -> int:
        return self.first_step + int(self.demand.shape[0])


def shop_window(step_s: int = 60) -> ShopWindow:
    """Absolute steps of the history and of the shown week."""
    _check_step(step_s)
    first, per_day = _START_S // step_s, DAY_S // step_s
    week = first + HISTORY_DAYS * per_day
    return ShopWindow(first, week, week + WEEK_DAYS * per_day)


def shop_load(first_step: int, steps: int, step_s: int = 60, seed: int = DEFAULT_SEED) -> ShopLoad:
    """Load of steps [first_step, first_step + steps); the same seed gives the same values at the same times."""
    _check_step(step_s)
    if steps <= 0:
        raise ValueError(f"a load has at least one step, not {steps}")
    per_day = DAY_S // step_s
    first_day, last_day = first_step // per_day, (first_step + steps - 1) // per_day
    days = [_day(day, step_s, seed) for day in range(first_day, last_day + 1)]
    cut = slice(first_step - first_day * per_day, first_step - first_day * per_day + steps)
    demand = np.concatenate([rps for rps, _ in days])[cut]
    lost = np.concatenate([gone for _, gone in days])[cut]
    events = tuple(e for e in shop_events(step_s) if e.first_step < first_step + steps and e.end_step > first_step)
    return ShopLoad(step_s, first_step, seed, demand, np.where(lost, np.nan, demand), events)


def shop_events(step_s: int = 60) -> tuple[ShopEvent, ...]:
    """The three events of the shown week, in order of time."""
    _check_step(step_s)
    return tuple(
        ShopEvent(name, begin // step_s, -(-end // step_s), words)
        for name, (begin, end), words in (
            ("metrics outage", _OUTAGE, "no metrics for 45 min on a morning ramp; demand goes on"),
            ("campaign", _CAMPAIGN, f"planned evening campaign, ×{_CAMPAIGN_FACTOR:g} for 3 h"),
            ("flash crowd", _CROWD, f"unplanned, ×{_CROWD_FACTOR:g} within 5 min, gone in about an hour"),
        )
    )


def _span(day: int, hour: float, length_s: int) -> tuple[int, int]:
    """Seconds since the epoch; `day` counts the days of the shown week from 0."""
    begin = _START_S + (HISTORY_DAYS + day) * DAY_S + round(hour * 3600)
    return begin, begin + length_s


_OUTAGE = _span(1, 7.25, 45 * 60)  # Wednesday
_CAMPAIGN = _span(2, 18.0, 3 * 3600)  # Thursday
_CROWD = _span(4, 15.5, 75 * 60)  # Saturday


def _check_step(step_s: int) -> None:
    if step_s <= 0 or 3600 % step_s:
        raise ValueError(f"a step of {step_s} s does not divide an hour; take for example 60")


def _rng(seed: int, day: int, use: int) -> np.random.Generator:
    """One independent stream per seed, absolute day and use; `use` keeps draws of one kind from moving another's."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, day, use))))


def _day(day: int, step_s: int, seed: int) -> tuple[Floats, Bools]:
    """Demand and lost scrapes of one whole UTC day; steps of the day's seconds are taken at their middle."""
    n = DAY_S // step_s
    seconds: Floats = (np.arange(n, dtype=np.float64) + 0.5) * step_s
    level = _rhythm(day, seconds / 3600) * _wobble(day, seconds, seed) * _events_factor(day * DAY_S + seconds)
    level *= _bursts(day, seconds, seed)
    noise = _NOISE * np.sqrt(level * 60 / step_s) * _rng(seed, day, 1).standard_normal(n)
    demand = np.clip(level + noise, 0.0, None)
    lost = _rng(seed, day, 2).random(n) < _LOST_SCRAPES
    at = day * DAY_S + seconds
    return demand, lost | ((at >= _OUTAGE[0]) & (at < _OUTAGE[1]))


def _rhythm(day: int, hours: Floats) -> Floats:
    """Mean level by hour: night floor plus the day's humps, those of the neighbouring days included."""
    level = np.full(hours.shape, _NIGHT_RPS)
    for shift in (-1, 0, 1):
        weekday = (day + shift + 3) % 7  # day 0 of the epoch was a Thursday
        for middle, width, rps in _WEEKEND if weekday >= 5 else _WEEKDAY:
            bell = np.exp(-0.5 * ((hours - 24 * shift - middle) / width) ** 2)
            level += _WEEKDAY_FACTOR[weekday] * rps * bell
    return level


def _wobble(day: int, seconds: Floats, seed: int) -> Floats:
    """Slow relative drift through one knot per hour; the last hour leads to the next day's first knot."""
    knots = np.concatenate((_rng(seed, day, 3).standard_normal(24), _rng(seed, day + 1, 3).standard_normal(24)[:1]))
    return 1 + _WOBBLE * np.interp(seconds, np.arange(25) * 3600.0, np.clip(knots, -2.5, 2.5))


def _bursts(day: int, seconds: Floats, seed: int) -> Floats:
    """A few bursts of one to four minutes a day, up to a third above the level."""
    rng = _rng(seed, day, 4)
    factor = np.ones(seconds.shape)
    for _ in range(int(rng.poisson(_BURSTS_PER_DAY))):
        begin, minutes, height = rng.uniform(0, DAY_S), rng.integers(1, 5), rng.uniform(0.08, 0.33)
        inside = (seconds >= begin) & (seconds < begin + 60 * minutes)
        factor[inside] = np.maximum(factor[inside], 1 + height)
    return factor


def _events_factor(at: Floats) -> Floats:
    """What the campaign and the flash crowd multiply the level by, at seconds since the epoch."""
    begin, end = _CAMPAIGN
    ramp = np.clip(np.minimum(at - begin, end - at) / _CAMPAIGN_RAMP_S, 0, 1)
    since = at - _CROWD[0]
    rise = np.clip(since / _CROWD_RISE_S, 0, 1)
    length = _CROWD[1] - _CROWD[0] - _CROWD_RISE_S
    rest = np.exp(-length / _CROWD_FADE_S)
    fade = (np.exp(-np.clip(since - _CROWD_RISE_S, 0, length) / _CROWD_FADE_S) - rest) / (1 - rest)
    return (1 + (_CAMPAIGN_FACTOR - 1) * ramp) * (1 + (_CROWD_FACTOR - 1) * rise * fade)
