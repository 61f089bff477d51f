"""Seasons by the wall clock: yesterday at eight is twenty-three hours ago on the day after the clock went forward.

A seasonal forecaster looks back by whole days of steps. For origins after a change of the clock it is shown a history
in which what lies before the change is moved by it, so that the same number of steps leads to the same local time:
a local hour that did not exist is the one after it, one that came twice counts once, and nothing is missing. The last
steps before the change stay in their place, for what reads the present reads through them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from autoscaler.domain.local_time import LONGEST_S, clock_changes
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.contract import PeakForecaster
from autoscaler.forecasting.naive import DAY_S, REACH


@dataclass(frozen=True, slots=True)
class BySeason:
    """A seasonal forecaster asked by the local time of each row. zones: [row], None = UTC."""

    model: PeakForecaster
    zones: Sequence[str | None]

    @property
    def name(self) -> str:
        return self.model.name

    def history_steps(self, step_s: int) -> int:
        return self.model.history_steps(step_s) + reach_steps(step_s)

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        """[row, origin]; rows whose clock was not moved are as the forecaster alone answers."""
        found = self.model.peaks(panel, origins, lead)
        if not len(origins) or lead + 2 * reach_steps(panel.step_s) >= DAY_S // panel.step_s:
            return found  # a season ago would reach into what is not known yet
        low = int(origins[0]) - self.history_steps(panel.step_s)
        for zone in sorted({z for z in self.zones if z is not None}):
            changes = _steps_of(zone, panel.step_s, low, int(origins[-1]) + 1)
            for here, past in _stretches(origins, changes, self.history_steps(panel.step_s)):
                rows: Ints = np.flatnonzero([z == zone for z in self.zones])
                values = panel.columns(low, int(origins[here][-1]), rows)
                moved = Panel(panel.step_s, low, _moved(values, low, past), np.empty((0, 0), dtype=np.uint8))
                found[rows, here] = self.model.peaks(moved, origins[here], lead)
        return found


def reach_steps(step_s: int) -> int:
    """By how much further back a season may lie than its own length."""
    return LONGEST_S // step_s


def by_local_time(model: PeakForecaster, zones: Sequence[str | None] | None) -> PeakForecaster:
    """The forecaster, asked by local time where some row has a zone."""
    return model if zones is None or all(z is None for z in zones) else BySeason(model, zones)


Change = tuple[int, int]
"""The first step under a new offset, and by how many steps the clock was moved there."""


def _steps_of(zone: str, step_s: int, first: int, end: int) -> tuple[Change, ...]:
    """Changes that are whole steps, nearly: half an hour is nothing on a grid of hours."""
    found = clock_changes(zone, first * step_s, end * step_s)
    return tuple((-(-c.at_s // step_s), round(c.by_s / step_s)) for c in found if round(c.by_s / step_s))


def _stretches(origins: Ints, changes: Sequence[Change], reach: int) -> Iterator[tuple[slice, tuple[Change, ...]]]:
    """Origins that have the same changes behind them, within their reach; those without any are left out."""
    edges = {0, len(origins)}
    for at, _ in changes:
        edges |= {int(np.searchsorted(origins, at)), int(np.searchsorted(origins, at + reach))}
    cuts = sorted(edges)
    for low, high in pairwise(cuts):
        past = tuple(c for c in changes if c[0] <= origins[low] < c[0] + reach)
        if past:
            yield slice(low, high), past


def _moved(values: Floats, first: int, changes: Sequence[Change]) -> Floats:
    """[row, step] from step `first` on, by the clock that is kept at its end."""
    place: Ints = np.arange(first, first + values.shape[1], dtype=np.int64)
    source, moved = place.copy(), 0
    for at, by in reversed(changes):
        moved += by
        source = np.where(source < at - REACH, place + moved, source)
    inside = (source >= first) & (source < first + values.shape[1])
    return np.where(inside, values[:, np.where(inside, source - first, 0)], np.nan)
