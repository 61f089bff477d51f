"""The store as the rest of the product sees it: DecisionWriter and DecisionReader over one database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from autoscaler.adapters.store.migrate import bring_to_head
from autoscaler.adapters.store.only_writer import OnlyWriter
from autoscaler.adapters.store.place import Place
from autoscaler.adapters.store.reader import StoredDecisions
from autoscaler.adapters.store.retention import Retention
from autoscaler.adapters.store.tables import Tables
from autoscaler.adapters.store.writer import TickWriter
from autoscaler.domain.decision import Decisions
from autoscaler.domain.record import RecordedRun, StoreSize
from autoscaler.domain.workload import WorkloadRef


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """keep_days, max_bytes: what is kept. queue_ticks: ticks that wait for the disk before the oldest is dropped.
    prune_every_s: seconds between two looks at what is kept.
    """

    keep_days: float = 35.0
    max_bytes: int = 1 << 30
    queue_ticks: int = 20
    prune_every_s: float = 60.0


class DecisionStore:
    """Open with `DecisionStore.open`; close it, or use it in `with`.

    After a restart every workload begins a new run: what was decided in between is not known.
    """

    def __init__(self, reader: StoredDecisions, writer: TickWriter, lock: OnlyWriter | None = None) -> None:
        self._reader = reader
        self._writer = writer
        self._lock = lock

    @classmethod
    def open(cls, where: str | Path, *, tick_s: float, limits: StoreLimits | None = None) -> DecisionStore:
        """Create or upgrade the record at a path or URL. tick_s: usual spacing of ticks; three of them end a run.

        Refused when something else is there, or a newer Foresail's record.
        """
        if not tick_s > 0:
            raise ValueError(f"ticks are a positive number of seconds apart, not {tick_s!r}")
        limits = limits or StoreLimits()
        place = Place.of(where)
        bring_to_head(place)
        lock = None if place.path is None else OnlyWriter(place.path)
        tables = Tables(place, tick_s, Retention(limits.keep_days, limits.max_bytes))
        writer = TickWriter(tables, place.label, queue_ticks=limits.queue_ticks, tidy_every_s=limits.prune_every_s)
        return cls(StoredDecisions(place), writer, lock)

    @staticmethod
    def open_read_only(where: str | Path) -> StoredDecisions:
        """For other processes: `foresail explain`, `foresail history`."""
        return StoredDecisions.open(where)

    def append(self, decisions: Decisions) -> None:
        self._writer.append(decisions)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """True when everything handed over so far is on disk."""
        return self._writer.flush(timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        self._writer.close(timeout_s)
        self._reader.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, why: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def dropped(self) -> int:
        """Ticks that will never be in the record."""
        return self._writer.dropped

    @property
    def failures(self) -> int:
        """Attempts to write that failed; most are retried."""
        return self._writer.failures

    @property
    def last_error(self) -> str | None:
        return self._writer.last_error

    @property
    def last_commit_at(self) -> datetime | None:
        """Time of the newest tick on disk."""
        return self._writer.last_commit_at

    def workloads(self) -> Sequence[WorkloadRef]:
        return self._reader.workloads()

    def run_at(self, workload: WorkloadRef, at: datetime | None = None) -> RecordedRun | None:
        return self._reader.run_at(workload, at)

    def history(
        self,
        workload: WorkloadRef,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1000,
    ) -> Sequence[RecordedRun]:
        return self._reader.history(workload, since, until, limit)

    def size(self) -> StoreSize:
        return self._reader.size()
