"""What the engine remembers of each row: plain arrays by name, first axis the row; sizes do not grow with time.

Bytes of a row at five-minute steps, about 16,000: stretches 5,400, centres 3,800, variation 2,400, the past day 1,500,
tails 900, pages 450, the rest. At one-minute steps the past day takes 6,100.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection import calibration, faults, fitting, paging, shape
from autoscaler.domain.series import Floats

MEMBERS: Final = ("tails of features", "forecast residual", "distance to usual courses", "variation")
"""Scores of a row, in the order of their arrays. The page track averages the first three, the severity track all."""
PAGE_MEMBERS: Final = 3
SMOOTHED, SMOOTHED_SEVERITY = 6, 12
"""Steps over which the two tracks are averaged."""
NEVER: Final = np.iinfo(np.int64).min // 2
_KEYS: Final = "key"
Rows = dict[str, NDArray[Any]]


def past_steps(day: int) -> int:
    """Steps of the past that scores of the next one depend on."""
    return max(day + shape.MIDDLE + 2, shape.LONG + shape.MIDDLE) + shape.CARRIED


def empty(rows: int, day: int) -> Rows:
    """Rows never seen. day: steps of one."""
    members = len(MEMBERS)
    return {
        **fitting.empty(rows),
        "base": np.full(rows, np.nan),
        "past": np.full((rows, past_steps(day)), np.nan, dtype=np.float32),
        "ring": np.full((rows, members, calibration.SLOTS), np.nan, dtype=np.float32),
        "table": np.full((rows, members, calibration.COLUMNS), np.nan, dtype=np.float32),
        "recent": np.full((rows, 2, SMOOTHED_SEVERITY - 1), np.nan, dtype=np.float32),
        "maxima": np.full((rows, paging.BLOCKS), np.nan, dtype=np.float32),
        "edge": np.full(rows, paging.USUAL_EDGE),
        "ready": np.zeros(rows, dtype=np.bool_),
        "alarmed": np.full(rows, NEVER, dtype=np.int64),
        "next": np.full(rows, NEVER, dtype=np.int64),
        **{f"fault.{name}": array for name, array in faults.empty(rows).items()},
    }


def remember(rows: Rows, values: Floats) -> tuple[Floats, NDArray[np.float32]]:
    """Values relative to each row's base, [row, step] as kept, after those of the past: (all of them, the new past).

    A row without a base takes its first value. What is kept is single precision around the base, so that neither large
    offsets nor a restart change a score.
    """
    base = rows["base"]
    new = np.isnan(base) & ~np.isnan(values).all(axis=1)
    if new.any():
        known = ~np.isnan(values[new])
        base[new] = values[new][np.arange(int(new.sum())), known.argmax(axis=1)]
    with np.errstate(over="ignore", invalid="ignore"):
        relative = _single(values - base[:, None])
    joined = np.concatenate([rows["past"], relative], axis=1)
    return joined.astype(np.float64), joined[:, joined.shape[1] - rows["past"].shape[1] :]


def _single(values: Floats) -> NDArray[np.float32]:
    most = float(np.finfo(np.float32).max)
    return np.clip(values, -most, most).astype(np.float32)


def rebase(rows: Rows, which: NDArray[np.int64], base: Floats) -> None:
    """Move what is remembered of rows `which` to other bases."""
    old = rows["base"][which]
    moved = rows["past"][which].astype(np.float64) + np.where(np.isnan(old), 0.0, old)[:, None] - base[:, None]
    rows["past"][which] = _single(moved)
    rows["base"][which] = base


def adopted(rows: Rows, fitted: Mapping[str, NDArray[Any]], at: NDArray[np.int64], taken: NDArray[np.int64]) -> None:
    """Take rows `taken` of what was fitted into rows `at`, where anything was learned of them."""
    some = ~np.isnan(fitted["centre"][taken])
    at, taken = at[some], taken[some]
    if len(at):
        rebase(rows, at, fitted["centre"][taken])
        for name in fitting.empty(0):
            rows[name][at] = fitted[name][taken]


def keyed(keys: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """With the rows' names among the arrays."""
    names = np.array([key.encode() for key in keys], dtype=np.bytes_)
    return {_KEYS: names, **{name: array.copy() for name, array in arrays.items()}}


def matched(keys: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows of ours, rows of theirs) that have the same key. Raises ValueError where the arrays carry no keys."""
    if _KEYS not in arrays:
        raise ValueError("arrays without keys: which row is whose cannot be told; take them from `arrays` or a fit")
    theirs = {bytes(name).decode(): k for k, name in enumerate(arrays[_KEYS].tolist())}
    both = [(k, theirs[key]) for k, key in enumerate(keys) if key in theirs]
    pairs = np.array(both, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
