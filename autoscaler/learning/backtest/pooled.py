"""Figures of many series as one line per model: geometric means of ratios, every source with the same weight.

Losses stand beside wins: how often a model was worse than the baseline, and how often worse than we are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.domain.series import Floats
from autoscaler.learning.backtest.figures import Figures


@dataclass(frozen=True, slots=True)
class Measured:
    """All models on one series. figures: model → what was found, None = no figures there."""

    source: str
    series: str
    figures: dict[str, Figures | None]


@dataclass(frozen=True, slots=True)
class Pooled:
    """One model over all series that it has figures for. relative, mase: geometric means, sources weighing the same.

    against_us: the geometric mean of its loss over ours, on the series that both have. beats_baseline, beats_us: on how
    many of `compared` and `met` series. coverages: means, sources weighing the same.
    """

    model: str
    series: int
    relative: float | None
    mase: float | None
    against_us: float | None
    beats_baseline: int
    compared: int
    beats_us: int
    met: int
    peak_coverage: tuple[float, ...]
    step_coverage: tuple[float, ...]


def pooled(measured: Sequence[Measured], model: str, ours: str) -> Pooled:
    mine = [(each.source, f, each.figures.get(ours)) for each in measured if (f := each.figures.get(model)) is not None]
    relative = [(source, f.relative) for source, f, _ in mine if f.relative is not None]
    both = [
        (source, f.loss / us.loss) for source, f, us in mine if f.loss is not None and us is not None and us.loss
    ]  # fmt: skip
    return Pooled(
        model=model,
        series=len(mine),
        relative=geometric_mean(relative),
        mase=geometric_mean([(source, f.mase) for source, f, _ in mine if f.mase is not None]),
        against_us=geometric_mean(both),
        beats_baseline=sum(r < 1 for _, r in relative),
        compared=len(relative),
        beats_us=sum(r < 1 for _, r in both),
        met=len(both),
        peak_coverage=_means([(source, f.peak_coverage) for source, f, _ in mine]),
        step_coverage=_means([(source, f.step_coverage) for source, f, _ in mine]),
    )


def geometric_mean(ratios: Sequence[tuple[str, float]]) -> float | None:
    """Of (source, ratio); a ratio of zero makes it zero. None where there is nothing."""
    if not ratios:
        return None
    values = np.array([ratio for _, ratio in ratios])
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(values) @ _weights([source for source, _ in ratios])))


def _means(found: Sequence[tuple[str, tuple[float, ...]]]) -> tuple[float, ...]:
    """By level, over the series that have as many levels as most: a short record lacks the highest."""
    if not found:
        return ()
    levels = max(len(each) for _, each in found)
    means = []
    for k in range(levels):
        there = [(source, each[k]) for source, each in found if len(each) > k]
        means.append(float(np.array([v for _, v in there]) @ _weights([s for s, _ in there])))
    return tuple(means)


def _weights(sources: Sequence[str]) -> Floats:
    """[series], adding up to 1: each source the same, its series sharing it."""
    counts = {source: sources.count(source) for source in sources}
    return np.array([1 / (counts[source] * len(counts)) for source in sources])
