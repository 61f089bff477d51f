"""Reads the record, also from another process and while the writer writes. Every call has a connection of its own."""

from __future__ import annotations

import logging
import struct
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, func, select

from autoscaler.adapters.store.codec import UnreadablePayload, unpack
from autoscaler.adapters.store.migrate import must_be_at_head
from autoscaler.adapters.store.place import Place
from autoscaler.adapters.store.retention import used_bytes
from autoscaler.adapters.store.schema import micros, moment, payload, run, workload
from autoscaler.domain.record import Range, RecordedRun, StoreSize
from autoscaler.domain.workload import WorkloadRef

_log = logging.getLogger(__name__)

_MICROS_PER_DAY = 86_400_000_000


class StoredDecisions:
    """DecisionReader over a store."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._engine = place.reading()

    @classmethod
    def open(cls, where: str | Path) -> StoredDecisions:
        """Refused when there is no record at `where`, or one that this version cannot read."""
        place = Place.of(where)
        must_be_at_head(place)
        return cls(place)

    def workloads(self) -> Sequence[WorkloadRef]:
        query = select(workload.c.namespace, workload.c.name).order_by(workload.c.namespace, workload.c.name)
        return [WorkloadRef(row.namespace, row.name) for row in self._rows(query)]

    def run_at(self, workload: WorkloadRef, at: datetime | None = None) -> RecordedRun | None:
        """The run in force at `at`; Refused (UnreadablePayload) if a newer version wrote its payload."""
        query = _runs_of(workload).order_by(run.c.first_at.desc(), run.c.id.desc()).limit(1)
        if at is not None:
            query = query.where(run.c.first_at <= micros(at))
        found = self._rows(query)
        return self._recorded(found[0], workload) if found else None

    def history(
        self,
        workload: WorkloadRef,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1000,
    ) -> Sequence[RecordedRun]:
        """Oldest first. A run whose payload cannot be read is left out with a warning; `run_at` says why."""
        query = _runs_of(workload).order_by(run.c.first_at.desc(), run.c.id.desc()).limit(limit)
        if since is not None:
            query = query.where(run.c.last_at >= micros(since))
        if until is not None:
            query = query.where(run.c.first_at <= micros(until))
        runs = []
        for row in reversed(self._rows(query)):
            try:
                runs.append(self._recorded(row, workload))
            except UnreadablePayload as why:
                _log.warning("recorded_run_unreadable %s", why)
        return runs

    def size(self) -> StoreSize:
        """bytes_per_workload_day: bytes in use over the days that each workload's runs span; None if they span none."""
        spans = (
            select(
                func.count().label("runs"),
                func.sum(run.c.ticks).label("ticks"),
                (func.max(run.c.last_at) - func.min(run.c.first_at)).label("span"),
            )
            .group_by(run.c.workload_id)
            .subquery()
        )
        query = select(func.sum(spans.c.runs), func.sum(spans.c.ticks), func.count(), func.sum(spans.c.span))
        with self._place.translated(), self._engine.connect() as connection:
            runs, ticks, workloads, span = connection.execute(query).one()
            connection.rollback()
            used = used_bytes(connection)
        days = (span or 0) / _MICROS_PER_DAY
        return StoreSize(
            bytes=self._bytes_on_disk(used),
            runs=runs or 0,
            ticks=ticks or 0,
            workloads=workloads,
            bytes_per_workload_day=used / days if days > 0 else None,
        )

    def close(self) -> None:
        self._engine.dispose()

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with self._place.translated(), self._engine.connect() as connection:
            return connection.execute(query).all()

    def _bytes_on_disk(self, used: int) -> int:
        path = self._place.path
        if path is None:
            return used
        files = (path, self._place.log)
        return sum(file.stat().st_size for file in files if file.exists())

    def _recorded(self, row: Row[Any], ref: WorkloadRef) -> RecordedRun:
        try:
            decision = unpack(row.body)
        except UnreadablePayload as why:
            place = f"{self._place.label}: {ref} at {moment(row.first_at):%Y-%m-%d %H:%M:%S} UTC (run {row.id})"
            raise UnreadablePayload(f"{place}: {why}") from why
        spans = list(struct.iter_unpack("<4d", row.ranges))
        return RecordedRun(
            first_at=moment(row.first_at),
            last_at=moment(row.last_at),
            ticks=row.ticks,
            decision=decision,
            observed=tuple(_range(low, high) for low, high, _, _ in spans),
            sizing_quantile=tuple(_range(low, high) for _, _, low, high in spans),
            wanted=Range(row.wanted_low, row.wanted_high),
        )


def _runs_of(ref: WorkloadRef) -> Select[Any]:
    columns = (run.c.id, run.c.first_at, run.c.last_at, run.c.ticks, run.c.wanted_low, run.c.wanted_high, run.c.ranges)
    return (
        select(*columns, payload.c.body)
        .join(payload, payload.c.run_id == run.c.id)
        .join(workload, workload.c.id == run.c.workload_id)
        .where(workload.c.namespace == ref.namespace, workload.c.name == ref.name)
    )


def _range(low: float, high: float) -> Range:
    """NaN in the bytes is unknown."""
    known = low == low  # noqa: PLR0124 - NaN alone differs from itself
    return Range(low, high) if known else Range(None, None)
