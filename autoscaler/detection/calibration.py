"""From raw scores to -log10 p: what share of ordinary stretches of time saw a score this high, by each row's own past.

Kept are the largest scores of stretches of equal length over two weeks, scored before they were learned from. Above
their 0.9 quantile the tail is a generalised Pareto (peaks over threshold: Siffer et al., KDD 2017) whose scale is the
row's own and whose shape is pooled over all rows: fifty excesses tell a scale, not a shape. While a page is on, scores
are clipped at the page's threshold and not left out: left out, each alarm would make the next one likelier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.series import Floats

SLOTS: Final = 336
"""Stretches kept for a score."""
KEPT_S: Final = 14 * 86400
EDGE: Final = 0.1
"""Share of stretches above which the tail begins."""
BODY: Final = (0.5, 0.3, 0.2, EDGE)
LEAST: Final = 40
"""Stretches without which a score cannot be calibrated."""
MOST_SHAPE: Final = 0.5
COLUMNS: Final = len(BODY) + 2
"""Of a table: the order statistics of BODY, the tail's scale, and its shape."""
Ring = NDArray[np.float32]
Table = NDArray[np.float32]


def stretch_steps(step_s: int) -> int:
    """Steps of a stretch: two weeks in SLOTS of them, or single steps where those are longer."""
    return max(1, KEPT_S // (SLOTS * step_s))


@dataclass(frozen=True, slots=True)
class Stretches:
    """Which slot of a ring each absolute step falls into."""

    steps: int
    slots: int

    def put(self, ring: Ring, scores: Floats, first_step: int) -> None:
        """Into ring [..., slot], the largest of scores [..., step] in each stretch; NaN where nothing is known."""
        width, count = self.steps, scores.shape[-1]
        at = 0
        while at < count:
            step = first_step + at
            slot, left = step // width, width - step % width
            part = scores[..., at : at + left]
            largest = np.fmax.reduce(part, axis=-1)
            here = ring[..., slot % self.slots]
            ring[..., slot % self.slots] = largest if left == width else np.fmax(here, largest)
            at += left


def learned(rings: Sequence[Ring]) -> list[Table]:
    """[row, score, COLUMNS] from each ring [row, score, slot]; NaN where too little is known. Shapes are pooled over
    the rows of all rings, which are those of one fleet in its order.
    """
    found = [_own(ring) for ring in rings]
    for score in range(rings[0].shape[1] if rings else 0):
        shape = _shape([relative[score] for _, _, relative in found])
        for table, mean, _ in found:
            table[:, score, -1] = shape
            table[:, score, -2] = mean[:, score] * (1 - shape)
    for (table, _, _), ring in zip(found, rings, strict=True):
        table[np.count_nonzero(~np.isnan(ring), axis=-1) < LEAST] = np.nan
    return [table for table, _, _ in found]


def _own(ring: Ring) -> tuple[Table, Floats, list[Floats]]:
    """What each row says alone: the body, the mean excess, and by score the excesses over that mean."""
    count = np.count_nonzero(~np.isnan(ring), axis=-1)
    ordered = np.sort(ring, axis=-1)
    last = np.maximum(count - 1, 0)
    table = np.full((*ring.shape[:-1], COLUMNS), np.nan, dtype=np.float32)
    for k, level in enumerate(BODY):
        at = np.ceil((1 - level) * last).astype(np.int64)
        table[..., k] = np.take_along_axis(ordered, at[..., None], axis=-1)[..., 0]
    edge = table[..., len(BODY) - 1]
    with np.errstate(invalid="ignore"):
        over = np.where(ordered > edge[..., None], ordered - edge[..., None], np.nan)
    n = np.count_nonzero(~np.isnan(over), axis=-1)
    mean = np.nansum(over, axis=-1) / np.maximum(n, 1)
    mean = np.maximum(mean, 0.1 * (edge - table[..., 0]))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = over / mean[..., None]
    by_score = [relative[:, score] for score in range(ring.shape[1])]
    return table, mean, [each[~np.isnan(each)] for each in by_score]


def _shape(excesses: Sequence[Floats]) -> float:
    """Of a generalised Pareto, by moments: variance / mean² = 1 / (1 - 2 · shape)."""
    known = np.concatenate(excesses)
    if len(known) < LEAST:
        return 0.1
    spread = float(np.var(known) / max(float(np.mean(known)) ** 2, 1e-12))
    return float(np.clip(0.5 * (1 - 1 / max(spread, 1e-12)), 0.0, MOST_SHAPE))


def surprise(table: Table, scores: Floats) -> Floats:
    """-log10 p of scores [row, score, step] by table [row, score, COLUMNS]; NaN where either is unknown."""
    kept = table.astype(np.float64)[..., None, :]
    marks = -np.log10(BODY)
    out = np.zeros_like(scores)
    for k in range(len(BODY) - 1):
        here, there = kept[..., k], kept[..., k + 1]
        width = there - here
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(width > 0, (scores - here) / width, np.where(scores > here, 1.0, 0.0))
        out += (marks[k + 1] - marks[k]) * np.clip(share, 0.0, 1.0)
    out += np.where(scores >= kept[..., 0], marks[0], 0.0)
    scale, shape = np.maximum(kept[..., -2], 1e-30), kept[..., -1]
    over = np.maximum(scores - kept[..., len(BODY) - 1], 0.0) / scale
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        heavy = np.log1p(shape * over) / np.where(shape > 0, shape, 1.0)
    out += np.where(shape > 1e-3, heavy, over) / np.log(10)
    out[np.isnan(scores) | np.isnan(kept[..., 0] + 0 * scores)] = np.nan
    return out


def score_at(table: Table, surprised: Floats) -> Floats:
    """[row, score], the score whose surprise is `surprised` [row]; inf where there is no table."""
    kept = table.astype(np.float64)
    scale, shape = kept[..., -2], kept[..., -1]
    more = np.maximum(surprised[:, None] + np.log10(EDGE), 0.0) * np.log(10)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        over = np.where(shape > 1e-3, np.expm1(shape * more) / np.where(shape > 0, shape, 1.0), more)
    found = kept[..., len(BODY) - 1] + scale * over
    return np.where(np.isnan(found), np.inf, found)
