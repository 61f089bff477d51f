"""The simple forecasters of the peak: recent levels, the same window on past days, and a usual rise from now.

Source: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., §5.2 (naive and seasonal naive), here
for the peak of a window instead of a single step. Alone each is poor somewhere; calibrated and averaged by recent
loss they are hard to beat (docs/adr/0007).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.contract import shifted

DAY_S = 86400
REACH = 5
"""Steps back to the newest known demand that still counts as now."""


@dataclass(frozen=True, slots=True)
class LastValue:
    """The newest known demand of the last `reach` steps stays."""

    reach: ClassVar[int] = REACH

    @property
    def name(self) -> str:
        return "last-value"

    def history_steps(self, step_s: int) -> int:  # noqa: ARG002 - the reach is in steps already
        return self.reach

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:  # noqa: ARG002
        """[row, origin]; the lead does not matter: a constant is its own peak."""
        return newest(panel, origins)


@dataclass(frozen=True, slots=True)
class RecentMean:
    """The mean of the newest steps that are known stays: less noise than the last value alone."""

    steps: ClassVar[int] = 3

    @property
    def name(self) -> str:
        return "recent-mean"

    def history_steps(self, step_s: int) -> int:  # noqa: ARG002 - the reach is in steps already
        return REACH + self.steps

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:  # noqa: ARG002
        """[row, origin]; the lead does not matter: a constant is its own peak. NaN without a step within REACH."""
        columns = shifted(panel, origins, -REACH - self.steps + 1, 0)
        if not any(np.isnan(column).any() for column in columns[-self.steps :]):
            with np.errstate(over="ignore"):
                mean = sum(column / self.steps for column in reversed(columns[-self.steps :]))
            return np.where(np.isfinite(mean), mean, np.nan)
        total, known = np.zeros_like(columns[0]), np.zeros(columns[0].shape, dtype=np.int64)
        for back, column in enumerate(reversed(columns)):
            there = ~np.isnan(column) & (known < self.steps)
            if back >= REACH:
                there &= known > 0
            with np.errstate(over="ignore"):
                total = np.where(there, total + column / self.steps, total)
            known += there
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            mean = total * (self.steps / known)
        return np.where(np.isfinite(mean), mean, np.nan)


@dataclass(frozen=True, slots=True)
class RecentMax:
    """The largest demand of the last `span_s` seconds comes again."""

    span_s: int
    label: str

    @property
    def name(self) -> str:
        return f"recent-max-{self.label}"

    def history_steps(self, step_s: int) -> int:
        return max(1, self.span_s // step_s)

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:  # noqa: ARG002
        """[row, origin]; NaN where nothing of the span is known."""
        steps = self.history_steps(panel.step_s)
        stride = int(origins[1] - origins[0]) if len(origins) > 1 else 1
        low, high = int(origins[0]), int(origins[-1])
        most = panel.columns(low - steps, high)
        width = high - low + 1
        covered = 1
        while covered < steps:  # doubling: log2(steps) passes
            shift = min(covered, steps - covered)
            most = np.fmax(most[:, shift:], most[:, : most.shape[1] - shift])
            covered += shift
        return np.ascontiguousarray(most[:, :width:stride])


@dataclass(frozen=True, slots=True)
class SeasonalNaive:
    """The peak of the same window one season ago."""

    season_s: int
    label: str

    @property
    def name(self) -> str:
        return f"seasonal-naive-{self.label}"

    def history_steps(self, step_s: int) -> int:
        return self.season_s // step_s

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        """[row, origin]; NaN where the season ago was not observed, or is shorter than the lead window."""
        season = self.season_s // panel.step_s
        if season <= lead:
            return np.full((panel.rows, len(origins)), np.nan)
        return peak_of_window(panel, origins - season, lead)


@dataclass(frozen=True, slots=True)
class UsualRise:
    """From now on as on usual days: the median over the last days of how the window's peak stood to its start.

    by: "difference" adds the usual rise to the newest demand, "ratio" multiplies by it (growth keeps its shape). In the
    dark (a source that is away, data that is not believed) it goes on for a day from the last demand that was seen,
    and to no more than the most that was seen in the last days: what dies often lies first, and a burst at night times
    the usual rise to noon is no demand.
    """

    by: Literal["difference", "ratio"]
    days: ClassVar[int] = 7

    @property
    def name(self) -> str:
        return f"usual-{self.by}"

    def history_steps(self, step_s: int) -> int:
        return (self.days + 1) * DAY_S // step_s + REACH

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        """[row, origin]; NaN without a known demand of the last day, or a past day that is known at this time."""
        day = DAY_S // panel.step_s
        now = newest(panel, origins)
        if day <= lead + 1:
            return np.full_like(now, np.nan)
        found = self._risen(now, _past_days(panel, origins, lead, self.days))
        dark = np.isnan(now)
        if dark.any():
            rows, times = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
            here = np.ix_(rows, np.arange(times[0], times[-1] + 1))
            some = Panel(panel.step_s, panel.first_step, panel.values[rows], np.empty((0, 0), dtype=np.uint8))
            last, past = _since_last_seen(some, origins[times[0] : times[-1] + 1], lead, self.days)
            most = RecentMax(self.days * DAY_S, "seen").peaks(some, origins[times[0] : times[-1] + 1], lead)
            found[here] = np.where(dark[here], np.minimum(self._risen(last, past), most), found[here])
        return found

    def _risen(self, now: Floats, past: Iterator[tuple[Floats, Floats]]) -> Floats:
        """past: of each of the days, the peak of the window and the demand that stands for now."""
        rises = np.empty((self.days, *now.shape))
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            for back, (peak, start) in enumerate(past):
                if self.by == "difference":
                    rises[back] = peak - start
                else:
                    rises[back] = np.where((peak == 0) & (start == 0), 1.0, peak / start)
            rises[~np.isfinite(rises)] = np.nan
            usual = column_median(rises)
            found = np.maximum(now + usual, 0.0) if self.by == "difference" else now * usual
        return np.where(np.isfinite(found), found, np.nan)


def _past_days(panel: Panel, origins: Ints, lead: int, days: int) -> Iterator[tuple[Floats, Floats]]:
    """For each of the last days, the newest first: the peak of the window at this time, and the newest demand before.

    Long stretches of origins are looked at once over all days, as those of one day are those of the next.
    """
    day = DAY_S // panel.step_s
    stride = int(origins[1] - origins[0]) if len(origins) > 1 else 1
    each, between = len(origins), day // stride
    if day % stride or each * days <= each + (days - 1) * between:
        for back in range(1, days + 1):
            yield peak_of_window(panel, origins - back * day, lead), newest(panel, origins - back * day)
        return
    every = np.arange(int(origins[0]) - days * day, int(origins[-1]) - day + 1, stride, dtype=np.int64)
    peak, start = peak_of_window(panel, every, lead), newest(panel, every)
    for back in range(1, days + 1):
        here = slice((days - back) * between, (days - back) * between + each)
        yield peak[:, here], start[:, here]


def _since_last_seen(
    panel: Panel, origins: Ints, lead: int, days: int
) -> tuple[Floats, Iterator[tuple[Floats, Floats]]]:
    """The last demand of the day before each origin, and as `_past_days` from that moment of each past day on."""
    day, first = DAY_S // panel.step_s, int(origins[0])
    known = ~np.isnan(panel.columns(first - day, int(origins[-1])))
    places = np.maximum.accumulate(np.where(known, np.arange(known.shape[1], dtype=np.int32), -1), axis=1)
    at = origins - 1 - (first - day)
    place = places[:, at].astype(np.int64)
    seen = np.where(place > at - day, place, -1)
    last = np.where(seen >= 0, seen + first - day, panel.first_step - 1)

    def past() -> Iterator[tuple[Floats, Floats]]:
        for back in range(1, days + 1):
            start = np.full(last.shape, np.nan)
            for earlier in range(REACH):
                start = np.where(np.isnan(start), _taken(panel, last - back * day - earlier), start)
            yield peak_of_window(panel, origins - back * day, lead), start

    return _taken(panel, last), past()


def _taken(panel: Panel, steps: Ints) -> Floats:
    """[row, origin], demand of each row at its own steps [row, origin]; NaN outside."""
    at = steps - panel.first_step
    inside = (at >= 0) & (at < panel.values.shape[1])
    if not inside.any():
        return np.full(at.shape, np.nan)
    return np.where(inside, np.take_along_axis(panel.values, np.where(inside, at, 0), axis=1), np.nan)


def newest(panel: Panel, origins: Ints) -> Floats:
    """[row, origin], the newest known demand of the last REACH steps."""
    columns = shifted(panel, origins, -REACH, 0)
    found = columns[-1].copy()
    unknown = np.isnan(found)
    for older in reversed(columns[:-1]):
        if not unknown.any():
            break
        np.copyto(found, older, where=unknown)
        unknown = np.isnan(found)
    return found


def peak_of_window(panel: Panel, origins: Ints, lead: int) -> Floats:
    """[row, origin], largest known demand over origin … origin + lead; NaN where nothing of it is known."""
    first, *rest = shifted(panel, origins, 0, lead + 1)
    peak = first.copy()
    for column in rest:
        np.fmax(peak, column, out=peak)
    return peak


NETWORK = (
    (0, 6), (2, 3), (4, 5), (0, 2), (1, 4), (3, 6), (0, 1), (2, 5),
    (3, 4), (1, 2), (4, 6), (2, 3), (4, 5), (1, 2), (3, 4), (5, 6),
)  # fmt: skip
"""Pairs that, put in order one after the other, sort seven numbers (Knuth, The Art of Computer Programming 3, §5.3.4):
whole arrays at once, where sorting along an axis of seven would jump through memory."""
CHUNK = 1 << 14
"""Numbers of each array that are sorted at a time: seven of them stay in a core's own cache."""


def column_median(values: Floats) -> Floats:
    """Median over the first axis of what is not NaN; NaN where nothing is."""
    if len(values) != 1 + max(high for _, high in NETWORK) or np.isnan(values).any():
        return _median_of_known(values)
    flat = values.reshape(len(values), -1)
    middle = np.empty(flat.shape[1])
    for begin in range(0, flat.shape[1], CHUNK):
        part = [each.copy() for each in flat[:, begin : begin + CHUNK]]
        for low, high in NETWORK:
            part[low], part[high] = np.minimum(part[low], part[high]), np.maximum(part[low], part[high])
        middle[begin : begin + CHUNK] = part[len(part) // 2]
    return middle.reshape(values.shape[1:])


def _median_of_known(values: Floats) -> Floats:
    ordered, known = np.sort(values, axis=0), (~np.isnan(values)).sum(axis=0)
    low, high = np.maximum(known - 1, 0) // 2, known // 2
    high = np.minimum(high, np.maximum(known - 1, 0))
    pair = np.take_along_axis(ordered, np.stack((low, high)), axis=0)
    with np.errstate(over="ignore"):
        return np.asarray(pair[0] / 2 + pair[1] / 2)
