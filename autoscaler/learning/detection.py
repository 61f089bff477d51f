"""The daily refit of detection by several threads, for a process of its own (bootstrap.anomaly_learning).

What is learned is numpy's alone (detection.fitting), so the engine could do it itself; there it would cost a tick.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from numpy.typing import NDArray

from autoscaler.detection import fitting
from autoscaler.detection.contract import Arrays
from autoscaler.domain.series import Floats

SPAN: Final = 512
"""Rows handed to a worker at a time, at most."""


def fit_rows(values: Floats, day: int, before: Arrays | None, workers: int = 1) -> dict[str, NDArray[Any]]:
    """As fitting.fit, by `workers` threads: almost all of the work is inside numpy, which lets others run.

    values: [row, step], the last two weeks, NaN = not observed. day: steps of one. before: what was fitted last.
    """
    from threadpoolctl import threadpool_limits

    size = max(1, min(SPAN, -(-len(values) // workers)))
    spans = [slice(at, at + size) for at in range(0, len(values), size)]
    out = fitting.empty(len(values))

    def fit(span: slice) -> dict[str, NDArray[Any]]:
        return fitting.fit(values[span], day, None if before is None else {n: before[n][span] for n in out})

    with threadpool_limits(limits=1), ThreadPoolExecutor(max_workers=workers) as pool:
        for span, found in zip(spans, pool.map(fit, spans), strict=True):
            for name, array in found.items():
                out[name][span] = array
    return out
