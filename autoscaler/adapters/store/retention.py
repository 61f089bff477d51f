"""How much is kept: oldest runs go first, in small batches, never one that is still open."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, select, text

from autoscaler.adapters.store.schema import run, workload

BATCH_RUNS = 500
BUDGET_S = 0.2
_MICROS_PER_DAY = 86_400_000_000
_VACUUM_PAGES = 2000
_LOW_WATER = 0.95


@dataclass(frozen=True, slots=True)
class Retention:
    """keep_days: age of a run's last tick. max_bytes: size of the database without its free pages."""

    keep_days: float = 35.0
    max_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        if not (self.keep_days > 0 and self.max_bytes > 0):
            raise ValueError(f"the record must be kept for some time and in some space, not {self}")


@dataclass(frozen=True, slots=True)
class Pruned:
    runs: int
    more: bool
    workloads_gone: bool


def prune(connection: Connection, retention: Retention, newest: int) -> Pruned:
    """Delete what is too old, then what is too much, for at most BUDGET_S.

    newest: time of the last tick on disk; runs that reach it are open and stay.
    """
    until = time.monotonic() + BUDGET_S
    gone, more = 0, False
    too_old = newest - int(retention.keep_days * _MICROS_PER_DAY)
    for limit_bytes, before in ((None, too_old), (retention.max_bytes, newest)):
        if limit_bytes is not None and used_bytes(connection) <= limit_bytes:
            continue
        goal = None if limit_bytes is None else int(limit_bytes * _LOW_WATER)
        while goal is None or used_bytes(connection) > goal:
            batch = _delete_batch(connection, before)
            gone += batch
            more = batch == BATCH_RUNS and time.monotonic() >= until
            if batch < BATCH_RUNS or more:
                break
    if not gone:
        return Pruned(0, more=False, workloads_gone=False)
    with connection.begin():
        orphans = connection.execute(delete(workload).where(~exists().where(run.c.workload_id == workload.c.id)))
    _shrink(connection)
    return Pruned(gone, more, workloads_gone=orphans.rowcount > 0)


def used_bytes(connection: Connection) -> int:
    """Bytes of the database that hold something."""
    if connection.dialect.name == "sqlite":
        pages, free, size = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
        used = (pages - free) * size
    else:
        used = int(
            connection.execute(
                text("SELECT sum(pg_total_relation_size(t)) FROM (VALUES ('run'), ('payload'), ('workload')) AS v(t)")
            ).scalar_one()
        )
    if connection.in_transaction():
        connection.rollback()
    return used


def _delete_batch(connection: Connection, before: int) -> int:
    oldest = select(run.c.id).where(run.c.last_at < before).order_by(run.c.last_at).limit(BATCH_RUNS)
    with connection.begin():
        return connection.execute(delete(run).where(run.c.id.in_(oldest.scalar_subquery()))).rowcount


def _shrink(connection: Connection) -> None:
    """Give free pages back to the file system."""
    if connection.dialect.name != "sqlite":
        return
    # as a script: `execute` and `fetchall` would step once, and each page freed is a step
    raw = connection.connection.driver_connection
    if raw is not None:
        raw.executescript(f"BEGIN IMMEDIATE; PRAGMA incremental_vacuum({_VACUUM_PAGES}); COMMIT")
