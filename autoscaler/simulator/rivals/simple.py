"""Rivals without a model: a fixed count, a trailing maximum, and yesterday at this time.

Sources: what operators do by hand; the trailing maximum is the moving-window rule of Google's Autopilot (EuroSys '20,
§3.2, "peak" of recent samples) brought to replicas; the seasonal naive forecast is that of every textbook
(Hyndman and Athanasopoulos, Forecasting: Principles and Practice, §5.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats, Ints
from autoscaler.simulator.rivals.contract import (
    DEFAULT_TARGET,
    TARGETS,
    World,
    counts,
    held,
    last_known,
    leading_max,
    nearest,
    trailing_max,
)

FIXED: Final = tuple(float(n) for n in sorted({*range(1, 26), *(round(25 * 1.04**k) for k in range(118))}))
"""1 … 25 replicas one by one, then by 4 % up to some 2 400."""


@dataclass(frozen=True, slots=True)
class Static:
    """The same count for ever. The knob is the count; nobody recommends one, so the default is the middle rung."""

    knobs: tuple[float, ...] = FIXED
    name: str = "static"

    @property
    def default(self) -> int:
        return len(self.knobs) // 2

    def requested(self, seen: Floats, world: World) -> Ints:
        fixed = np.clip(np.asarray(self.knobs).astype(np.int64), world.least, world.most)
        return np.broadcast_to(fixed[:, None], (len(fixed), len(seen)))


@dataclass(frozen=True, slots=True)
class TrailingMax:
    """⌈largest demand of the last `minutes` ÷ (knob × capacity)⌉: a margin of 1 ÷ knob."""

    minutes: int
    knobs: tuple[float, ...] = TARGETS

    @property
    def name(self) -> str:
        return f"max{self.minutes}"

    @property
    def default(self) -> int:
        return nearest(self.knobs, DEFAULT_TARGET)

    def requested(self, seen: Floats, world: World) -> Ints:
        return counts(trailing_max(last_known(seen), world.steps(60 * self.minutes)), self.knobs, world)


@dataclass(frozen=True, slots=True)
class SeasonalNaive:
    """The larger of now and of yesterday's peak over this and the next lead steps, at a share of capacity."""

    period_days: int = 1
    knobs: tuple[float, ...] = TARGETS
    name: str = "seasonal-naive"

    @property
    def default(self) -> int:
        return nearest(self.knobs, DEFAULT_TARGET)

    def requested(self, seen: Floats, world: World) -> Ints:
        ahead = window_ahead(earlier(held(seen), self.period_days * world.day, world.lead_steps), world)
        return counts(np.fmax(last_known(seen), ahead), self.knobs, world)


def earlier(values: Floats, lag: int, beyond: int) -> Floats:
    """[step + beyond], values `lag` steps before each step, also for `beyond` steps past the end; NaN where none."""
    if beyond >= lag:
        raise ValueError(f"{beyond} steps ahead are not known {lag} steps earlier")
    return np.concatenate((np.full(lag, np.nan), values))[: len(values) + beyond]


def window_ahead(forecast: Floats, world: World) -> Floats:
    """[step], largest forecast of this and the next lead steps. forecast: [step + lead]."""
    whole = leading_max(forecast, world.lead_steps + 1)
    return whole[: len(forecast) - world.lead_steps]
