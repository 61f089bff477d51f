"""The numbers of recorded runs without their payloads: what a line of recent hours costs a query and no more."""

from __future__ import annotations

import struct
from typing import NamedTuple

from sqlalchemy import select

from autoscaler.adapters.store.place import Place
from autoscaler.adapters.store.schema import run, workload
from autoscaler.domain.workload import WorkloadRef

MICROS = 1_000_000


class RunNumbers(NamedTuple):
    """One run of unchanged decisions. observed, peak: highest over the run, one per demand; NaN = never known."""

    first_s: float
    last_s: float
    current: int
    granted: int
    observed: tuple[float, ...]
    peak: tuple[float, ...]


class StoredLines:
    """Reads a record that may be written meanwhile; every call has a connection of its own."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._engine = place.reading()

    def numbers(self, ref: WorkloadRef, since_s: float, end_s: float, most: int) -> list[RunNumbers]:
        """The newest `most` runs that overlap [since_s, end_s], oldest first. Retryable when the store is busy."""
        columns = (run.c.first_at, run.c.last_at, run.c.current, run.c.granted, run.c.ranges)
        query = (
            select(*columns)
            .join(workload, workload.c.id == run.c.workload_id)
            .where(workload.c.namespace == ref.namespace, workload.c.name == ref.name)
            .where(run.c.last_at >= int(since_s * MICROS), run.c.first_at <= int(end_s * MICROS))
            .order_by(run.c.first_at.desc(), run.c.id.desc())
            .limit(most)
        )
        with self._place.translated(), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        found = []
        for row in reversed(rows):
            spans = list(struct.iter_unpack("<4d", row.ranges))
            observed, peak = tuple(s[1] for s in spans), tuple(s[3] for s in spans)
            numbers = (row.current, row.granted, observed, peak)
            found.append(RunNumbers(row.first_at / MICROS, row.last_at / MICROS, *numbers))
        return found

    def close(self) -> None:
        self._engine.dispose()
