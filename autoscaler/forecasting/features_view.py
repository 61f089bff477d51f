"""How a learned forecaster looks at a panel: from origins, at steps before them, in ratios instead of units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.features_windows import known_mean, window_max

HOUR_S: Final = 3600
DAY_S: Final = 86400
NOW_S: Final = 300
"""The mean of this long is the reference: the level that a peak is told relative to."""
FLOOR_SHARE: Final = 0.05
"""Of the day's mean; added to both sides of every ratio, so that a ratio to nothing stays finite."""


@dataclass(frozen=True, slots=True, eq=False)
class Ratio:
    """Logarithms of ratios to a reference, both lifted by the floor; no change where all is zero."""

    reference: Floats
    floor: Floats

    def __call__(self, values: Floats) -> Floats:
        return self.between(values, self.reference)

    def between(self, above: Floats, below: Floats) -> Floats:
        ratio = (above + self.floor) / (below + self.floor)
        return np.log(np.where((above == 0) & (below == 0), 1.0, ratio))


class View:
    """A panel as seen from origins."""

    def __init__(self, panel: Panel, origins: Ints, lead: int) -> None:
        self.panel, self.origins, self.lead = panel, origins, lead
        self.step_s = panel.step_s
        self.stride = int(origins[1] - origins[0]) if len(origins) > 1 else 1
        self.low, self.high = int(origins[0]), int(origins[-1])

    def columns(self, first: int, end: int) -> Floats:
        """[row, step] over absolute steps [first, end); not to be written to."""
        panel = self.panel
        if panel.first_step <= first and end <= panel.end_step:
            return panel.values[:, first - panel.first_step : end - panel.first_step]
        return panel.columns(first, end)

    def steps(self, seconds: int) -> int:
        return max(1, round(seconds / self.step_s))

    def pick(self, values: Floats) -> Floats:
        """[row, origin] from an array whose columns are low … high."""
        return values[:, : self.high - self.low + 1 : self.stride]

    def mean_before(self, shift: int, width: int) -> Floats:
        """[row, origin], mean of what is known of the `width` steps before origin - shift."""
        return self.pick(known_mean(self.columns(self.low - shift - width, self.high - shift), width))

    def peak_after(self, shift: int) -> Floats:
        """[row, origin], largest known value of the lead window that began `shift` steps before the origin."""
        if shift <= self.lead:
            return np.full((self.panel.rows, len(self.origins)), np.nan)
        return self.pick(window_max(self.columns(self.low - shift, self.high - shift + self.lead + 1), self.lead + 1))
