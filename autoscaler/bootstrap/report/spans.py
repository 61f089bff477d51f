"""Which parts of a record are worth looking at: the worst day, and a usual week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.series import Floats, Ints
from autoscaler.simulator.figures import DAY_S, Served

WEEK_S = 7 * DAY_S
_MONDAY_S = 4 * DAY_S
"""The epoch was a Thursday."""
_LEAST_OBSERVED = 0.5
"""Share of a week that must be observed for its total to mean something."""


@dataclass(frozen=True, slots=True)
class Part:
    """Steps [first, end) of the record's arrays, and why they are shown."""

    first: int
    end: int
    title: str
    why: str


def worst_day(ours: Served, rival: Served, names: tuple[str, str]) -> Part:
    """The UTC day with the most short minutes of either; without any shortage the one with the highest peak."""
    day = _periods(ours, DAY_S)
    shorts = [np.bincount(day, weights=s.short) * ours.step_s / 60 for s in (ours, rival)]
    most = np.maximum(*shorts)
    if most.any():
        at = int(np.argmax(most))
        mine, theirs = (round(float(s[at])) for s in shorts)
        why = f"Most minutes short of either: {names[0]} {mine:,}, {names[1]} {theirs:,}."
    else:
        at = int(np.argmax(_peaks(day, _scored_demand(ours))))
        why = "Neither was ever short, so this is the day with the highest peak."
    where = np.flatnonzero(day == at)
    return Part(int(where[0]), int(where[-1]) + 1, "The worst day", why)


def usual_week(ours: Served) -> Part:
    """The scored calendar week (UTC, from Monday) with the median total demand; of an even number the lower one."""
    scored = max(0, ours.scored_step - ours.first_step)
    demand, length = _scored_demand(ours), max(1, WEEK_S // ours.step_s)
    whole = _whole_weeks(ours, scored, length)
    if not whole:
        days = (len(demand) - scored) * ours.step_s / DAY_S
        return Part(
            min(scored, len(demand) - 1), len(demand), "All that was scored", f"{days:.1f} days, less than a week."
        )
    # the mean, so that gaps do not make a week look quiet
    level = [float(np.nanmean(demand[a : a + length])) for a in whole]
    at = int(np.argsort(level, kind="stable")[(len(level) - 1) // 2])
    why = (
        f"The week whose total demand is the median of {len(whole)}."
        if len(whole) > 1
        else "The only whole week of the scored record."
    )
    return Part(whole[at], whole[at] + length, "A usual week", why)


def _whole_weeks(served: Served, scored: int, length: int) -> list[int]:
    """First steps of observed whole weeks: from Mondays, or where no such week fits, from the first scored step."""
    demand = _scored_demand(served)
    start_s = (served.first_step + scored) * served.step_s - _MONDAY_S
    to_monday = int(-start_s % WEEK_S // served.step_s)
    for first in (scored + to_monday, scored):
        starts = range(first, len(demand) - length + 1, length)
        known = [a for a in starts if (~np.isnan(demand[a : a + length])).mean() >= _LEAST_OBSERVED]
        if known:
            return known
    return []


def _scored_demand(served: Served) -> Floats:
    return np.where(served.observed, served.demand, np.nan)


def _periods(served: Served, length_s: int) -> Ints:
    """[step], number of the calendar's period, from 0."""
    at = ((served.first_step + np.arange(len(served.demand))) * served.step_s) // length_s
    return np.asarray(at - at[0])


def _peaks(period: Ints, demand: Floats) -> Floats:
    peaks = np.full(int(period[-1]) + 1, -1.0)
    np.maximum.at(peaks, period, np.nan_to_num(demand, nan=-1.0))
    return peaks
