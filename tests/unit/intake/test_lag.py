"""Late data is learned from arrivals; an outage, a lost sample and a dead row are not lateness."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Panel, SeriesBatch
from autoscaler.intake.lag import MOST_STEPS, DataLag

ZERO = 1000


def observed(fleet: Fleet, arrivals: np.ndarray, ticks: int = 60, declared: int = 0) -> np.ndarray:
    """Lag [tick, lane] when row r's step k arrives at tick arrivals[r, k] (never, if that is past the end)."""
    lag, out = DataLag(), []
    for tick in range(1, ticks + 1):
        known = arrivals[:, :tick] <= tick
        raw = np.where(known, 5.0, np.nan)[:, : max(0, tick - declared)]
        panel = Panel.of(SeriesBatch.judge(60, ZERO, raw))
        out.append(lag.observe(panel, fleet, ZERO + tick))
    return np.array(out)


def on_time(rows: int, ticks: int = 60, late: int = 0) -> np.ndarray:
    """Step k is complete at tick k + 1."""
    return np.tile(np.arange(ticks) + 1 + late, (rows, 1))


def test_punctual_data_has_no_lag(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lanes=2)
    assert (observed(fleet, on_time(len(fleet.demands))) == 0).all()


def test_a_row_that_is_always_late_is_followed_and_costs_the_others_nothing(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lanes=2)
    arrivals = on_time(len(fleet.demands))
    late = fleet.row_lane == 1
    arrivals[late] += 6
    found = observed(fleet, arrivals)
    assert (found[:, 0] == 0).all()
    assert (found[10:, 1] == 6).all()


def test_what_the_reader_says_is_not_in_yet_counts_from_the_first_tick(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lanes=1)
    assert (observed(fleet, on_time(len(fleet.demands), late=2), declared=2)[3:] == 2).all()


def test_jitter_is_covered_and_forgotten_again(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lanes=1)
    arrivals = on_time(len(fleet.demands))
    arrivals[:, 10] += 1
    found = observed(fleet, arrivals)[:, 0]
    assert found.max() <= 1
    assert (found[40:] == 0).all()


def test_an_outage_and_a_lost_sample_are_not_lateness(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lanes=1)
    arrivals = on_time(len(fleet.demands))
    arrivals[:, 5] = 999
    arrivals[:, 20:40] = 999
    assert (observed(fleet, arrivals) == 0).all()


def test_a_lag_is_bounded(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(lanes=1, max_data_age_s=120.0)
    assert observed(fleet, on_time(len(fleet.demands), late=40)).max() <= MOST_STEPS


def test_a_changed_fleet_keeps_what_was_learned(make_fleet: Callable[..., Fleet]) -> None:
    both, one = make_fleet(lanes=2), make_fleet(lanes=1)
    lag = DataLag()
    for tick in range(1, 21):
        fleet = both if tick < 20 else one
        raw = np.full((len(fleet.demands), tick), np.nan)
        raw[:, : max(0, tick - 3)] = 5.0
        found = lag.observe(Panel.of(SeriesBatch.judge(60, ZERO, raw)), fleet, ZERO + tick)
    assert found.tolist() == [3]
