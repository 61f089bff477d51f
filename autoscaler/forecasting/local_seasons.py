"""Seasons by the wall clock, and without what the calendar marks: yesterday at eight is twenty-three hours ago on the
day after the clock went forward, and a sale of last week says nothing about this one.

A seasonal forecaster looks back by whole days of steps. For origins after a change of the clock it is shown a history
in which what lies before the change is moved by it, so that the same number of steps leads to the same local time:
a local hour that did not exist is the one after it, one that came twice counts once, and nothing is missing. For
origins after an event the event is unknown. The last steps before a change, and an event until it is over, stay as
they are, for what reads the present reads through them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from autoscaler.domain.local_time import LONGEST_S, clock_changes
from autoscaler.domain.season import Season, step_spans
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.contract import PeakForecaster
from autoscaler.forecasting.naive import DAY_S, REACH

DEEPEST_S = 7 * DAY_S


Shown = dict[tuple[int, Season, int, int], tuple[Panel, Panel]]
"""(id of a panel, season, first and last origin) → that panel, and what of it is shown to those origins."""


@dataclass(frozen=True, slots=True)
class BySeason:
    """A seasonal forecaster asked by what the seasons of each row follow. groups: season → its rows, rising; the others
    follow UTC alone. shown: what several forecasters that are asked the same keep together.
    """

    model: PeakForecaster
    groups: Mapping[Season, Ints]
    shown: Shown = field(default_factory=dict)

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
        reach = max(self.history_steps(panel.step_s), DEEPEST_S // panel.step_s + REACH + reach_steps(panel.step_s))
        low, end = int(origins[0]) - reach, int(origins[-1]) + 1
        for season, rows in self.groups.items():
            changes = () if season.zone is None else steps_of(season.zone, panel.step_s, low, end)
            events = step_spans(season.events, low, end, panel.step_s) if season.events else ()
            for here, past in _stretches(origins, changes, events, reach):
                key = (id(panel), season, int(origins[here][0]), int(origins[here][-1]))
                if key not in self.shown:
                    every = slice(None) if len(rows) == panel.rows else rows
                    values = past.shown(panel.columns(low, key[-1], every), low)
                    self.shown[key] = (panel, Panel(panel.step_s, low, values, np.empty((0, 0), dtype=np.uint8)))
                found[rows, here] = self.model.peaks(self.shown[key][1], origins[here], lead)
        return found


def reach_steps(step_s: int) -> int:
    """By how much further back a season may lie than its own length."""
    return LONGEST_S // step_s


def by_season(models: Sequence[PeakForecaster], names: Sequence[str], seasons: Sequence[Season | None]) -> Models:
    """The forecasters, those of the names asked by season where some row follows more than UTC."""
    groups, shown = grouped(seasons), Shown()
    return tuple(BySeason(m, groups, shown) if groups and m.name in names else m for m in models)


def grouped(seasons: Sequence[Season | None]) -> Mapping[Season, Ints]:
    """Rows by the zone and the events that they follow; what is excluded is nobody's season."""
    found: dict[Season, list[int]] = {}
    for row, season in enumerate(seasons):
        if season is not None and (season.zone is not None or season.events):
            found.setdefault(Season(season.zone, season.events), []).append(row)
    return {season: np.array(rows, dtype=np.int64) for season, rows in found.items()}


def local_past(values: Floats, first: int, step_s: int, zone: str) -> Floats:
    """[row, step] from step `first` on, as a seasonal forecaster is shown it at its end (`values` may be changed)."""
    return _Past(steps_of(zone, step_s, first, first + values.shape[1] + 1), ()).shown(values, first)


def local_places(origin: int, steps: int, step_s: int, zone: str) -> Ints:
    """[step] of origin …, how many steps after the origin its local time is by the clock that is kept at the origin."""
    ahead: Ints = np.arange(steps, dtype=np.int64)
    places = ahead.copy()
    for at, by in steps_of(zone, step_s, origin + 1, origin + steps):
        places[ahead >= at - origin] += by
    return places


Models = tuple[PeakForecaster, ...]
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
        width = values.shape[1]
        edges, moves = [width], [0]
        for at, by in reversed(self.changes):
            edges.append(min(edges[-1], max(0, at - REACH - first - moves[-1])))
            moves.append(moves[-1] + by)
        out = np.full_like(values, np.nan)
        for begin, end, moved in zip([*edges[1:], 0], edges, moves, strict=True):
            low, high = max(begin, -moved), min(end, width - moved)
            if low < high:
                out[:, low:high] = values[:, low + moved : high + moved]
        return out


def steps_of(zone: str, step_s: int, first: int, end: int) -> tuple[Change, ...]:
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
