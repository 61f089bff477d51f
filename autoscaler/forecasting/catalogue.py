"""The forecasters that serve, calibrated and averaged by recent loss (naive ones first: they name a tie)."""

from __future__ import annotations

from autoscaler.forecasting.contract import PeakForecaster
from autoscaler.forecasting.naive import DAY_S, RecentMax, RecentMean, SeasonalNaive, UsualRise

HOURLY = ("recent-mean", "recent-max-15m", "usual-ratio")
"""Calibrated by minute of the hour too: what runs by the clock comes at the same minutes. The others gain nothing."""

BASELINE, WEEKLY = "seasonal-naive-day", "seasonal-naive-week"
"""What all together must beat to serve, and what tells that a workload has a whole season behind it."""


SEASONAL = ("seasonal-naive-day", "seasonal-naive-week", "usual-difference", "usual-ratio")
"""Look back by days, and so by the local time of a row that has a zone."""


def serving_models() -> tuple[PeakForecaster, ...]:
    """Recent level and peaks, the same window yesterday and last week, and the usual rise from now."""
    return (
        RecentMean(),
        RecentMax(900, "15m"),
        RecentMax(3600, "60m"),
        SeasonalNaive(DAY_S, "day"),
        SeasonalNaive(7 * DAY_S, "week"),
        UsualRise("difference"),
        UsualRise("ratio"),
    )
