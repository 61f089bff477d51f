"""Keeping and reading decisions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from autoscaler.domain.decision import Decisions
from autoscaler.domain.record import RecordedRun, StoreSize
from autoscaler.domain.workload import WorkloadRef


class DecisionWriter(Protocol):
    """Takes every tick's decisions, no-ops too."""

    def append(self, decisions: Decisions) -> None:
        """Hand over one tick; returns at once, order is kept. A full disk never stops the tick."""
        ...


class DecisionReader(Protocol):
    def workloads(self) -> Sequence[WorkloadRef]: ...

    def run_at(self, workload: WorkloadRef, at: datetime | None = None) -> RecordedRun | None:
        """The run in force at `at` (the newest one that began at or before it); the newest of all if None."""
        ...

    def history(
        self,
        workload: WorkloadRef,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1000,
    ) -> Sequence[RecordedRun]:
        """Runs that overlap [since, until], oldest first, at most the newest `limit`."""
        ...

    def size(self) -> StoreSize: ...
