"""What came in the same window on the last days."""

import numpy as np
import pytest

from autoscaler.domain.calendar import Once
from autoscaler.domain.season import Season
from autoscaler.domain.series import Floats, Panel, SeriesBatch
from autoscaler.forecasting.teams import Rows
from autoscaler.forecasting.usual import UsualPeak, usual_peaks

DAY = 288


def _panel(values: Floats) -> Panel:
    return Panel.of(SeriesBatch.judge(300, 0, values))


def _days(*levels: float) -> Floats:
    """Days of five-minute steps at 1, with one spike of each level at noon."""
    days = np.ones((len(levels), DAY))
    days[:, 144] = levels
    return days.reshape(1, -1)


def _ask(
    values: Floats, origins: list[int], lead: int = 2, delay: int = 0, season: Season | None = None
) -> list[float]:
    rows = Rows(["a"], np.array([lead]), np.array([delay]), seasons=None if season is None else [season])
    faults: dict[str, str] = {}
    found = usual_peaks(_panel(values), rows, np.array(origins), faults)
    assert not faults
    return found[0].tolist()


def test_a_spike_at_the_same_minute_is_foreseen_one_lead_ahead_and_an_incident_of_one_day_is_not() -> None:
    noon = 3 * DAY + 144
    assert _ask(_days(9.0, 8.0, 7.0, 1.0), [noon - 3, noon - 2, noon - 1, noon, noon + 1]) == [1, 8, 8, 8, 1]
    assert _ask(_days(1.0, 90.0, 1.0, 1.0), [noon]) == [1]


@pytest.mark.parametrize(("known", "expected"), [(3, 8.0), (2, 7.5), (1, 7.0)])
def test_days_that_are_not_known_are_left_out(known: int, expected: float) -> None:
    values = _days(9.0, 8.0, 7.0, 1.0)
    values[0, : (3 - known) * DAY] = np.nan
    assert _ask(values, [3 * DAY + 144]) == [expected]


def test_without_a_known_day_nothing_is_usual() -> None:
    assert np.isnan(_ask(_days(9.0, 1.0), [100])).all()
    assert np.isnan(UsualPeak().peaks(_panel(_days(1.0, 1.0)), np.array([DAY]), DAY)).all()


def test_the_window_begins_with_the_first_step_that_is_not_in_yet() -> None:
    noon = 3 * DAY + 144
    values = _days(9.0, 8.0, 7.0, 1.0)
    assert _ask(values, [noon + 1], lead=2) == [1]
    assert _ask(values, [noon + 1], lead=2, delay=1) == [8]


def test_what_owners_exclude_is_no_usual_day() -> None:
    values = _days(9.0, 8.0, 7.0, 1.0)
    season = Season(excluded=(Once(2 * DAY * 300.0, 3 * DAY * 300.0),))
    assert _ask(values, [3 * DAY + 144], season=season) == [8.5]


def test_a_block_and_single_origins_agree() -> None:
    values = np.random.default_rng(3).gamma(2.0, 1.0, (1, 4 * DAY))
    values[0, 700:760] = np.nan
    origins = list(range(3 * DAY - 40, 3 * DAY + 40))
    assert _ask(values, origins) == [_ask(values[:, :origin], [origin])[0] for origin in origins]
