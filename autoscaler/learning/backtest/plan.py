"""Which origins a backtest asks at, and which of them count.

Every model is asked at the same origins. Those before `scored_step` belong to the warm-up: errors are learned from them
and nothing is scored; there is a window of them, as older errors are forgotten. The origins are multiples of their
spacing in absolute time, so that a longer record adds origins and moves none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Ints

DAY_S: Final = 86_400
HOUR_S: Final = 3_600
LEVELS: Final = (0.5, 0.9, 0.95, 0.99)
"""The three that size and are served, and the one beyond them for pictures."""
WINDOW_S: Final = 7 * DAY_S
"""How far back errors are learned, as the serving engine does."""
LIBRARY_STEP_S: Final = 300
"""Libraries fit on steps of at least this: at 1 min a day has a season of 1,440, which takes them minutes per fit."""
_SPACINGS_S: Final = (3600, 1800, 1200, 900, 600, 300, 120, 60, 30, 15, 10, 5, 1)


def errors_needed(level: float) -> int:
    """Past errors below which the conformal quantile of a level is infinite: ⌈q / (1 − q)⌉."""
    return int(np.ceil(level / (1 - level) - 1e-9))


@dataclass(frozen=True, slots=True)
class Plan:
    """first_step, end_step: of the record, absolute. scored_step: from here on origins count. every: steps between
    origins. leads: steps of each window after its first, rising. levels: rising, in (0, 1).
    """

    step_s: int
    first_step: int
    end_step: int
    scored_step: int
    every: int
    leads: tuple[int, ...]
    levels: tuple[float, ...] = LEVELS

    def __post_init__(self) -> None:
        if self.step_s < 1 or self.every < 1:
            raise ValueError(f"a step and a spacing are positive: {self}")
        if not self.first_step <= self.scored_step <= self.end_step:
            raise ValueError(f"scoring starts within the record: {self}")
        if not self.leads or min(self.leads) < 0 or list(self.leads) != sorted(set(self.leads)):
            raise ValueError(f"leads are rising and not negative, not {self.leads}")
        if not self.levels or list(self.levels) != sorted(set(self.levels)) or not 0 < self.levels[0] <= 1:
            raise ValueError(f"levels rise within (0, 1), not {self.levels}")
        if not self.levels[-1] < 1:
            raise ValueError(f"levels rise within (0, 1), not {self.levels}")

    @property
    def window(self) -> int:
        """Steps over which errors are learned."""
        return max(1, WINDOW_S // self.step_s)

    def origins(self) -> Ints:
        """[origin], absolute steps, evenly spaced; the longest window of each lies within the record."""
        earliest = max(self.first_step + 1, self.scored_step - self.window - self.leads[-1])
        first = -(-earliest // self.every) * self.every
        return np.arange(first, self.end_step - self.leads[-1], self.every, dtype=np.int64)

    def scored(self) -> Ints:
        """[scored origin]."""
        origins = self.origins()
        return origins[origins >= self.scored_step]


def library_step(step_s: int) -> int | None:
    """Seconds of the grid that libraries fit on: whole steps, a whole part of a day; None where there is none."""
    for k in range(1, DAY_S // step_s + 1):
        coarse = k * step_s
        if coarse >= LIBRARY_STEP_S and DAY_S % coarse == 0 and DAY_S // coarse > 1:
            return coarse
    return None


def spacing(step_s: int, warm_steps: int, levels: tuple[float, ...], most: int = HOUR_S) -> int:
    """Steps between origins: `most` seconds, or closer where the warm-up is short, so that it holds enough errors.

    Always whole steps, and whole steps of the libraries' grid unless the warm-up is too short even for that.
    """
    wanted = errors_needed(levels[-1]) * 1.25 + 1
    grid = library_step(step_s) or step_s
    fits = [s for s in _SPACINGS_S if s <= most and s % grid == 0] or [grid]
    for each in fits:
        if min(warm_steps * step_s, WINDOW_S) / each >= wanted:
            return each // step_s
    return fits[-1] // step_s


def levels_for(
    step_s: int, warm_steps: int, every: int, lead: int, levels: tuple[float, ...] = LEVELS
) -> tuple[float, ...]:
    """Those for which the warm-up holds enough errors of windows that are over."""
    errors = (min(warm_steps, WINDOW_S // step_s) - lead - 1) // every
    return tuple(level for level in levels if errors_needed(level) <= errors)
