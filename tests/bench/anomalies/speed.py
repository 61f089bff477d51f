"""How long a tick and a daily refit of a fleet take, what is remembered, and pyod asked series by series beside it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

from autoscaler.adapters.pyod_detectors import PyodDetector
from autoscaler.detection import fitting, memory
from autoscaler.detection.contract import Block, Watched
from autoscaler.detection.engine import DetectionEngine
from autoscaler.domain.series import Floats
from autoscaler.learning.detection import fit_rows
from tests.bench.anomalies.ours import OURS

STEP_S: Final = 300
DAY: Final = 288
HISTORY: Final = 14 * DAY
TICKS: Final = 7
SAMPLE: Final = 20
"""Series that pyod is asked for: the rest is multiplied."""


@dataclass(frozen=True, slots=True)
class Speed:
    """rows: of the fleet. tick_s: of the processor, a new step of all, once a day's tables stand. renewing_s: the first
    of a day.

    refit_s, first_fit_s: processor seconds over `processes` threads, a refit starting from yesterday's. refit_clock_s:
    by the clock, beside whatever else ran. pyod_tick_s, pyod_fit_s: of the same rows, one by one.
    """

    rows: int
    tick_s: float
    renewing_s: float
    bytes_each: float
    refit_s: float
    first_fit_s: float
    refit_clock_s: float
    processes: int
    pyod_tick_s: float
    pyod_fit_s: float
    pyod: str


def speed(rows: int = 10_000, processes: int = 2) -> Speed:
    """Of made-up days of many services: sizes and noises of all kinds, some holes."""
    values = _fleet(rows)
    keys = tuple(f"shop/service{k}" for k in range(rows))
    with threadpool_limits(limits=1):
        first_fit_s, fitted = _timed(lambda: fit_rows(values, DAY, None, processes), busy=True)
        began = time.perf_counter()
        refit_s, fitted = _timed(lambda: fit_rows(values, DAY, fitted, processes), busy=True)
        clock_s = time.perf_counter() - began
        engine = DetectionEngine(Watched.alone(keys), STEP_S)
        engine.observe(Block(STEP_S, 0, values[:, :3]))
        engine.adopt(memory.keyed(keys, fitted))
        new = values[:, 3:]
        engine.observe(Block(STEP_S, 3, new[:, : DAY - 4]))
        ticks = []
        for k in range(TICKS + 1):
            step = DAY - 1 + k
            block = Block(STEP_S, step, values[:, step : step + 1])
            took, _ = _timed(partial(engine.observe, block), busy=True)
            ticks.append(took)
        held = sum(a.nbytes for a in engine.arrays().values()) / rows
        pyod = PyodDetector("ecod", "ECOD")
        some = values[:SAMPLE]
        fit_s, state = _timed(lambda: pyod.fit(Block(STEP_S, 0, some)))
        pyod.score(state, Block(STEP_S, HISTORY, some[:, :1]))
        tick_s, _ = _timed(lambda: pyod.score(state, Block(STEP_S, HISTORY, some[:, :1])), busy=True)
    more = rows / SAMPLE
    usual = [t for k, t in enumerate(ticks) if k != 1]
    return Speed(
        rows, float(np.median(usual)), ticks[1], held, refit_s / processes, first_fit_s / processes, clock_s, processes,
        tick_s * more, fit_s * more, "ECOD",
    )  # fmt: skip


def measured_speed(scratch: Path) -> Speed:
    """As `speed`, or as it was measured last with the same code."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for file in sorted(Path(fitting.__file__).parent.glob("*.py")):
        if file.stem in OURS:
            digest.update(file.read_bytes())
    path = scratch / f"speed-{digest.hexdigest()[:12]}.json"
    if not path.exists():
        scratch.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(speed())), encoding="utf-8")
    return Speed(**json.loads(path.read_text(encoding="utf-8")))


def _fleet(rows: int) -> Floats:
    rng = np.random.default_rng(3)
    t = np.arange(HISTORY)
    phase, size = rng.uniform(0, DAY, rows), rng.lognormal(3, 2, rows)
    noise = rng.uniform(0.02, 0.3, rows)
    values = np.empty((rows, HISTORY))
    for at in range(0, rows, 500):
        some = slice(at, at + 500)
        daily = 1.2 + np.sin(2 * np.pi * (t + phase[some, None]) / DAY)
        values[some] = size[some, None] * daily * (1 + noise[some, None] * rng.standard_normal((len(daily), HISTORY)))
    values[rng.random(rows) < 0.1, 700:705] = np.nan
    return values


def _timed(what: Callable[[], Any], *, busy: bool = False) -> tuple[float, Any]:
    """Seconds by the clock, or busy: of the processor, for what runs on one core beside others' work."""
    began = time.process_time() if busy else time.perf_counter()
    found = what()
    return (time.process_time() if busy else time.perf_counter()) - began, found
