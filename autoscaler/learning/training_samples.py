"""Pairs of features and of the peak that came, out of recorded demand: what the global model learns from.

Half of the pairs see all the history that there was, half a history that begins anew shortly before the origin, so that
the model knows what to say of a workload that it has only just met.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.series import Bools, Floats, Panel
from autoscaler.forecasting.contract import observed_peaks
from autoscaler.forecasting.features import NO_VERDICTS, PeakFeatures, peak_features
from autoscaler.forecasting.features_bins import BIN_S
from autoscaler.forecasting.features_view import DAY_S

YOUNG_S: Final = (60, 120, 300, 600, 1200, 2400, 4800, 9600, 21600, 43200, 86400)
"""Ages at which a series that begins anew is looked at."""
BLOCK: Final = 2000
PIECES: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Learnable:
    """One recorded demand. source: whose load it is (one source is left out as a whole). values: [step] from absolute
    step `first_step`; NaN where not observed, or where only a lower bound is known.
    """

    source: str
    name: str
    step_s: int
    first_step: int
    values: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """table: [sample, feature], float32. relative: [sample], the peak that came, as PeakFeatures.relative.
    young: [sample], whether the history began anew shortly before. names: of the features.
    """

    names: tuple[str, ...]
    table: NDArray[np.float32]
    relative: Floats
    young: Bools

    def __len__(self) -> int:
        return len(self.relative)

    @staticmethod
    def joined(parts: Sequence[Samples]) -> Samples:
        """All pairs of parts that have the same features; of no part at all, none."""
        if not parts:
            return Samples((), np.empty((0, 0), dtype=np.float32), np.empty(0), np.empty(0, dtype=np.bool_))
        return Samples(
            parts[0].names,
            np.concatenate([p.table for p in parts]),
            np.concatenate([p.relative for p in parts]),
            np.concatenate([p.young for p in parts]),
        )


def samples_of(
    series: Learnable, lead: int, most: int, rng: np.random.Generator, *, first: int = 0, end: int | None = None
) -> Samples:
    """About `most` pairs of one series for one lead (steps after the first), half of them of a short history.

    Their lead windows lie within the columns [first, end); a history goes back as far as there is any.
    """
    last = len(series.values) if end is None else min(end, len(series.values))
    found = [(f, peak, False) for f, peak in _old(series, lead, most // 2, (first, last), rng)]
    found += [(f, peak, True) for f, peak in _young(series, lead, most // 2, (first, last), rng)]
    return Samples.joined([_pairs(*each) for each in found])


def _pairs(features: PeakFeatures, peak: Floats, young: bool) -> Samples:
    relative = features.relative(peak).ravel()
    known = ~np.isnan(relative)
    table = features.table.reshape(len(features.names), -1).T[known]
    return Samples(features.names, table, relative[known], np.full(int(known.sum()), young))


def _old(
    series: Learnable, lead: int, most: int, within: tuple[int, int], rng: np.random.Generator
) -> Iterator[tuple[PeakFeatures, Floats]]:
    """Origins spread evenly over the columns, each with all that was before it."""
    low, high = max(1, within[0]), within[1] - lead
    if high <= low or most < 1:
        return
    stride = max(1, (high - low) // most)
    origins = series.first_step + np.arange(low + int(rng.integers(min(stride, high - low))), high, stride)
    panel = Panel(series.step_s, series.first_step, series.values[None, :], NO_VERDICTS)
    for block in np.array_split(origins.astype(np.int64), -(-len(origins) // BLOCK)):
        yield peak_features(panel, block, lead), observed_peaks(panel, block, lead, panel.end_step)


def _young(
    series: Learnable, lead: int, most: int, within: tuple[int, int], rng: np.random.Generator
) -> Iterator[tuple[PeakFeatures, Floats]]:
    """Pieces of at most a day, as if the series had begun there; at several ages."""
    low, high = within
    step_s, steps = series.step_s, high - low
    ages = [age for age in sorted({max(1, age // step_s) for age in YOUNG_S}) if age + lead + 1 <= steps]
    if not ages or most < 1:
        return
    if most < PIECES * len(ages):  # a few pieces at a few ages, instead of one at each
        ages = sorted(rng.choice(ages, max(1, most // PIECES), replace=False).tolist())
    long = ages[-1] + lead + 1
    each = max(1, BIN_S // step_s)
    room = (steps - long) // each
    pieces = max(1, min(most // len(ages), room))
    first = low + int(rng.integers(min(each, steps - long + 1)))
    starts = first + each * rng.integers(0, room + 1, size=pieces)
    starts = starts[starts + long <= high]
    if not len(starts):
        return
    shift = (series.first_step + first) % each  # a piece stays where it was within its bin
    values = np.full((len(starts), shift + long), np.nan)
    for row, start in enumerate(starts.tolist()):
        values[row, shift:] = series.values[start : start + long]
    begin = (14 * DAY_S // step_s) // each * each
    panel = Panel(step_s, begin, values, NO_VERDICTS)
    for age in ages:
        origin = np.array([begin + shift + age], dtype=np.int64)
        yield peak_features(panel, origin, lead), observed_peaks(panel, origin, lead, panel.end_step)
