"""Verdicts as an engine would give them, for the rules that stand on them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from autoscaler.detection.causes import Metrics, explained
from autoscaler.detection.causes_memory import CauseMemory
from autoscaler.detection.incidents import Names, Seen
from autoscaler.detection.usual import Reached
from autoscaler.domain.signals import KIND_CODE, SignalKind
from autoscaler.domain.verdict import TOP, DataFault, GroupVerdicts, RowVerdicts, Verdicts

D, L, E, S = SignalKind.DEMAND, SignalKind.LATENCY, SignalKind.ERRORS, SignalKind.SATURATION


class Story:
    """Workloads of the same kinds, over some steps: calm until told otherwise.

    Demand is 100 a step, everything else 1; the band is a tenth wide, and so is what was usual at this hour.
    """

    def __init__(self, kinds: Sequence[SignalKind], workloads: int = 1, steps: int = 60, step_s: int = 60) -> None:
        self.kinds, self.workloads, self.steps, self.step_s = list(kinds), workloads, steps, step_s
        rows, shape = len(kinds) * workloads, (len(kinds) * workloads, steps)
        usual = np.array([100.0 if k is D else 1.0 for k in kinds] * workloads)
        self.usual = usual[:, None] * np.ones(steps)
        self.observed = self.usual.copy()
        self.surprise = np.full(shape, 0.3)
        self.faults = np.zeros(shape, dtype=np.uint8)
        self.paging = np.zeros((workloads, steps), dtype=np.bool_)
        self.highest, self.steepest, self.known_days = usual * 1.2, np.full(rows, 1.2), np.full(rows, 14)
        self.climb = np.ones(shape)
        self.same = np.zeros(rows, dtype=np.bool_)
        self.first_step = 1_000_000

    def event(self, begin: int, end: int, workload: int = 0, **times: float) -> None:
        """A page, in which metrics (d0, l1 …: kind and place) stand at so many times the usual."""
        self.paging[workload, begin:end] = True
        for name, factor in times.items():
            row = workload * len(self.kinds) + int(name[1:])
            self.observed[row, begin:end] = self.usual[row, begin:end] * factor
            self.surprise[row, begin:end] = 3.5

    def fault(self, begin: int, end: int, row: int, fault: DataFault) -> None:
        self.faults[row, begin:end] |= np.uint8(fault)

    @property
    def metrics(self) -> Metrics:
        kinds = np.array([KIND_CODE[k] for k in self.kinds] * self.workloads, dtype=np.uint8)
        return Metrics(kinds, np.arange(self.workloads) * len(self.kinds), self.same)

    @property
    def names(self) -> Names:
        metrics = tuple(f"{k.value.lower()}{i}" for i, k in enumerate(self.kinds)) * self.workloads
        return Names(tuple(f"shop/w{g}" for g in range(self.workloads)), metrics)

    def seen(self, begin: int = 0, end: int | None = None, memory: CauseMemory | None = None) -> Seen:
        cut = slice(begin, self.steps if end is None else end)
        rows = RowVerdicts(
            self.surprise[:, cut].copy(), np.zeros_like(self.surprise[:, cut]), self.faults[:, cut].copy(),
            self.observed[:, cut].copy(), self.usual[:, cut].copy(), 0.9 * self.usual[:, cut], 1.1 * self.usual[:, cut],
        )  # fmt: skip
        paging = self.paging[:, cut].copy()
        order = np.argsort(-self.surprise[:, cut].reshape(self.workloads, len(self.kinds), -1), axis=1, kind="stable")
        top = np.full((*paging.shape, TOP), -1, dtype=np.int64)
        for k in range(min(TOP, len(self.kinds))):
            top[:, :, k] = order[:, k] + self.metrics.start[:, None]
        groups = GroupVerdicts(
            np.where(paging, 3.0, 0.2), np.where(paging, 0.5, np.inf), paging, np.zeros_like(paging),
            np.where(paging, 0.8, 0.0), top,
        )  # fmt: skip
        of = np.repeat(np.arange(self.workloads), len(self.kinds))
        found = Verdicts(self.step_s, self.first_step + begin, of, rows, groups)
        usual = self.usual[:, cut]
        reached = Reached(
            self.highest, self.steepest, self.known_days, self.climb[:, cut], usual * 1.05, usual * 0.95, usual
        )
        causes = explained(
            found,
            self.metrics,
            reached,
            memory or CauseMemory.fresh(self.workloads, len(self.usual)),
            np.ones(self.workloads),
        )
        return Seen(found, causes, reached, self.metrics)


@pytest.fixture(scope="session")
def story() -> Callable[..., Any]:
    return Story
