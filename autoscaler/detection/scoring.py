"""The four scores of a row from its past and what was learned of it; means over a few steps of what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection import covariation, expectation, shape, subsequence, tails
from autoscaler.detection.memory import Rows
from autoscaler.domain.series import Floats

TOGETHER: Final = 32 * 1440
"""New steps of rows that are scored at a time: each takes some kilobytes on the way."""
LEARNED: Final = ("base", "centre", "width", "sample", "tails", "weights", "centres", "usual", "whiten")


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """Of the new steps, [row, step]: z without unit, holes carried; yesterday's; trailing means and yesterday's; what
    was expected, without unit; scores [row, member, step].
    """

    z: Floats
    yesterday: Floats
    short: Floats
    middle: Floats
    middle_yesterday: Floats
    expected: Floats
    scores: Floats


def look(rows: Rows, relative: Floats, fed: Floats | None, new: int, day: int) -> Looked:
    """relative: [row, past + new] as remembered. fed: [row, new], what a forecaster expected, in the row's unit."""
    size = max(1, TOGETHER // max(1, new))
    if len(relative) <= size:
        return _look(rows, relative, fed, new, day)
    parts = []
    for at in range(0, len(relative), size):
        some = slice(at, at + size)
        learned = {name: rows[name][some] for name in LEARNED}
        parts.append(_look(learned, relative[some], None if fed is None else fed[some], new, day))
    names = Looked.__dataclass_fields__
    return Looked(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _look(rows: Rows, relative: Floats, fed: Floats | None, new: int, day: int) -> Looked:
    with np.errstate(over="ignore", invalid="ignore"):
        off = (rows["base"] - rows["centre"])[:, None]
        given = np.clip((relative + off) / rows["width"][:, None], -shape.CLIP, shape.CLIP)
    z: Floats = np.asarray(shape.carried(given), dtype=np.float64)
    here = slice(z.shape[1] - new, None)
    near = z[:, z.shape[1] - new - shape.LONG - shape.MIDDLE :]
    found = shape.features(near, new)
    sample = np.broadcast_to(rows["sample"].astype(np.float64), found.shape[:2])
    left, right = tails.surprise(rows["tails"].transpose(1, 0, 2, 3), found, sample)
    expected = expectation.expected(rows["weights"], z, day, new)
    if fed is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            own = np.clip((fed - rows["centre"][:, None]) / rows["width"][:, None], -shape.CLIP, shape.CLIP)
        expected = np.where(np.isnan(own), expected, own)
    residual = np.abs(given[:, here] - expected)
    scores = np.stack(
        [
            tails.copod(left, right), residual, subsequence.distances(rows["centres"], z, new),
            covariation.distances(rows["usual"], rows["whiten"], z, new),
        ],
        axis=1,
    )  # fmt: skip
    unknown = np.isnan(given[:, here])
    scores = np.where(unknown[:, None, :], np.nan, scores)
    before = _middle(z, new, day)
    return Looked(
        z[:, here], z[:, z.shape[1] - new - day : z.shape[1] - day], found[1], found[2], before, expected, scores
    )


def _middle(z: Floats, new: int, day: int) -> Floats:
    """[row, step], the mean of 24 steps a day before each of the new ones."""
    end = z.shape[1] - day
    return np.asarray(shape.Means.of(z[:, end - new - shape.MIDDLE + 1 : end]).middle[:, -new:], dtype=np.float64)


def averaged(recent: NDArray[np.float32], new: NDArray[np.float32], width: int) -> Floats:
    """[row, step], trailing means over `width` steps of what is known, at least half; recent: [row, earlier steps]."""
    joined = np.concatenate([recent, new], axis=1).astype(np.float64)
    joined = joined[:, max(0, joined.shape[1] - new.shape[1] - width + 1) :]
    known = ~np.isnan(joined)
    total, count = np.zeros(new.shape), np.zeros(new.shape)
    filled = np.where(known, joined, 0.0)
    for back in range(width):
        part = slice(joined.shape[1] - new.shape[1] - back, joined.shape[1] - back)
        total += filled[:, part]
        count += known[:, part]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count * 2 >= width, total / count, np.nan)
