"""F09, S08: what lies in imported history, through a service with the real engine: an outage day of the sensor, one of
the service, a load test, and an attack that drifted for two weeks.
"""

import numpy as np
import pytest

from autoscaler.domain.decision import Decision
from autoscaler.domain.notes import Condition
from autoscaler.forecasting.naive import SeasonalNaive
from tests.unit.bootstrap.test_anomalies_in_service import (
    BEGIN,
    DAYS,
    EVENT,
    LATER,
    STEP,
    clock,
    metrics,
    start,
    ticked,
)

__all__ = ["clock", "start"]
pytestmark = pytest.mark.slow
DAY = 288
AT = int((EVENT - BEGIN) / STEP)
YESTERDAY = slice(AT - DAY - 6, AT - DAY + 24)
"""Two and a half hours around the same time of the day before."""


TRUST = """apiVersion: foresail.dev/v1alpha1
kind: GuardPolicy
metadata: {name: trust}
spec: {selector: {namespaces: [shop]}, limits: {forecastTrust: {maxOverObserved: 1.5}}}
"""


def decided(running, clock) -> list[Decision]:
    found = ticked(running, clock, EVENT - 6 * STEP, 6 + LATER)
    running.close()
    return found


def granted(found: list[Decision]) -> np.ndarray:
    return np.array([d.granted for d in found])


def moved(found: list[Decision]) -> list[str]:
    return [n.words for d in found for n in d.notes if n.condition is Condition.BASELINE_MOVED]


@pytest.fixture
def ordinary(start, clock) -> list[Decision]:
    return decided(start(metrics(), record="ordinary.db"), clock)


def test_F09_a_fault_of_the_sensor_in_imported_history_teaches_nothing(start, clock, ordinary) -> None:
    found = metrics()
    found["web"][YESTERDAY] *= 1000
    running = start(found)
    got = granted(decided(running, clock))
    np.testing.assert_allclose(got, granted(ordinary), rtol=0.15, atol=2)
    panel = running.pipeline.history.panel()
    at = int(BEGIN.timestamp() // 300) + YESTERDAY.start + 6
    assert np.isnan(panel.columns(at, at + 12)).all()
    assert np.isfinite(panel.columns(at - DAY, at - DAY + 12)).all()


def test_F09_an_imported_day_of_outage_at_zero_is_not_taken_for_demand(start, clock, ordinary) -> None:
    """Zeros are values, so yesterday and the same day a week ago both say that nobody comes at this hour."""
    found, excluded = metrics(), []
    for begin in (AT - DAY - 72, AT - 7 * DAY - 144):
        at = slice(begin, begin + DAY)
        found["web"][at], found["web_errors"][at], found["web_cpu"][at] = 0.0, 0.0, 0.0
        began, ended = (f"{BEGIN + k * STEP:%Y-%m-%dT%H:%M:%SZ}" for k in (at.start, at.stop))
        excluded.append(f'{{when: {{once: {{from: "{began}", until: "{ended}"}}}}, reason: outage}}')
    learning = start(found)
    learned = decided(learning, clock)
    panel, origins = learning.pipeline.history.panel(), int(EVENT.timestamp() // 300) + np.arange(LATER)
    yesterday = SeasonalNaive(86400, "day").peaks(panel, origins, 1)[:1]
    np.testing.assert_array_equal(yesterday, 0.0)  # who believes yesterday alone, forecasts the outage again
    spec = {"calibration": f"{{exclude: [{', '.join(excluded)}]}}"}
    without = decided(start(found, spec, record="excluded.db"), clock)
    need = np.array([np.ceil((d.demands[0].observed or np.nan) / 10) for d in learned])
    for got in (learned, without):
        np.testing.assert_allclose(granted(got), granted(ordinary), rtol=0.15, atol=2)
        assert (granted(got) >= need).all()
    told = [n.words for n in without[-1].notes if n.condition is Condition.CALIBRATION_EXCLUDED]
    assert len(told) == 1
    assert "outage" in told[0]


def test_F09_load_tests_that_the_user_excludes_are_not_forecast_again(start, clock, ordinary) -> None:
    found, excluded = metrics(), []
    for day in range(5):
        at = slice(YESTERDAY.start - day * DAY, YESTERDAY.stop - day * DAY)
        found["web"][at] *= 4
        began, ended = (f"{BEGIN + k * STEP:%Y-%m-%dT%H:%M:%SZ}" for k in (at.start, at.stop))
        excluded.append(f'{{when: {{once: {{from: "{began}", until: "{ended}"}}}}, reason: load test}}')
    learned = granted(decided(start(found), clock))
    spec = {"calibration": f"{{exclude: [{', '.join(excluded)}]}}"}
    without = granted(decided(start(found, spec, record="excluded.db"), clock))
    assert learned.max() > 1.5 * granted(ordinary).max(), "load tests are learned, or this test shows nothing"
    np.testing.assert_allclose(without, granted(ordinary), rtol=0.15, atol=2)


def test_S08_a_drift_of_two_weeks_is_announced_and_buys_no_more_than_policy_believes(start, clock, ordinary) -> None:
    found = metrics()
    for day in range(DAYS - 1):
        at = slice(YESTERDAY.start - (DAYS - 2 - day) * DAY, YESTERDAY.stop - (DAYS - 2 - day) * DAY)
        found["web"][at] *= 1 + 0.4 * day
    free = decided(start(found), clock)
    assert any("a day two weeks ago and reaches" in words for words in moved(free))
    assert not moved(ordinary)
    need = np.array([(d.demands[0].observed or np.nan) / 10 for d in free])
    assert (granted(free) > 2 * need).any(), "the attack works without a policy, or this test shows nothing"
    bounded = granted(decided(start(found, more=TRUST, record="bounded.db"), clock))[6:]
    assert (bounded <= 1.5 * need[6:] * 1.1 + 1).all()
    assert (bounded >= np.floor(need[6:])).all()
