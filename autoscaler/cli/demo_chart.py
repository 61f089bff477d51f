"""A chart of the last day for the terminal: demand as a filled shape, capacities and forecast as lines over it.

Characters alone tell the parts apart, so that it reads without colour too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from rich.text import Text

from autoscaler.domain.series import Bools, Floats, Ints

EIGHTHS = " ▁▂▃▄▅▆▇█"
CAPACITY, RIVAL, PEAK, OVER, SHORT = "━", "╌", "·", "▓", "▀"
DEMAND_STYLE, OVER_STYLE, CAPACITY_STYLE, RIVAL_STYLE, PEAK_STYLE = (
    "grey50",
    "red",
    "bold dodger_blue1",
    "dark_orange",
    "cyan",
)
GUTTER = 9
SPAN_S = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Strips:
    """All arrays are [step] and end at the present. NaN = unknown.

    demand: offered. peak: p95 of the coming peak. capacity, rival: what the ready replicas served, ours and theirs.
    """

    demand: Floats
    peak: Floats
    capacity: Floats
    rival: Floats

    def __post_init__(self) -> None:
        shapes = {a.shape for a in (self.demand, self.peak, self.capacity, self.rival)}
        if len(shapes) != 1 or self.demand.ndim != 1:
            raise ValueError(f"strips must be 1-d and of one length, not {sorted(shapes)}")


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """[column]; a column that holds a short step shows its worst step, any other its busiest."""

    demand: Floats
    peak: Floats
    capacity: Floats
    rival: Floats
    short: Bools
    rival_short: Bools


def chart(strips: Strips, now: datetime, step_s: int, *, width: int, height: int, names: tuple[str, str]) -> list[Text]:
    """`height` lines of plot, one line for each side's shortage, and one of time (of `now`'s zone)."""
    width = max(10, width - GUTTER)
    columns = _columns(strips, max(1, SPAN_S // step_s), width)
    lines = (columns.demand, columns.peak, columns.capacity, columns.rival)
    top = _round_up(max(float(np.nan_to_num(line).max(initial=0.0)) for line in lines))
    labels = _labels(top, height)
    plot = [_plot_row(columns, r, height, top, labels.get(r, "")) for r in range(height - 1, -1, -1)]
    ours = _marks(names[0], columns.short, CAPACITY_STYLE)
    theirs = _marks(names[1], columns.rival_short, RIVAL_STYLE)
    return [*plot, ours, theirs, _clock(now, width)]


def legend(names: tuple[str, str]) -> Text:
    parts = (
        ("█", DEMAND_STYLE, "demand"),
        (CAPACITY, CAPACITY_STYLE, f"{names[0]} ready"),
        (RIVAL, RIVAL_STYLE, f"{names[1]} ready"),
        (PEAK, PEAK_STYLE, "coming peak p95"),
        (SHORT, OVER_STYLE, "short"),
    )
    text = Text(no_wrap=True, overflow="ellipsis")
    for sign, style, words in parts:
        text.append(f"{sign} ", style).append(f"{words}  ", "dim")
    return text


def _columns(strips: Strips, steps: int, width: int) -> _Columns:
    """The last `steps` steps on `width` columns; what lies before the first step is unknown."""
    demand, peak, capacity, rival = (
        _last(a, steps) for a in (strips.demand, strips.peak, strips.capacity, strips.rival)
    )
    edges = np.linspace(0, steps, width + 1)
    first = np.minimum(np.floor(edges[:-1]).astype(np.int64), steps - 1)
    end = np.maximum(first + 1, np.floor(edges[1:]).astype(np.int64))
    gap, rival_gap = _gap(demand, capacity), _gap(demand, rival)
    bins = list(zip(first.tolist(), end.tolist(), strict=True))
    at, rival_at = _worst(demand, gap, bins), _worst(demand, rival_gap, bins)
    return _Columns(
        demand=demand[at],
        peak=np.array([np.nanmax(peak[a:b]) if np.isfinite(peak[a:b]).any() else np.nan for a, b in bins]),
        capacity=capacity[at],
        rival=rival[rival_at],
        short=gap[at] > 0,
        rival_short=rival_gap[rival_at] > 0,
    )


def _last(values: Floats, steps: int) -> Floats:
    known = values[-steps:]
    return np.concatenate((np.full(steps - known.size, np.nan), known))


def _gap(demand: Floats, capacity: Floats) -> Floats:
    """Demand above capacity; zero where either is unknown, and within rounding."""
    gap = np.nan_to_num(demand - capacity, nan=0.0)
    return np.where(gap > 1e-9 * np.nan_to_num(capacity), gap, 0.0)


def _worst(demand: Floats, gap: Floats, bins: Sequence[tuple[int, int]]) -> Ints:
    """[column], the step to show."""
    filled = np.nan_to_num(demand, nan=-1.0)
    return np.array([a + int(np.argmax(gap[a:b] if gap[a:b].any() else filled[a:b])) for a, b in bins], dtype=np.int64)


def _plot_row(columns: _Columns, row: int, height: int, top: float, label: str) -> Text:
    """One line of cells. Where lines meet, ours is in front, then the rival's, then the forecast."""
    scale = 8 * height / top
    text = Text(label.rjust(GUTTER - 1) + " ", "dim", no_wrap=True)
    for c in range(columns.demand.size):
        filled = _eighths(columns.demand[c], scale, row)
        over = bool(columns.short[c]) and (columns.capacity[c] * scale) < 8 * row + 4
        behind = f" on {OVER_STYLE if over else DEMAND_STYLE}" if filled >= 4 else ""
        for value, sign, style in (
            (columns.capacity[c], CAPACITY, CAPACITY_STYLE),
            (columns.rival[c], RIVAL, RIVAL_STYLE),
            (columns.peak[c], PEAK, PEAK_STYLE),
        ):
            if np.isfinite(value) and min(int(value * scale // 8), height - 1) == row:
                text.append(sign, style + behind)
                break
        else:
            text.append(OVER if over and filled == 8 else EIGHTHS[filled], OVER_STYLE if over else DEMAND_STYLE)
    return text


def _eighths(value: float, scale: float, row: int) -> int:
    return 0 if np.isnan(value) else int(np.clip(round(value * scale) - 8 * row, 0, 8))


def _round_up(value: float) -> float:
    """The next number of the kind 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 × 10ⁿ."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(m * power for m in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15) if m * power >= value * (1 - 1e-9)))


def _labels(top: float, height: int) -> dict[int, str]:
    """Row → number, at the top, the middle and the foot."""
    middle = height // 2
    return (
        {height - 1: _plain(top), middle: _plain(top * middle / height), 0: "0"}
        if height > 3
        else {height - 1: _plain(top)}
    )


def _plain(value: float) -> str:
    return (
        f"{value:,.0f}"
        if value < 1e5
        else f"{value:.1e}"
        if value >= 1e9
        else f"{value / 1000:,.0f}k"
        if value < 1e7
        else f"{value / 1e6:,.0f}M"
    )


def _marks(name: str, flags: Bools, style: str) -> Text:
    text = Text(name[: GUTTER - 1].rjust(GUTTER - 1) + " ", style, no_wrap=True)
    for flag in flags:
        text.append(SHORT if flag else "┈", OVER_STYLE if flag else "bright_black")
    return text


def _clock(now: datetime, width: int) -> Text:
    """Hours under the plot, as many as have room."""
    hours = next((h for h in (1, 2, 3, 4, 6, 12) if width * h / 24 >= 9), 12)
    start = now - timedelta(seconds=SPAN_S)
    mark = start.replace(minute=0, second=0, microsecond=0)
    cells = [" "] * width
    while mark <= now:
        at = round((mark - start).total_seconds() / SPAN_S * width)
        if mark.hour % hours == 0 and 0 <= at <= width - 6:
            cells[at : at + 6] = f"╵{mark:%H:%M}"
        mark += timedelta(hours=1)
    return Text(" " * GUTTER + "".join(cells), "dim", no_wrap=True)
