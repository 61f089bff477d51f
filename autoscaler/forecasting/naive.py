"""Last value and seasonal naive: the two forecasters that everything else must beat.

Source: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., §5.2, here for the peak of a
window instead of a single step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.contract import shifted


@dataclass(frozen=True, slots=True)
class LastValue:
    """The newest known demand of the last `reach` steps stays."""

    reach: ClassVar[int] = 5

    @property
    def name(self) -> str:
        return "last-value"

    def history_steps(self, step_s: int) -> int:  # noqa: ARG002 - the reach is in steps already
        return self.reach

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:  # noqa: ARG002
        """[row, origin]; the lead does not matter: a constant is its own peak."""
        newest = np.full((panel.rows, len(origins)), np.nan)
        for older in reversed(shifted(panel, origins, -self.reach, 0)):
            np.copyto(newest, older, where=np.isnan(newest))
        return newest


@dataclass(frozen=True, slots=True)
class SeasonalNaive:
    """The peak of the same window one season ago.

    anchored: shift it by how far the newest demand is from the demand of the same step one season ago
    (the "seasonal difference"), which follows a level that has moved since.
    """

    season_s: int
    label: str
    anchored: bool = False

    @property
    def name(self) -> str:
        return f"seasonal-{'difference' if self.anchored else 'naive'}-{self.label}"

    def history_steps(self, step_s: int) -> int:
        return self.season_s // step_s + LastValue.reach

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        """[row, origin]; NaN where the season ago was not observed, or is shorter than the lead window."""
        season = self.season_s // panel.step_s
        if season <= lead:
            return np.full((panel.rows, len(origins)), np.nan)
        peak = np.full((panel.rows, len(origins)), np.nan)
        for column in shifted(panel, origins, -season, lead + 1 - season):
            np.fmax(peak, column, out=peak)
        if not self.anchored:
            return peak
        last = LastValue()
        moved = last.peaks(panel, origins, lead) - last.peaks(panel, origins - season, lead)
        with np.errstate(over="ignore"):
            peak = np.maximum(peak + moved, 0.0)
        return np.where(np.isinf(peak), np.nan, peak)
