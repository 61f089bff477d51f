"""When an incident is over: what outlasts its cause is bounded, and stands in docs/anomaly-detection.md."""

import numpy as np
import pytest

from autoscaler.detection.contract import Block
from autoscaler.detection.engine import DetectionEngine
from autoscaler.domain.incident import Happening
from autoscaler.domain.signals import SignalKind
from autoscaler.pipeline.detecting import Asked, Explainer, Group, Watch

STEP_S, DAY, DAYS = 300, 288, 8
BEGIN = 20_000 * DAY


@pytest.mark.parametrize("factor", [3.0, 0.3])
def test_half_an_hour_of_odd_demand_is_over_within_three_quarters_of_an_hour(factor: float) -> None:
    rng = np.random.default_rng(8)
    t = np.arange(DAYS * DAY) / DAY
    load = (300 + 200 * np.sin(2 * np.pi * (t - 0.3))) * rng.lognormal(0, 0.04, t.size)
    at = int((DAYS - 1 + 0.4) * DAY)
    load[at : at + 6] *= factor
    watch = Watch.of_groups([Group("g", 1.0, (Asked("load", "watch", "q", SignalKind.DEMAND),))])
    found = DetectionEngine(watch.watched, STEP_S).relive(Block(STEP_S, BEGIN, load[None, :]))
    _, news = Explainer(watch, STEP_S).take(found)
    end_s = float((BEGIN + at + 6) * STEP_S)
    opened = [n.incident.opened_s for n in news if n.happening is Happening.OPENED]
    over = [n.incident.updated_s for n in news if n.happening is Happening.RESOLVED and n.incident.updated_s > end_s]
    assert end_s - 1800 < opened[-1] <= end_s - 1200, "it is told within ten minutes"
    assert 900 <= over[0] - end_s <= 2700
