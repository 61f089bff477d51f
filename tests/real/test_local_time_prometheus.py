"""Weeks with a change of the clock, from a real Prometheus (FAULTS F07): no missing hour, no double one, in either
direction.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.domain.season import Season
from autoscaler.domain.series import Panel
from autoscaler.domain.workload import Demand
from autoscaler.forecasting.local_seasons import BySeason, grouped
from autoscaler.forecasting.naive import DAY_S, SeasonalNaive
from tests.real.history import series

STEP_S, DAY = 300, 288
CASES = [
    ("Europe/Prague", "2026-03-29T01:00Z"),
    ("Europe/Prague", "2025-10-26T01:00Z"),
    ("America/New_York", "2026-03-08T07:00Z"),
    ("America/New_York", "2025-11-02T06:00Z"),
]


def by_the_clock(zone: str, step: int) -> float:
    """Requests per second at a step: a day's shape in the zone's local time."""
    moment = datetime.fromtimestamp(step * STEP_S, UTC).astimezone(ZoneInfo(zone))
    hour = moment.hour + moment.minute / 60
    return float(100 + 80 * np.tanh(2 * (hour - 8)) - 80 * np.tanh(2 * (hour - 19)))


@pytest.mark.parametrize(("zone", "change"), CASES)
def test_F07_yesterday_and_last_week_are_those_of_the_local_clock(prometheus, zone, change):
    at = int(datetime.fromisoformat(change).timestamp()) // STEP_S
    steps = np.arange(at - 9 * DAY, at + 9 * DAY)
    demand = np.array([by_the_clock(zone, int(k)) for k in steps])
    # a sample at the end of its step, as a scrape would bring it
    times = ((steps + 1) * STEP_S).astype(float).tolist()
    server = prometheus({series("requests_per_second", app="web"): (times, demand.tolist())})
    reader = PrometheusReader(PrometheusSettings("prod", server.url, timeout_s=5.0))
    try:
        asked = Demand("requests", "prod", "sum(requests_per_second)", 10.0)
        batch = reader.load([asked], int(steps[0]), int(steps[-1]) + 1, STEP_S)
    finally:
        reader.close()
    panel = Panel.of(batch)
    known = panel.columns(int(steps[0]), int(steps[-1]) + 1)[0]
    assert np.isfinite(known).mean() > 0.99, "the query range has no hole where the clock was moved"

    for season_s, days in ((DAY_S, 1), (7 * DAY_S, 7)):
        model = SeasonalNaive(season_s, "season")
        origins = np.arange(at, at + days * DAY, dtype=np.int64)
        came = known[origins - steps[0]]
        local = BySeason(model, grouped([Season(zone)])).peaks(panel, origins, 0)[0]
        absolute = model.peaks(panel, origins, 0)[0]
        assert np.isfinite(local).all()
        near = np.abs(local - came) < 1.0
        assert near.mean() > 1 - 20 / len(origins), "but around the hour of the change itself"
        assert np.abs(local - came)[24:].max() < 10
        assert np.abs(absolute - came)[24:].max() > 60
