"""The tables of the record, as the newest migration leaves them. Times are microseconds since the epoch.

A payload lives apart from its run: rows that every tick extends stay small and close together on disk.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

HEAD = "0004"
"""Revision that this code writes and reads."""

KNOWN_REVISIONS = ("0001", "0002", "0003", HEAD)
VERSION_TABLE = "alembic_version"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BIG = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

workload = Table(
    "workload",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("namespace", "name", name="workload_namespace_name"),
)

# ranges: little-endian float64 [demand, 4]: observed low and high, sizing quantile low and high; NaN = never known.
run = Table(
    "run",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("workload_id", _BIG, ForeignKey("workload.id", name="run_workload", ondelete="CASCADE"), nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("ticks", Integer, nullable=False),
    Column("granted", Integer, nullable=False),
    Column("current", Integer, nullable=False),
    Column("wanted_low", Integer, nullable=False),
    Column("wanted_high", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("ranges", LargeBinary, nullable=False),
    Index("run_workload_first", "workload_id", "first_at"),
    Index("run_last", "last_at"),
)

payload = Table(
    "payload",
    metadata,
    Column("run_id", _BIG, ForeignKey("run.id", name="payload_run", ondelete="CASCADE"), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# One row per alert that ever began; body: its newest form as JSON.
alert = Table(
    "alert",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("key", Text, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("resolved_at", BigInteger),
    Column("body", Text, nullable=False),
    UniqueConstraint("key", "starts_at", name="alert_key_starts"),
    Index("alert_resolved", "resolved_at"),
)

# What waits for a destination, in the order of id; body: the alert as it was at that change.
notice = Table(
    "notice",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("destination", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("queued_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("notice_destination", "destination", "id"),
    sqlite_autoincrement=True,
)

# What a destination was told, one row for each thread; body: JSON that the destination's sender alone reads.
receipt = Table(
    "receipt",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("thread", Text, primary_key=True),
    Column("kept_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

# Incidents that detection found; body: JSON, with evidence and the course of the first metrics.
incident = Table(
    "incident",
    metadata,
    Column("id", Text, primary_key=True),
    Column("opened_at", BigInteger, nullable=False),
    Column("resolved_at", BigInteger),
    Column("body", Text, nullable=False),
    Index("incident_opened", "opened_at"),
)

# What a person said of an incident: apart from it, as another process writes it.
feedback = Table(
    "feedback",
    metadata,
    Column("incident", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("said_at", BigInteger, nullable=False),
)


def micros(when: datetime) -> int:
    """Exact microseconds since the epoch of an aware datetime."""
    if when.tzinfo is None:
        raise ValueError(f"{when!r} has no time zone; pass an aware datetime")
    return (when - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
