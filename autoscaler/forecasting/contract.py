"""The batch contract that every forecaster of the peak obeys."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from autoscaler.domain.series import Floats, Ints, Panel


class PeakForecaster(Protocol):
    """A point forecast of the peak of demand over the lead window.

    The window of origin u has lead + 1 steps, u … u + lead; only steps before u may be used. The same rows,
    origins and history give the same numbers, whatever else is in the batch, and NaN means "cannot say".
    """

    @property
    def name(self) -> str: ...

    def history_steps(self, step_s: int) -> int:
        """How many steps before an origin it reads."""
        ...

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        """[row, origin], demand units, non-negative. origins: absolute steps, rising, evenly spaced."""
        ...


class QuantileForecaster(Protocol):
    """Quantiles of the peak that need no calibration on the row itself; otherwise as PeakForecaster."""

    @property
    def name(self) -> str: ...

    @property
    def levels(self) -> tuple[float, ...]: ...

    def history_steps(self, step_s: int) -> int: ...

    def quantiles(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        """[row, origin, level], demand units, non-negative, rising along level; NaN = cannot say."""
        ...


def observed_peaks(panel: Panel, origins: Ints, lead: int, limit: Ints | int) -> Floats:
    """Peaks that really came, [row, origin]: the largest known demand over origin … origin + lead.

    NaN where fewer than half of the window's steps are known, or the window is not over before step `limit`:
    a peak is learned only once it is past.
    """
    known = np.zeros((panel.rows, len(origins)), dtype=np.int64)
    peak = np.full(known.shape, np.nan)
    for column in shifted(panel, origins, 0, lead + 1):
        np.fmax(peak, column, out=peak)
        known += ~np.isnan(column)
    peak[known * 2 < lead + 1] = np.nan
    peak[:, origins + lead >= limit] = np.nan
    return peak


def shifted(panel: Panel, origins: Ints, first: int, end: int) -> list[Floats]:
    """Demand at origin + k for k in [first, end), each [row, origin]; one slice each when evenly spaced."""
    stride = int(origins[1] - origins[0]) if len(origins) > 1 else 1
    low, high = int(origins[0]), int(origins[-1])
    block = panel.columns(low + first, high + end)
    width = high - low + 1
    return [block[:, k : k + width : stride] for k in range(end - first)]
