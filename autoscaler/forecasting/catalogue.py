"""The forecasters that serve, in the order in which ties are broken (naive ones win ties)."""

from __future__ import annotations

from autoscaler.forecasting.contract import PeakForecaster
from autoscaler.forecasting.naive import LastValue, SeasonalNaive

DAY_S = 86400


def serving_models() -> tuple[PeakForecaster, ...]:
    """Last value, the same time yesterday and last week, and yesterday's shape from today's level."""
    return (
        LastValue(),
        SeasonalNaive(DAY_S, "day"),
        SeasonalNaive(7 * DAY_S, "week"),
        SeasonalNaive(DAY_S, "day", anchored=True),
        SeasonalNaive(7 * DAY_S, "week", anchored=True),
    )
