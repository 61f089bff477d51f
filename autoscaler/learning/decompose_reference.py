"""A library's path for one series that somebody asks for by name, in a process of its own with limits.

The models are those of the backtest (backtest/references.py): to be compared with, never to serve.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.domain.errors import Refused
from autoscaler.domain.series import Floats, Ints
from autoscaler.learning.backtest.paths import coarse, filled
from autoscaler.learning.backtest.plan import DAY_S, library_step
from autoscaler.learning.backtest.references import MOST_POINTS, REFERENCES, Known
from autoscaler.learning.process import run_limited

SECONDS: Final = 180.0
MEMORY_BYTES: Final = 2048 * 1024**2
FILE: Final = "path.npy"


def reference_path(
    model: str, values: Floats, step_s: int, first_step: int, steps: int, *,
    seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES,
) -> Floats:  # fmt: skip
    """[step], expected demand of the `steps` steps after `values` [step], each step of a point alike.

    Raises Refused for a model that is not known, history that it cannot begin with, or a process that did not end well.
    """
    if model not in REFERENCES:
        raise Refused(f"--model {model!r} is not known; use {', '.join(REFERENCES)}")
    grid_s = library_step(step_s)
    if grid_s is None:
        raise Refused(f"steps of {step_s} s have no daily season for {model}; pass e.g. --step 5m")
    factor, season = grid_s // step_s, DAY_S // grid_s
    end = (first_step + len(values)) // factor
    first = -(-first_step // factor)
    points = filled(coarse(values[first * factor - first_step : end * factor - first_step], factor), season)
    points = points[-MOST_POINTS:]
    there = np.flatnonzero(~np.isnan(points))
    needed = max(REFERENCES[model].least_seasons * season, 2)
    if not len(there) or len(points) - there[0] < needed:
        raise Refused(f"--model {model} needs {needed * grid_s / DAY_S:g} days of demand before it can begin")
    count = -(-(first_step + len(values) + steps) // factor) - end
    with tempfile.TemporaryDirectory(prefix="foresail-model-") as scratch:
        folder = Path(scratch) / "path"
        job = (model, points[there[0] :], (season, end, grid_s), count)
        ended = run_limited(reference_job, folder, job, seconds=seconds, memory_bytes=memory_bytes)
        if not ended.done:
            raise Refused(f"--model {model} has no path: {ended.words}")
        with (folder / FILE).open("rb") as made:
            path = np.asarray(np.lib.format.read_array(made, allow_pickle=False), dtype=np.float64)
    at: Ints = (first_step + len(values) + np.arange(steps)) // factor - end
    found = np.maximum(path[at], 0.0)
    return np.where(np.isfinite(found), found, np.nan)


def reference_job(folder: Path, model: str, points: Floats, grid: tuple[int, int, int], count: int) -> None:
    """In the child: fits the model and writes its path. grid: points of a day, the origin, seconds of a point."""
    from threadpoolctl import threadpool_limits

    known = Known(points, *grid)
    with threadpool_limits(limits=1):
        if np.ptp(points) == 0:
            path = np.full(count, points[-1])  # libraries fail on a constant, each in its way
        else:
            one = REFERENCES[model]
            path = one.path(one.fit(known, count), known, count)
    np.save(folder / FILE, np.asarray(path, dtype=np.float64), allow_pickle=False)
