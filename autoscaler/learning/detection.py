"""The daily refit of detection in the training process: arrays in a file go in, an artefact's arrays come out.

What is learned is numpy's alone (detection.fitting), so the engine could do it itself; here it costs no tick, and runs
within limits of time and memory (learning.process).
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection import fitting, memory
from autoscaler.detection.contract import Arrays
from autoscaler.domain.series import Floats

KIND: Final = "detection"
VERSION: Final = "1"
"""Of the arrays' meaning: rises with what fitting.fit learns."""
ARRAYS: Final = "fitted.npz"
SPAN: Final = 512
"""Rows handed to a worker at a time."""


def fit_rows(values: Floats, day: int, before: Arrays | None, workers: int = 1) -> dict[str, NDArray[Any]]:
    """As fitting.fit, by `workers` threads: almost all of the work is inside numpy, which lets others run.

    values: [row, step], the last two weeks, NaN = not observed. day: steps of one. before: what was fitted last.
    """
    spans = [slice(at, at + SPAN) for at in range(0, len(values), SPAN)]
    out = fitting.empty(len(values))

    def fit(span: slice) -> dict[str, NDArray[Any]]:
        return fitting.fit(values[span], day, None if before is None else {n: before[n][span] for n in out})

    with ThreadPoolExecutor(max_workers=workers) as pool:
        for span, found in zip(spans, pool.map(fit, spans), strict=True):
            for name, array in found.items():
                out[name][span] = array
    return out


def learn(folder: Path, source: Path, step_s: int, workers: int = 1) -> None:
    """A job of learning.process: fit what `source` holds, write ARRAYS into `folder`.

    source: an .npz of `values` [row, step], `key` [row] of bytes, and, to start from, what was fitted last under
    `before.NAME`. Raises ValueError where it is none.
    """
    from threadpoolctl import threadpool_limits

    with np.load(source, allow_pickle=False) as kept:
        missing = {"values", "key"} - set(kept.files)
        if missing:
            raise ValueError(f"{source}: no array {', '.join(sorted(missing))}: write it with `handed`")
        values, keys = kept["values"], kept["key"]
        last = {name.removeprefix("before."): kept[name] for name in kept.files if name.startswith("before.")}
    if values.ndim != 2 or len(values) != len(keys):
        raise ValueError(f"{source}: values {values.shape} for {len(keys)} keys")
    day = max(1, 86400 // step_s)
    with threadpool_limits(limits=1):
        found = fit_rows(values, day, last or None, workers)
    np.savez(folder / ARRAYS, allow_pickle=False, **memory.keyed([k.decode() for k in keys.tolist()], found))


def handed(source: Path, keys: tuple[str, ...], values: Floats, before: Arrays | None = None) -> None:
    """Write what `learn` reads. before: the engine's arrays; rows are matched by key."""
    kept: dict[str, NDArray[Any]] = {"values": values, "key": np.array([k.encode() for k in keys], dtype=np.bytes_)}
    if before is not None:
        ours, theirs = memory.matched(keys, before)
        for name, array in fitting.empty(len(keys)).items():
            array[ours] = before[name][theirs]
            kept[f"before.{name}"] = array
    np.savez(source, allow_pickle=False, **kept)


def taken(path: Path) -> Mapping[str, NDArray[Any]]:
    """What `learn` wrote, for DetectionEngine.adopt. Raises ValueError where names or types are not what it writes."""
    with np.load(path, allow_pickle=False) as kept:
        found = {name: kept[name] for name in kept.files}
    for name, like in {**fitting.empty(0), "key": np.empty(0, dtype=np.bytes_)}.items():
        given = found.get(name)
        if (
            given is None
            or given.dtype.kind != like.dtype.kind
            or (name != "key" and given.shape[1:] != like.shape[1:])
        ):
            raise ValueError(f"{path}: {name} is not what was learned of rows: fit again")
    return found
