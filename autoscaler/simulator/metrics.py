"""A metrics source in memory: recorded or synthetic demand, as it would have been read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.series import DataVerdict, Panel, SeriesBatch
from autoscaler.domain.workload import Demand


@dataclass(slots=True)
class MemoryMetrics:
    """Implements ports.MetricsReader over series by query.

    data_delay_steps: newest completed steps that are not in yet. down: sources that do not answer.
    """

    step_s: int
    first_step: int
    series: dict[str, np.ndarray]
    data_delay_steps: int = 0
    down: set[str] = field(default_factory=set)

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        """Steps [first_step, end_step - delay); a query that is not here is MISSING, a source that is down
        UNREACHABLE.
        """
        if step_s != self.step_s:
            raise ValueError(f"this source holds {self.step_s} s steps, not {step_s} s")
        end = max(first_step, end_step - self.data_delay_steps)
        raw = np.full((len(demands), end - first_step), np.nan)
        for row, demand in enumerate(demands):
            values = self.series.get(demand.query)
            if values is not None and demand.source not in self.down:
                panel = Panel(step_s, self.first_step, values[np.newaxis], np.empty((0, 0), dtype=np.uint8))
                raw[row] = panel.columns(first_step, end)[0]
        batch = SeriesBatch.judge(step_s, first_step, raw)
        dark = np.array([d.source in self.down for d in demands], dtype=np.bool_)
        if not dark.any():
            return batch
        verdicts = np.where(dark[:, np.newaxis], np.uint8(DataVerdict.UNREACHABLE), batch.verdicts)
        return SeriesBatch(step_s, first_step, batch.values, verdicts)
