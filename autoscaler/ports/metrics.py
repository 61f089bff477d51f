"""Reading demand."""

from collections.abc import Sequence
from typing import Protocol

from autoscaler.domain.series import SeriesBatch
from autoscaler.domain.workload import Demand


class MetricsReader(Protocol):
    """One answer for the whole batch: a failing query costs its own row, never the others'."""

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        """Demand over the absolute steps [first_step, end_step), rows in the order of `demands`.

        The batch starts at first_step. It may end early when the newest steps are not in yet; a step that
        should be in and is not has a verdict that says why. Never raises for a source that is down: the
        rows of that source are UNREACHABLE.
        """
        ...
