"""How well known incidents are found: recall at a rate of false pages, delay, and VUS-PR. No point adjustment.

VUS-PR: volume under the precision-recall surface over widths of a soft margin around each label (Paparrizos et al.,
VLDB 2022), after the reference code of TSB-AD.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints

WEEK_S: Final = 7 * 86_400
QUIET_S: Final = 6 * 3600
"""Pages of one series within it are one page."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """One series. spans: steps [first, end) of each known incident, as columns. judged: [step]."""

    name: str
    step_s: int
    spans: tuple[tuple[int, int], ...]
    judged: Bools


@dataclass(frozen=True, slots=True)
class Found:
    """incidents: known ones that could be found. delay_s: median, from a known begin to an alarm; NaN = none was found.

    false_per_week: pages outside every known incident, per week and series.
    """

    incidents: int
    found: int
    false_per_week: float
    delay_s: float

    @property
    def recall(self) -> float:
        return self.found / self.incidents if self.incidents else float("nan")


def scored(series: Sequence[tuple[Labelled, Bools]]) -> Found:
    """Over several series, each with its alarms, [step].

    An incident is found where an alarm lies in it, of a page that began sooner too; a page is false where it begins
    outside of all.
    """
    count, hit, false, weeks = 0, 0, 0, 0.0
    delays: list[float] = []
    for one, alarm in series:
        at, pages = np.flatnonzero(alarm), pages_of(alarm, one.step_s)
        weeks += float(one.judged.sum()) * one.step_s / WEEK_S
        inside = np.zeros(len(pages), dtype=np.bool_)
        for first, end in one.spans:
            if not one.judged[first:end].any():
                continue
            count += 1
            inside |= (pages >= first) & (pages < end)
            within = at[(at >= first) & (at < end)]
            if len(within):
                hit += 1
                delays.append(float(within[0] - first) * one.step_s)
        false += int((~inside & one.judged[pages]).sum()) if len(pages) else 0
    rate = false / weeks if weeks else float("nan")
    return Found(count, hit, rate, float(np.median(delays)) if delays else float("nan"))


def pages_of(alarm: Bools, step_s: int) -> Ints:
    """Columns at which pages begin: alarms after QUIET_S without one."""
    at = np.flatnonzero(alarm)
    if not len(at):
        return at
    return at[np.concatenate(([True], np.diff(at) > QUIET_S // step_s))]


def trailing_z(values: Floats, day: int) -> Floats:
    """[step], distance from the mean of the day before in its standard deviations: the rival that everybody has."""
    known = np.isfinite(values)
    sums = [np.concatenate(([0.0], np.cumsum(np.where(known, part, 0.0)))) for part in (known, values, values**2)]
    end = np.arange(len(values))
    begin = np.maximum(end - day, 0)
    n, first, second = (s[end] - s[begin] for s in sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = first / n
        spread = np.sqrt(np.maximum(second / n - mean**2, 0.0))
        score = np.abs(values - mean) / np.maximum(spread, 1e-9 + 1e-3 * np.abs(mean))
    return np.where((n >= day // 2) & np.isfinite(score), score, np.nan)


def threshold_for(series: Sequence[tuple[Labelled, Floats]], budget: float) -> float:
    """The lowest threshold whose false pages stay within the budget: chosen on the labels, so in the rival's favour.

    inf, no page at all, where even the highest scores are false too often.
    """
    every = np.concatenate([score[np.isfinite(score)] for _, score in series])
    if not len(every):
        return float("inf")
    low, high = 0, 200
    marks = np.append(np.quantile(every, 1 - np.geomspace(0.2, 1 / max(len(every), 2), high)), np.inf)
    while low < high:
        middle = (low + high) // 2
        found = scored([(one, _over(score, marks[middle])) for one, score in series])
        low, high = (low, middle) if found.false_per_week <= budget else (middle + 1, high)
    return float(marks[low])


def _over(score: Floats, mark: float) -> Bools:
    return np.nan_to_num(score, nan=-np.inf) > mark


def found_over(series: Sequence[tuple[Labelled, Floats]], mark: float) -> Found:
    return scored([(one, _over(score, mark)) for one, score in series])


def vus_pr(labels: Bools, score: Floats, window: int = 100, thresholds: int = 200) -> float:
    """Of one series' judged steps; NaN where nothing is labelled. window: widest margin, in steps."""
    if not labels.any():
        return float("nan")
    filled = np.where(np.isnan(score), np.nanmin(score, initial=0.0), score)
    at = -np.sort(-filled)[np.linspace(0, len(filled) - 1, thresholds).astype(int)]
    over = filled[None, :] >= at[:, None]
    edges = np.flatnonzero(np.diff(np.concatenate(([0], labels.astype(np.int8), [0]))))
    spans = list(zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True))
    return float(np.mean([_area(labels, over, spans, width) for width in range(0, window + 1, 10)]))


def _area(labels: Bools, over: Bools, spans: Sequence[tuple[int, int]], width: int) -> float:
    n, hard = len(labels), labels.astype(np.float64)
    soft = hard.copy()
    for a, b in spans:
        right, left = np.arange(b + 1, min(b + width // 2 + 1, n)), np.arange(max(a - width // 2, 0), a)
        soft[right] += np.sqrt(1 - (right - b) / max(1, width))
        soft[left] += np.sqrt(1 - (a - left) / max(1, width))
    soft = np.minimum(1.0, soft)
    wide = _joined(spans, width, n)
    exists = np.array([over[:, a : b + 1].any(axis=1) for a, b in wide]).mean(axis=0)
    got, size = np.zeros(len(over)), np.zeros(len(over))
    for a, b in wide:
        part, here = over[:, a : b + 1], soft[a : b + 1]
        got += (part * here).sum(axis=1)
        size += np.where(hard[a : b + 1] > 0, 1.0, here * part).sum(axis=1)
    recall = np.minimum(got / ((hard.sum() + size) / 2), 1) * exists
    precision = got / over.sum(axis=1)
    return float(np.sum(np.diff(np.concatenate(([0.0], recall))) * precision))


def _joined(spans: Sequence[tuple[int, int]], width: int, n: int) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for a, b in spans:
        low, high = max(a - width // 2, 0), min(b + width // 2, n - 1)
        if out and low <= out[-1][1]:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return out
