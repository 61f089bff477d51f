"""What a demand is made of: trend, season of the day and of the week, remainder; for people who ask why.

Source: STL (Cleveland et al. 1990) and MSTL for two seasons (Bandara, Hyndman & Bergmeir 2021), as statsmodels has
them, in their robust form: a burst stays in the remainder. Strength of a season as in Wang, Smith & Hyndman (2006):
1 - Var(remainder) / Var(season + remainder), adjusted as R² is for how few cycles a season is drawn from. Runs in a
process of its own with limits (process.py): nothing here serves, and a series on which the library hangs costs its own
picture.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from autoscaler.domain.errors import Refused
from autoscaler.domain.series import Floats
from autoscaler.learning.backtest.paths import coarse, filled
from autoscaler.learning.process import run_limited

DAY_S: Final = 86400
GRID_S: Final = 1800
"""Points that are decomposed: means of this long at least. A day has 48, a week 336."""
MOST_WEEKS: Final = 5
LEAST_DAYS: Final = 3
LEAST_WEEKS: Final = 4
"""For a season of the week: drawn from two, it swallows the noise whole, and 94 % of pure noise passes for season."""
KNOWN: Final = 0.5
"""Share of the points that must be known."""
TRIMMED: Final = 0.99
"""Share of the remainders that strength is judged by, the least ones: single bursts say nothing of the season."""
ROUNDING: Final = 1e-9
"""Of the mean demand: what varies less does not vary."""
SECONDS: Final = 60.0
MEMORY_BYTES: Final = 1536 * 1024**2
ENDING: Final = ".npy"
WINDOW: Final = 11
"""Cycles that a season is smoothed over; its tricube weights make them about as good as half as many."""
JUMPS: Final[dict[str, Any]] = {"robust": True, "seasonal_jump": 2, "trend_jump": 10, "low_pass_jump": 10}
"""Smoothers are asked at every few points and drawn straight in between (as in the paper, §3): ten times as fast."""


@dataclass(frozen=True, slots=True, eq=False)
class Decomposition:
    """All arrays are [point] from point `first` of a grid of step_s since the epoch, in demand units; read-only.

    observed: NaN where unknown; there the parts rest on a filled value, and the remainder is NaN. week: None where
    there is too little history for it. day_strength, week_strength: 0 … 1, None where nothing varies.
    """

    step_s: int
    first: int
    observed: Floats
    trend: Floats
    day: Floats
    week: Floats | None
    remainder: Floats
    day_strength: float | None
    week_strength: float | None

    def __post_init__(self) -> None:
        parts = [self.observed, self.trend, self.day, self.remainder, *([] if self.week is None else [self.week])]
        if len({part.shape for part in parts}) != 1 or self.observed.ndim != 1:
            raise ValueError(f"the parts of a decomposition are of one length, not {[p.shape for p in parts]}")
        for part in parts:
            part.setflags(write=False)


def strength_words(strength: float | None) -> str:
    """For a reader: a share is hard to picture."""
    if strength is None:
        return "none: nothing varies"
    for least, words in ((0.9, "very strong"), (0.7, "strong"), (0.4, "clear"), (0.2, "weak")):
        if strength >= least:
            return f"{words} ({strength:.2f})"
    return f"hardly any ({strength:.2f})"


def decompose(
    values: Floats, step_s: int, first_step: int, *, seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES
) -> Decomposition:
    """The newest weeks of one demand [step], NaN = unknown, decomposed in a process of its own.

    Raises Refused where there is too little history, too much of it is unknown, the grid has no daily season, or the
    process did not end well within its limits.
    """
    grid_s, first, points = _points(values, step_s, first_step)
    with tempfile.TemporaryDirectory(prefix="foresail-decompose-") as scratch:
        folder = Path(scratch) / "parts"
        ended = run_limited(
            decompose_job, folder, (points, DAY_S // grid_s), seconds=seconds, memory_bytes=memory_bytes
        )  # fmt: skip
        if not ended.done:
            raise Refused(f"the decomposition was not made: {ended.words}")
        parts = {}
        for path in sorted(folder.glob("*" + ENDING)):
            with path.open("rb") as made:
                parts[path.stem] = np.asarray(np.lib.format.read_array(made, allow_pickle=False), dtype=np.float64)
    known = ~np.isnan(points)
    day, week, left = parts["day"], parts.get("week"), parts["remainder"][known]
    level, days = float(np.abs(points[known]).mean()), known.sum() * grid_s / DAY_S
    return Decomposition(
        grid_s, first, points, parts["trend"], day, week, np.where(known, parts["remainder"], np.nan),
        _strength(day[known], left, level, days),
        None if week is None else _strength(week[known], left, level, days / 7),
    )  # fmt: skip


def decompose_job(folder: Path, points: Floats, season: int) -> None:
    """In the child: writes the parts of `points` as arrays into `folder`."""
    from statsmodels.tsa.seasonal import MSTL, STL
    from threadpoolctl import threadpool_limits

    whole = filled(filled(points, season)[::-1], season)[::-1]  # forwards, and what is before the first one backwards
    parts: dict[str, Floats] = {}
    with threadpool_limits(limits=1):
        if len(points) >= LEAST_WEEKS * 7 * season - 1:
            found = MSTL(whole, periods=(season, 7 * season), windows=(WINDOW, WINDOW), stl_kwargs=JUMPS).fit()
            parts["day"], parts["week"] = found.seasonal[:, 0], found.seasonal[:, 1]
        else:
            found = STL(whole, period=season, seasonal=WINDOW, **JUMPS).fit()
            parts["day"] = found.seasonal
    parts["trend"], parts["remainder"] = found.trend, found.resid
    for name, part in parts.items():
        with (folder / (name + ENDING)).open("wb") as made:
            np.lib.format.write_array(made, np.asarray(part, dtype=np.float64), allow_pickle=False)


def _points(values: Floats, step_s: int, first_step: int) -> tuple[int, int, Floats]:
    """(seconds of a point, index of the first on its grid, means), the newest whole days; or Refused."""
    grid_s = max(GRID_S, step_s)
    if grid_s % step_s or DAY_S % grid_s or DAY_S // grid_s < 4:
        raise Refused(f"steps of {step_s} s make no daily season of half-hour points; pass e.g. --step 5m or --step 1h")
    factor, season = grid_s // step_s, DAY_S // grid_s
    first = -(-first_step // factor)
    points = coarse(values[first * factor - first_step :], factor)
    there = np.flatnonzero(~np.isnan(points))
    if not len(there):
        raise Refused("no demand is known, so there is nothing to decompose")
    begin, end = int(there[0]), int(there[-1]) + 1
    begin = max(begin, end - MOST_WEEKS * 7 * season)
    points = points[begin:end].copy()
    if len(points) < LEAST_DAYS * season - 1:  # the first point may be cut off by the grid
        raise Refused(f"{len(points) / season:.2g} days of demand are too few: a season of the day needs {LEAST_DAYS}")
    share = float((~np.isnan(points)).mean())
    if share < KNOWN:
        raise Refused(f"only {share:.0%} of the newest {len(points) / season:.0f} days are known: at least {KNOWN:.0%}")
    return grid_s, first + begin, points


def _strength(season: Floats, remainder: Floats, level: float, cycles: float) -> float | None:
    used = np.abs(remainder) <= np.quantile(np.abs(remainder), TRIMMED)
    both = float(np.var(season[used] + remainder[used]))
    if both <= (ROUNDING * level) ** 2:
        return None
    drawn_from = max(min(cycles, WINDOW / 2), 1.5)
    return float(np.clip(1.0 - np.var(remainder[used]) / both * drawn_from / (drawn_from - 1), 0.0, 1.0))
