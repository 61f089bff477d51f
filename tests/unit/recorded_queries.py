"""A source of recorded values, for those who ask queries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand


class Recorded:
    """A reader over arrays: query → values from step 0 on; at most a day at once, as servers have limits.

    away: it does not answer.
    """

    def __init__(self, values: dict[str, np.ndarray]) -> None:
        self.values, self.away = values, False

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        assert end_step - first_step <= max(120, 86_400 // step_s)
        out = np.full((len(demands), end_step - first_step), np.nan)
        if self.away:
            return SeriesBatch.judge(step_s, first_step, out, DataVerdict.UNREACHABLE)
        for row, demand in enumerate(demands):
            line = self.values[demand.query]
            low, high = max(0, first_step), min(len(line), end_step)
            if low < high:
                out[row, low - first_step : high - first_step] = line[low:high]
        return SeriesBatch.judge(step_s, first_step, out)
