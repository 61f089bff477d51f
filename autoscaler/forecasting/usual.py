"""What came in the same window on the last days: no forecast by itself, a level below which one may not want to plan.

A mean of many forecasters blurs what comes at the same minutes each day; the median of three days keeps it, and an
incident of one day is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoscaler.domain.season import Season, steps_within
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.asking import ask_point
from autoscaler.forecasting.local_seasons import DEEPEST_S, by_season, grouped, reach_steps
from autoscaler.forecasting.naive import DAY_S, REACH, column_median, peak_of_window
from autoscaler.forecasting.teams import Rows


@dataclass(frozen=True, slots=True)
class UsualPeak:
    """The median over the last days of the peak of the window at this time."""

    days: ClassVar[int] = 3

    @property
    def name(self) -> str:
        return "usual-peak"

    def history_steps(self, step_s: int) -> int:
        return self.days * DAY_S // step_s

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        """[row, origin]; of the days that are known, NaN without one, or where a day is shorter than the window."""
        day = DAY_S // panel.step_s
        if day <= lead:
            return np.full((panel.rows, len(origins)), np.nan)
        return _middle(*(peak_of_window(panel, origins - back * day, lead) for back in range(1, self.days + 1)))


def _middle(first: Floats, second: Floats, third: Floats) -> Floats:
    """Median of what is known, elementwise; NaN where nothing is."""
    middle = np.maximum(np.minimum(first, second), np.minimum(np.maximum(first, second), third))
    return middle if not np.isnan(middle).any() else column_median(np.stack((first, second, third)))


def usual_peaks(panel: Panel, rows: Rows, origins: Ints, faults: dict[str, str]) -> Floats:
    """[row, origin], what came in the windows u - delay … u - delay + lead of origins u on the last days, NaN where
    unknown. By each row's own season: local time, without events that are over and without what owners exclude.

    panel, origins: as a forecast gets them. faults: is told why where the question failed; then all are unknown.
    """
    found = np.full((len(rows.keys), len(origins)), np.nan)
    step_s = panel.step_s
    for lead, delay in sorted(set(zip(rows.leads.tolist(), rows.delays.tolist(), strict=True))):
        members = np.flatnonzero((rows.leads == lead) & (rows.delays == delay))
        seasons = None if rows.seasons is None else tuple(rows.seasons[row] for row in members.tolist())
        at = origins - delay
        if not grouped(seasons or ()) and DAY_S // step_s > lead:
            found[members] = _middle(*_same_windows(panel, members, at, lead, seasons))
            continue
        model = UsualPeak()
        asked = by_season((model,), (model.name,), seasons or ())[0]
        reach = DEEPEST_S // step_s + REACH + 2 * reach_steps(step_s)
        view = _view(panel, members, (int(at[0]) - reach, int(at[-1])), seasons)
        answer = ask_point(asked, view, at, lead, faults)
        if answer is not None:
            found[members] = answer
    return found


def _same_windows(
    panel: Panel, members: Ints, origins: Ints, lead: int, seasons: tuple[Season | None, ...] | None
) -> Iterator[Floats]:
    """[row, origin] of each day: what one origin of ten thousand rows needs is three windows, and no whole days."""
    day = DAY_S // panel.step_s
    for back in range(1, UsualPeak.days + 1):
        then = origins - back * day
        view = _view(panel, members, (int(then[0]), int(then[-1]) + lead + 1), seasons)
        yield peak_of_window(view, then, lead)


def _view(panel: Panel, members: Ints, steps: tuple[int, int], seasons: tuple[Season | None, ...] | None) -> Panel:
    first, end = steps
    every = len(members) == panel.rows
    values = panel.learnable(first, end, slice(None) if every else members)
    for row, season in enumerate(seasons or ()):
        if season is not None and season.excluded:
            values[row, steps_within(season.excluded, first, end, panel.step_s)] = np.nan
    values.setflags(write=False)
    return Panel(panel.step_s, first, values, np.empty((0, 0), dtype=np.uint8))
