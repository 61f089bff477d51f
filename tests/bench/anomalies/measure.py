"""Recall at false pages a week, delay, VUS-PR: no point adjustment, no label seen by the score.

VUS-PR: Paparrizos et al., Volume Under the Surface (VLDB 2022), with a buffer of up to `window` steps, every tenth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints
from tests.bench.anomalies.cases import WEEK_S, Case

QUIET_S: Final = 6 * 3600
"""Alarms that are not further apart are one page."""
GRID: Final = 400


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One case and a detector's score of its groups, [group, step], larger = odder, NaN = none."""

    case: Case
    score: Floats


def page_starts(alarm: Bools, quiet: int) -> Ints:
    """Steps at which a page begins: an alarm with none in the `quiet` steps before."""
    at = np.flatnonzero(alarm)
    if not len(at):
        return at
    return at[np.concatenate(([True], np.diff(at) > quiet))]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Of one group over thresholds [t]: false pages; whether an event was found [event, t], after how many steps."""

    false: Ints
    found: Bools
    delay: Floats
    weeks: float
    clean_weeks: float


def curves(scored: Scored, thresholds: Floats) -> list[Curve]:
    """One for each group. A page is false when it begins outside labels; an event is found when an alarm lies in it."""
    case, out = scored.case, []
    quiet = QUIET_S // case.step_s
    events = case.events()
    for g in range(len(case.groups)):
        score = np.where(case.scored[g] & ~np.isnan(scored.score[g]), scored.score[g], -np.inf)
        mine = [(a, b) for k, a, b in events if k == g]
        false = np.zeros(len(thresholds), dtype=np.int64)
        found = np.zeros((len(mine), len(thresholds)), dtype=bool)
        delay = np.full(found.shape, np.nan)
        for t, threshold in enumerate(thresholds):
            alarm = score >= threshold
            if not alarm.any():
                continue
            false[t] = np.count_nonzero(~case.labels[g, page_starts(alarm, quiet)])
            for e, (a, b) in enumerate(mine):
                inside = np.flatnonzero(alarm[a:b])
                if len(inside):
                    found[e, t], delay[e, t] = True, inside[0]
        weeks = float(case.weeks[g])
        clean = float((case.scored[g] & ~case.labels[g]).sum() * case.step_s / WEEK_S)
        out.append(Curve(false, found, delay, weeks, clean))
    return out


def grid_of(scored: Sequence[Scored]) -> Floats:
    """Thresholds, rising, that tell all scores apart near the top."""
    pool = np.concatenate([s.score[s.case.scored & ~np.isnan(s.score)].ravel() for s in scored])
    tail = 1 - np.logspace(-5.5, np.log10(0.3), GRID)
    return np.unique(np.quantile(pool, np.append(tail, 1.0)))


def threshold_at(some: Sequence[Curve], budget: float) -> int:
    """Index of the lowest threshold that keeps the budget on these groups; the highest one where none does."""
    rate = np.sum([c.false for c in some], axis=0) / sum(c.weeks for c in some)
    kept = np.flatnonzero(np.maximum.accumulate(rate[::-1])[::-1] <= budget)
    return int(kept[0]) if len(kept) else len(rate) - 1


@dataclass(frozen=True, slots=True)
class Transferred:
    """recall: over events, mean of the splits. rate: false pages a week that came. low, high: 80 % limits of recall."""

    recall: float
    rate: float
    low: float
    high: float
    delay_s: float


def transfer(all_curves: Sequence[Curve], steps_s: Sequence[int], budget: float, splits: int = 20) -> Transferred:
    """Thresholds from one random half of the groups, figures from the other, both ways; bootstrap over groups."""
    n, rng = len(all_curves), np.random.default_rng(7)
    hits: list[list[Floats]] = [[] for _ in range(n)]
    false: list[list[float]] = [[] for _ in range(n)]
    delays: list[float] = []
    for _ in range(splits):
        order = rng.permutation(n)
        for ours, theirs in ((order[: n // 2], order[n // 2 :]), (order[n // 2 :], order[: n // 2])):
            t = threshold_at([all_curves[g] for g in theirs], budget)
            for g in ours:
                hits[g].append(all_curves[g].found[:, t].astype(float))
                false[g].append(float(all_curves[g].false[t]))
                delays += (all_curves[g].delay[:, t][all_curves[g].found[:, t]] * steps_s[g]).tolist()
    hit = np.array([np.sum(np.mean(h, axis=0)) for h in hits])
    count = np.array([len(c.found) for c in all_curves])
    wrong, weeks = np.array([np.mean(f) for f in false]), np.array([c.weeks for c in all_curves])
    picks = rng.integers(0, n, (2000, n))
    boot = hit[picks].sum(axis=1) / np.maximum(1, count[picks].sum(axis=1))
    low, high = np.quantile(boot, [0.1, 0.9])
    return Transferred(
        float(hit.sum() / count.sum()), float(wrong.sum() / weeks.sum()), float(low), float(high),
        float(np.median(delays)) if delays else float("nan"),
    )  # fmt: skip


def vus_pr(labels: Bools, score: Floats, window: int = 100, thresholds: int = 250) -> float:
    """Of one group's scored steps without holes; NaN where nothing is labelled."""
    if not labels.any():
        return float("nan")
    score = np.where(np.isnan(score), np.nanmin(score, initial=0.0), score)
    n = len(score)
    order = -np.sort(-score)
    at = order[np.linspace(0, n - 1, thresholds).astype(int)]
    preds = score[None, :] >= at[:, None]
    n_pred = preds.sum(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], labels.astype(np.int8), [0]))))
    seq = list(zip(edges[::2], edges[1::2] - 1, strict=True))
    total = int(labels.sum())
    found = []
    for width in range(0, window + 1, 10):
        soft = labels.astype(float)
        for a, b in seq:
            right = np.arange(b + 1, min(b + width // 2 + 1, n))
            soft[right] += np.sqrt(1 - (right - b) / max(1, width))
            left = np.arange(max(a - width // 2, 0), a)
            soft[left] += np.sqrt(1 - (a - left) / max(1, width))
        soft = np.minimum(1.0, soft)
        wide = _joined(seq, width, n)
        exists = np.array([preds[:, a : b + 1].any(axis=1) for a, b in wide]).mean(axis=0)
        got, size = np.zeros(thresholds), np.zeros(thresholds)
        hard = labels.astype(float)
        for a, b in wide:
            part = preds[:, a : b + 1]
            here = soft[a : b + 1]
            got += (part * here).sum(axis=1)
            size += np.where(hard[a : b + 1] > 0, 1.0, here * part).sum(axis=1)
        recall = np.minimum(got / ((total + size) / 2), 1) * exists
        precision = got / n_pred
        found.append(float(np.sum(np.diff(np.concatenate(([0.0], recall))) * precision)))
    return float(np.mean(found))


def _joined(seq: list[tuple[int, int]], width: int, n: int) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for a, b in seq:
        low, high = max(a - width // 2, 0), min(b + width // 2, n - 1)
        if out and low <= out[-1][1]:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return out
