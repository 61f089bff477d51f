"""The record of decisions: one row per run of unchanged decisions, with the range of their inputs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from autoscaler.domain.decision import Decision


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest and largest value over a run; None = never known in it."""

    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run of ticks that decided the same for the same reasons.

    decision: of the run's first tick, complete. observed, sizing_quantile: ranges over the run, one per demand.
    wanted: range before guards.
    """

    first_at: datetime
    last_at: datetime
    ticks: int
    decision: Decision
    observed: tuple[Range, ...]
    sizing_quantile: tuple[Range, ...]
    wanted: Range


@dataclass(frozen=True, slots=True)
class StoreSize:
    """What the record costs: bytes on disk, runs kept, ticks they stand for, and bytes per workload and day."""

    bytes: int
    runs: int
    ticks: int
    workloads: int
    bytes_per_workload_day: float | None
