"""The columns of the tables: which figures, in which order, and how a cell reads. Cost first, shortage right after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autoscaler.reporting.report.numbers import number, percent
from autoscaler.reporting.report.values import Figures, Method


@dataclass(frozen=True, slots=True)
class Column:
    """brief: also in the terminal's table."""

    title: str
    cell: Callable[[Figures], str]
    brief: bool = False


def _plain(key: str, digits: int) -> Callable[[Figures], str]:
    return lambda figures: number(figures[key], digits)


def _share(key: str) -> Callable[[Figures], str]:
    return lambda figures: percent(figures[key])


def _risk(figures: Figures) -> str:
    low, high = figures["riskLow"], figures["riskHigh"]
    interval = "" if low is None or high is None else f" ({low:.2f} – {high:.2f})"
    return f"{number(figures['riskRatio'])}{interval}"


COLUMNS = (
    Column("replica-hours", _plain("replicaHours", 0), brief=True),
    Column("over the bound", _plain("overBound", 3), brief=True),
    Column("minutes short", _plain("shortMinutes", 0), brief=True),
    Column("share short", _share("shortShare"), brief=True),
    Column("unserved demand", _share("unservedShare")),
    Column("worst: replicas missing", _plain("worstMissing", 0)),
    Column("worst: share of demand", _share("worstShare")),
    Column("longest, minutes", _plain("longestShortMinutes", 0)),
    Column("churn per hour", _plain("churnPerHour", 2)),
    Column("turns per day", _plain("turnsPerDay", 1)),
    Column("realised / accepted risk", _risk, brief=True),
)


def cheapest(methods: tuple[Method, ...]) -> tuple[float | None, ...]:
    """Per level, the least cost of any method."""
    levels = zip(*(m.cost_at for m in methods), strict=True)
    return tuple(min((c for c in costs if c is not None), default=None) for costs in levels)
