"""What every rival is: requests over a whole recording, for every rung of a ladder over its own knob.

A decision at step t may use the demand of steps before t alone. In a gap rivals see the last value held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from autoscaler.domain.fleet import NO_LIMIT
from autoscaler.domain.series import Floats, Ints
from autoscaler.planning.need import replicas_for

DAY_S: Final = 86_400
HOUR_S: Final = 3600

TARGETS: Final = tuple(percent / 100 for percent in range(6, 107, 2))
"""The ladder of most rivals: share of capacity to aim at. Past 1, a rival may rely on its own overshoot."""

DEFAULT_TARGET: Final = 0.7


@dataclass(frozen=True, slots=True)
class World:
    """Where a rival runs. first_step: absolute step of the recording's first value, so that days are the calendar's.

    capacity: demand that one ready replica serves. lead_steps: from the request until a replica is ready.
    """

    step_s: int
    first_step: int
    capacity: float
    lead_steps: int
    least: int = 1
    most: int = NO_LIMIT

    def __post_init__(self) -> None:
        if self.step_s < 1 or self.lead_steps < 0 or not 0 < self.capacity < np.inf:
            raise ValueError(f"a step and a capacity are positive, a lead is not negative: {self}")
        if not 1 <= self.least <= self.most:
            raise ValueError(f"need 1 ≤ least ≤ most, not {self.least} and {self.most}")

    def steps(self, seconds: float) -> int:
        """A duration in whole steps, at least one."""
        return max(1, round(seconds / self.step_s))

    @property
    def day(self) -> int:
        """Steps per day; a rival with a daily cycle needs them whole."""
        if DAY_S % self.step_s:
            raise ValueError(f"a day is not a whole number of steps of {self.step_s} s")
        return DAY_S // self.step_s


class Rival(Protocol):
    """One published way to scale. knobs: its ladder; default: the rung that its authors ship or recommend."""

    @property
    def name(self) -> str: ...

    @property
    def knobs(self) -> tuple[float, ...]: ...

    @property
    def default(self) -> int: ...

    def requested(self, seen: Floats, world: World) -> Ints:
        """[knob, step], replicas asked for at the start of each step. seen: [step], NaN = unknown."""
        ...


def held(seen: Floats) -> Floats:
    """[step], gaps filled with the last value before them; NaN where there was none yet."""
    at = np.maximum.accumulate(np.where(np.isnan(seen), -1, np.arange(len(seen))))
    return np.where(at >= 0, seen[at], np.nan)


def last_known(seen: Floats) -> Floats:
    """[step], what is known at the start of a step: the step before, held."""
    return np.concatenate(([np.nan], held(seen)[:-1])) if len(seen) else seen


def counts(demand: Floats, knobs: tuple[float, ...], world: World) -> Ints:
    """[knob, step], replicas that carry demand [step] at each share of capacity; `least` where it is NaN."""
    capacity = np.asarray(knobs)[:, None] * world.capacity
    return np.clip(replicas_for(demand[None, :], capacity), world.least, world.most)


def trailing_max(values: Floats, width: int) -> Floats:
    """[step], largest of the `width` values that end at each step; NaN are left out, NaN where there are only those."""
    most, covered = np.where(np.isnan(values), -np.inf, values), 1
    while covered < width:  # doubling: log2(width) passes
        shift = min(covered, width - covered)
        most = np.concatenate((most[:shift], np.maximum(most[shift:], most[:-shift]))) if shift < len(most) else (
            np.maximum.accumulate(most)
        )  # fmt: skip
        covered += shift
    return np.where(np.isinf(most), np.nan, most)


def leading_max(values: Floats, width: int) -> Floats:
    """[step], largest of the `width` values that begin at each step (fewer at the end)."""
    return trailing_max(values[::-1], width)[::-1]


def nearest(knobs: tuple[float, ...], wanted: float) -> int:
    return int(np.argmin(np.abs(np.asarray(knobs) - wanted)))
