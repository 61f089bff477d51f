"""Seasons by the wall clock, and without what the calendar marks: yesterday at eight is twenty-three hours ago on the
day after the clock went forward, and a sale of last week says nothing about this one.

A seasonal forecaster looks back by whole days of steps. For origins after a change of the clock it is shown a history
in which what lies before the change is moved by it, so that the same number of steps leads to the same local time:
a local hour that did not exist is the one after it, one that came twice counts once, and nothing is missing. For
origins after an event the event is unknown. The last steps before a change, and an event until it is over, stay as
they are, for what reads the present reads through them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from autoscaler.domain.local_time import LONGEST_S, clock_changes
from autoscaler.domain.season import Season, step_spans
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.contract import PeakForecaster
from autoscaler.forecasting.naive import DAY_S, REACH


@dataclass(frozen=True, slots=True)
class BySeason:
    """A seasonal forecaster asked by what the seasons of each row follow. seasons: [row], None = UTC alone."""

    model: PeakForecaster
    seasons: Sequence[Season | None]

    @property
    def name(self) -> str:
        return self.model.name

    def history_steps(self, step_s: int) -> int:
        return self.model.history_steps(step_s) + reach_steps(step_s)

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        """[row, origin]; rows whose past has neither a change of the clock nor an event are as the forecaster alone
        answers.
        """
        found = self.model.peaks(panel, origins, lead)
        if not len(origins) or lead + 2 * reach_steps(panel.step_s) >= DAY_S // panel.step_s:
            return found  # a season ago would reach into what is not known yet
        reach = self.history_steps(panel.step_s)
        low, end = int(origins[0]) - reach, int(origins[-1]) + 1
        for season in dict.fromkeys(s for s in self.seasons if s is not None):
            rows: Ints | None = None
            changes = () if season.zone is None else _steps_of(season.zone, panel.step_s, low, end)
            events = step_spans(season.events, low, end, panel.step_s) if season.events else ()
            for here, past in _stretches(origins, changes, events, reach):
                rows = np.flatnonzero([s == season for s in self.seasons]) if rows is None else rows
                values = past.shown(panel.columns(low, int(origins[here][-1]), rows), low)
                shown = Panel(panel.step_s, low, values, np.empty((0, 0), dtype=np.uint8))
                found[rows, here] = self.model.peaks(shown, origins[here], lead)
        return found


def reach_steps(step_s: int) -> int:
    """By how much further back a season may lie than its own length."""
    return LONGEST_S // step_s


def by_season(model: PeakForecaster, seasons: Sequence[Season | None]) -> PeakForecaster:
    """The forecaster, asked by season where some row follows more than UTC."""
    follow = any(s is not None and (s.zone is not None or s.events) for s in seasons)
    return BySeason(model, seasons) if follow else model


Change = tuple[int, int]
"""The first step under a new offset, and by how many steps the clock was moved there."""
Event = tuple[int, int]
"""Its first step and the one after its last."""


@dataclass(frozen=True, slots=True)
class _Past:
    """What lies behind some origins, within their reach, in order of time."""

    changes: tuple[Change, ...]
    events: tuple[Event, ...]

    def shown(self, values: Floats, first: int) -> Floats:
        """[row, step] from step `first` on (changed in place), by the clock that is kept at its end, without events."""
        for begin, end in self.events:
            values[:, max(0, begin - first) : max(0, end - first)] = np.nan
        if not self.changes:
            return values
        place: Ints = np.arange(first, first + values.shape[1], dtype=np.int64)
        source, moved = place.copy(), 0
        for at, by in reversed(self.changes):
            moved += by
            source = np.where(source < at - REACH, place + moved, source)
        inside = (source >= first) & (source < first + values.shape[1])
        return np.where(inside, values[:, np.where(inside, source - first, 0)], np.nan)


def _steps_of(zone: str, step_s: int, first: int, end: int) -> tuple[Change, ...]:
    """Changes that are whole steps, nearly: half an hour is nothing on a grid of hours."""
    found = clock_changes(zone, first * step_s, end * step_s)
    return tuple((-(-c.at_s // step_s), round(c.by_s / step_s)) for c in found if round(c.by_s / step_s))


def _stretches(
    origins: Ints, changes: Sequence[Change], events: Sequence[Event], reach: int
) -> Iterator[tuple[slice, _Past]]:
    """Origins that have the same changes and events behind them, within their reach; without any they are left out."""
    edges = {0, len(origins)}
    for begin, end in [(at, at + reach) for at, _ in changes] + [(end + REACH, end + reach) for _, end in events]:
        edges |= {int(np.searchsorted(origins, begin)), int(np.searchsorted(origins, end))}
    for low, high in pairwise(sorted(edges)):
        origin = int(origins[low])
        past = _Past(
            tuple(c for c in changes if c[0] <= origin < c[0] + reach),
            tuple(e for e in events if e[1] + REACH <= origin < e[1] + reach),
        )
        if past.changes or past.events:
            yield slice(low, high), past
