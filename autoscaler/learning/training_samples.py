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

from autoscaler.domain.series import Floats, Panel
from autoscaler.forecasting.contract import observed_peaks
from autoscaler.forecasting.features import NO_VERDICTS, PeakFeatures, peak_features
from autoscaler.forecasting.features_bins import BIN_S
from autoscaler.forecasting.features_view import DAY_S

YOUNG_S: Final = (60, 120, 300, 600, 1200, 2400, 4800, 9600, 21600, 43200, 86400)
"""Ages at which a series that begins anew is looked at."""


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
    weight: [sample]. source: [sample], index into the sources of the training.
    """

    table: NDArray[np.float32]
    relative: Floats
    weight: Floats
    source: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.relative)

    @staticmethod
    def joined(parts: Sequence[Samples]) -> Samples:
        return Samples(
            np.concatenate([p.table for p in parts]),
            np.concatenate([p.relative for p in parts]),
            np.concatenate([p.weight for p in parts]),
            np.concatenate([p.source for p in parts]),
        )

    def where(self, chosen: NDArray[np.bool_]) -> Samples:
        return Samples(self.table[chosen], self.relative[chosen], self.weight[chosen], self.source[chosen])


def samples_of(series: Learnable, lead: int, most: int, rng: np.random.Generator, source: int = 0) -> Samples:
    """About `most` pairs of one series for one lead (steps after the first), half of them of a short history."""
    found = [
        _rows_of(f, peak) for f, peak in (*_old(series, lead, most // 2, rng), *_young(series, lead, most // 2, rng))
    ]
    table = np.concatenate([t for t, _ in found]) if found else np.empty((0, 0), dtype=np.float32)
    relative = np.concatenate([y for _, y in found]) if found else np.empty(0)
    weight = np.full(len(relative), 1.0 / max(1, len(relative)))
    return Samples(table, relative, weight, np.full(len(relative), source, dtype=np.int64))


def _rows_of(features: PeakFeatures, peak: Floats) -> tuple[NDArray[np.float32], Floats]:
    relative = features.relative(peak).ravel()
    known = ~np.isnan(relative)
    return features.table.reshape(len(features.names), -1).T[known], relative[known]


def _old(series: Learnable, lead: int, most: int, rng: np.random.Generator) -> Iterator[tuple[PeakFeatures, Floats]]:
    """Origins spread evenly over the series, each with all that was before it."""
    steps = len(series.values)
    if steps < lead + 3 or most < 1:
        return
    stride = max(1, (steps - lead - 2) // most)
    first = series.first_step + 1 + int(rng.integers(stride))
    origins = np.arange(first, series.first_step + steps - lead, stride, dtype=np.int64)
    panel = Panel(series.step_s, series.first_step, series.values[None, :], NO_VERDICTS)
    for block in np.array_split(origins, max(1, len(origins) // 2000)):
        if len(block):
            yield peak_features(panel, block, lead), observed_peaks(panel, block, lead, series.first_step + steps)


def _young(series: Learnable, lead: int, most: int, rng: np.random.Generator) -> Iterator[tuple[PeakFeatures, Floats]]:
    """Pieces of at most a day, as if the series had begun there; at several ages."""
    steps, step_s = len(series.values), series.step_s
    ages = sorted({max(1, age // step_s) for age in YOUNG_S})
    long = ages[-1] + lead + 1
    if steps < long:
        ages = [age for age in ages if age + lead + 1 <= steps]
        if not ages:
            return
        long = ages[-1] + lead + 1
    each = max(1, BIN_S // step_s)
    room = (steps - long) // each
    pieces = max(1, min(most // len(ages), room))
    first = int(rng.integers(min(each, steps - long + 1)))
    starts = first + each * rng.integers(0, room + 1, size=pieces)
    starts = starts[starts + long <= steps]
    shift = (series.first_step + first) % each  # a piece stays where it was within its bin
    values = np.full((len(starts), shift + long), np.nan)
    for row, start in enumerate(starts.tolist()):
        values[row, shift:] = series.values[start : start + long]
    begin = (14 * DAY_S // step_s) // each * each
    panel = Panel(step_s, begin, values, NO_VERDICTS)
    for age in ages:
        origin = np.array([begin + shift + age], dtype=np.int64)
        yield peak_features(panel, origin, lead), observed_peaks(panel, origin, lead, panel.end_step)
