"""How long started replicas take until they are Ready: one time for all, or one drawn for each.

Draws are anchored to absolute time: those of a step depend on the seed, the workload, the step and the order of the
starts within it, on nothing that was started before and on nothing that comes later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats

Z95: Final = 1.6448536269514722
"""The standard normal's quantile at 0.95."""
LONGEST: Final = 10.0
"""No start takes longer than this many times the p95: where somebody would have stepped in."""
_WORD: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class ReadySpread:
    """Seconds from a replica's start until it is Ready: log-normal through its median and its 95th percentile."""

    p50_s: float
    p95_s: float

    def __post_init__(self) -> None:
        if not 0 < self.p50_s <= self.p95_s < math.inf:
            raise ValueError(f"need 0 < p50 ≤ p95, in seconds, not p50={self.p50_s!r} and p95={self.p95_s!r}")

    @property
    def sigma(self) -> float:
        """Spread of the logarithm."""
        return math.log(self.p95_s / self.p50_s) / Z95

    def drawn(self, rng: np.random.Generator, count: int) -> Floats:
        """[replica], seconds, at most LONGEST times the p95."""
        ratio = np.exp(np.minimum(self.sigma * rng.standard_normal(count), math.log(LONGEST * self.p95_s / self.p50_s)))
        return np.asarray(self.p50_s * ratio)


@dataclass(frozen=True, slots=True)
class StartTimes:
    """What a replica's start takes. spread: None = the same time for each.

    failing: share of replicas that fail once, at the end of their time, and start over. seed: of all draws.
    """

    spread: ReadySpread | None = None
    failing: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.failing <= 1:
            raise ValueError(f"the share of failing starts is between 0 and 1, not {self.failing!r}")
        if self.seed < 0:
            raise ValueError(f"a seed is zero or more, not {self.seed}")

    @property
    def alike(self) -> bool:
        """Whether all replicas take the same time, with nothing to draw."""
        return self.spread is None and not self.failing

    def seconds(self, ready_s: float, rest_s: float, count: int, key: tuple[int, int, int]) -> Floats:
        """[replica], seconds from its start until it serves, in no order.

        ready_s: of the workload's lead, which a spread replaces; rest_s: the same for all (warm-up).
        key: workload, absolute step, number of the start within the step: the same key draws the same times.
        """
        if self.alike:
            return np.full(count, ready_s + rest_s)
        rng = np.random.default_rng([self.seed, *(part & _WORD for part in key)])
        fails = rng.random(count) < self.failing
        once, again = (
            np.full(count, ready_s) if self.spread is None else self.spread.drawn(rng, count) for _ in range(2)
        )
        return np.where(fails, once + again + 2 * rest_s, once + rest_s)
