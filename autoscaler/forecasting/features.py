"""What a learned forecaster sees of a series: numbers without a unit, relative to the series' own level.

Causal (only steps before the origin), NaN where something was not observed, the same for a series in requests and in
thousands of requests, and counted in seconds wherever a step could be 15 s or 5 min. The clock enters only through the
series' own past (the same window some hours or days ago): no constant of any calendar is learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.features_bins import day_of_bins
from autoscaler.forecasting.features_view import DAY_S, FLOOR_SHARE, HOUR_S, NOW_S, Ratio, View
from autoscaler.forecasting.features_windows import known_mean, ranked, window_max, window_sum

Table = np.ndarray[tuple[int, int, int], np.dtype[np.float32]]

LAGS_STEPS: Final = (2, 3)
LAGS_S: Final = (300, 600, 900, 1800)
HOURS_BACK: Final = (1, 2, 3, 4, 6, 12)
DAYS_BACK: Final = (1, 2, 3, 4, 5, 6, 7)
CELLS: Final = 1_000_000
"""Values that are looked at in one piece: 8 MB, little beside a fleet, and enough for numpy to be busy."""
NO_VERDICTS: Final = np.empty((0, 0), dtype=np.uint8)
VERSION: Final = "1"
"""Of the features' meaning: a model is read only by the version that it was trained with."""


@dataclass(frozen=True, slots=True, eq=False)
class PeakFeatures:
    """names: of the features. table: [feature, row, origin], NaN = not observed. reference, floor: [row, origin], in
    demand units.

    Where the reference is NaN nothing recent is known, and nothing can be said.
    """

    names: tuple[str, ...]
    table: Table
    reference: Floats
    floor: Floats

    def relative(self, peak: Floats) -> Floats:
        """Peaks [row, origin] as what is learned: log((peak + floor) / (reference + floor)); NaN without any level."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = np.log((peak + self.floor) / (self.reference + self.floor))
        return np.where(np.isfinite(found), found, np.nan)

    def demand(self, relative: Floats) -> Floats:
        """The way back, in demand units, not below zero; a series that is zero throughout stays zero."""
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.maximum((self.reference + self.floor) * np.exp(relative) - self.floor, 0.0)
        return np.where(np.isfinite(found), found, np.nan)


REACH: Final = 5
"""Steps back to the newest known demand that still counts as now."""


def history_steps(step_s: int) -> int:
    """Steps before an origin that are read."""
    return (max(DAYS_BACK) * DAY_S + NOW_S) // step_s + REACH


def peak_features(panel: Panel, origins: Ints, lead: int) -> PeakFeatures:
    """Features of each row at each origin.

    origins: absolute steps, rising, evenly spaced. lead: steps of the window after its first.
    """
    each = max(1, CELLS // (int(origins[-1] - origins[0]) + 2 * DAY_S // panel.step_s))
    cuts = [*range(0, max(1, panel.rows), each), panel.rows]
    parts = [
        _of_rows(Panel(panel.step_s, panel.first_step, panel.values[low:high], NO_VERDICTS), origins, lead)
        for low, high in pairwise(cuts)
    ]
    if len(parts) == 1:
        return parts[0]
    return PeakFeatures(
        parts[0].names,
        np.concatenate([p.table for p in parts], axis=1),
        np.concatenate([p.reference for p in parts]),
        np.concatenate([p.floor for p in parts]),
    )


def _of_rows(panel: Panel, origins: Ints, lead: int) -> PeakFeatures:
    view = View(panel, origins, lead)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        bins = day_of_bins(view)
        reference = view.mean_before(0, max(1, NOW_S // panel.step_s))
        newest = _newest(view)
        reference = np.where(np.isnan(reference), newest, reference)
        level = np.where(np.isnan(bins.day), reference, bins.day)
        floor = FLOOR_SHARE * level
        ratio = Ratio(reference, floor)
        found = [
            *_recent(view, ratio, newest),
            *bins.features(ratio),
            *_past_windows(view, ratio),
            ("lead", np.full(reference.shape, np.log((lead + 1) * panel.step_s))),
            ("lead-steps", np.full(reference.shape, np.log(lead + 1.0))),
        ]
    table = np.empty((len(found), *reference.shape), dtype=np.float32)
    for at, (_, values) in enumerate(found):
        table[at] = np.where(np.isfinite(values), values, np.nan)
    return PeakFeatures(tuple(name for name, _ in found), table, reference, floor)


def _newest(view: View) -> Floats:
    block = view.columns(view.low - REACH, view.high)
    found = np.full((block.shape[0], len(view.origins)), np.nan)
    for back in range(1, REACH + 1):
        older = view.pick(block[:, REACH - back :])
        np.copyto(found, older, where=np.isnan(found))
    return found


def _recent(view: View, ratio: Ratio, newest: Floats) -> Iterator[tuple[str, Floats]]:
    """The last half hour, step by step."""
    short = view.steps(1800)
    deep = max(short, *LAGS_STEPS) + 1
    block = view.columns(view.low - deep, view.high)

    def back(array: Floats, most: int = 0) -> Floats:
        """[row, origin] of an array whose last column is step high - 1 - most."""
        return view.pick(array[:, array.shape[1] - (view.high - view.low + 1) - most :])

    yield "newest", ratio(newest)
    for lag in LAGS_STEPS:
        yield f"lag-{lag}", ratio(back(block, lag - 1))
    for lag_s in LAGS_S:
        yield f"lag-{lag_s}s", ratio(back(block, view.steps(lag_s) - 1))
    for span_s in (300, 900, 1800):
        width = view.steps(span_s)
        yield f"max-{span_s}s", ratio(back(window_max(block, width)))
        yield f"min-{span_s}s", ratio(back(-window_max(-block, width)))
        if span_s > NOW_S:
            yield f"mean-{span_s}s", ratio(back(known_mean(block, width)))
    moved = np.abs(np.diff(block, axis=1))
    for span_s in (300, 1800):
        yield f"move-{span_s}s", back(known_mean(moved, view.steps(span_s))) / (ratio.reference + ratio.floor)
    seen = (~np.isnan(block)).astype(np.float64)
    yield "seen-1800s", back(window_sum(seen, short)) / short


def _past_windows(view: View, ratio: Ratio) -> Iterator[tuple[str, Floats]]:
    """How the same window went some hours and some days ago, by how its peak stood to the level before it."""
    width = max(1, NOW_S // view.step_s)

    def then(span_s: int) -> tuple[Floats, Floats]:
        shift = span_s // view.step_s
        return view.peak_after(shift), view.mean_before(shift, width)

    hours = {back: then(back * HOUR_S) for back in HOURS_BACK}
    days = {back: then(back * DAY_S) for back in DAYS_BACK}
    for unit, windows, told in (("h", hours, HOURS_BACK), ("d", days, (1, 2, 7))):
        rises = {back: ratio.between(peak, start) for back, (peak, start) in windows.items()}
        for back in told:
            yield f"rise-{back}{unit}-ago", rises[back]
        for name, values in ranked(np.stack(list(rises.values()))).items():
            yield f"past-{unit}-rise-{name}", values
    for back in (1, 7):
        peak, start = days[back]
        yield f"peak-{back}d-ago", ratio(peak)
        yield f"level-{back}d-ago", ratio(start)
