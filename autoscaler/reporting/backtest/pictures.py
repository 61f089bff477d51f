"""Pictures of a backtest as inline SVG: demand beside its forecasts, coverage by level, and losses side by side."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from autoscaler.domain.series import Bools
from autoscaler.reporting.backtest.values import ModelRow, Stretch
from autoscaler.reporting.report.drawing import (
    Canvas,
    Scale,
    band,
    extremes,
    grid,
    polyline,
    round_ticks,
    time_ticks,
)
from autoscaler.reporting.report.numbers import number, percent
from autoscaler.reporting.report.timeline import Format

WIDE: Final = Format("wide", 1040, 230, 0, 190, 9)
NARROW: Final = Format("narrow", 360, 180, 0, 118, 4)
_RIGHT, _TOP, _FOOT, _ROW = 12, 24, 28, 22
_LEFT_OF_DEMAND = 58
_FARTHEST = 3.0
"""Of the coverage axis: 99.9 %; what is above is drawn there."""


def timeline(stretch: Stretch, form: Format) -> str:
    """Demand, the band of our forecast from the median up, and the baseline's high quantile."""
    words = f"Demand and the forecast peak: median to {percent(stretch.high_level)}, Foresail and baseline"
    canvas = Canvas(form.width, _TOP + form.demand + _FOOT, words, form.kind)
    right, foot, left = form.width - _RIGHT, _TOP + form.demand, _LEFT_OF_DEMAND
    x, y = Scale(0, len(stretch.demand), left, right), Scale(0, _most(stretch), foot, _TOP)
    start_s = stretch.first_step * stretch.step_s
    for at_s, label in time_ticks(start_s, start_s + len(stretch.demand) * stretch.step_s, form.time_ticks):
        at = x((at_s - start_s) / stretch.step_s)
        canvas.line(at, _TOP, at, foot, "grid")
        canvas.text(at, foot + 16, label, f"tick {'start' if at - left < 20 else 'middle'}")
    for begin, end in _runs(stretch.unknown):
        canvas.rect(x(begin), _TOP, x(end) - x(begin), form.demand, kind="gap", title="no demand known")
    canvas.text(left, _TOP - 8, "Demand", "panel")
    grid(canvas, round_ticks(0, y.high, 4), y, left, right)
    median, high, other = (np.minimum(each, y.high) for each in (stretch.median, stretch.high, stretch.other))
    canvas.path(band(x.of(stretch.at), y.of(median), y.of(high)), "band")
    canvas.path(polyline(x.of(stretch.at), y.of(other)), "curve rival")
    kept = extremes(stretch.demand, max(1, (right - left) // 2))
    canvas.path(polyline(x.of(kept.astype(np.float64) + 0.5), y.of(stretch.demand[kept])), "demand")
    return canvas.svg()


def coverage(rows: tuple[ModelRow, ...], levels: tuple[float, ...], form: Format) -> str:
    """One line per model: the share of peaks at or below each quantile, beside the share that was asked for."""
    told = [row for row in rows if row.peak_coverage]
    foot = _TOP + _ROW * len(told)
    words = "; ".join(f"{r.model}: {', '.join(percent(c) for c in r.peak_coverage)}" for r in told)
    canvas = Canvas(form.width, foot + _FOOT, f"Coverage of the peak. {words}", form.kind)
    x = Scale(0, _FARTHEST, form.left, form.width - _RIGHT - 22)
    for level in levels:
        canvas.line(x(_rare(level)), _TOP - 4, x(_rare(level)), foot, "asked")
        canvas.text(x(_rare(level)), foot + 16, percent(level), "tick middle")
    for at, row in enumerate(told):
        mid = _TOP + _ROW * (at + 0.5)
        canvas.line(form.left, mid, form.width - _RIGHT, mid, "grid")
        canvas.text(form.left - 8, mid + 4, row.model, f"tick end{' strong' if row.ours else ''}")
        for level, share in zip(levels, row.peak_coverage, strict=False):
            title = f"{row.model}: {percent(share)} where {percent(level)} was asked"
            canvas.dot(x(_rare(share)), mid, 5 if row.ours else 4, f"point {_kind(row)}", title)
    return canvas.svg()


def losses(rows: tuple[ModelRow, ...], form: Format) -> str:
    """Bars of the loss relative to the baseline; what is far beyond is cut and says its number."""
    told = [row for row in rows if row.relative is not None]
    foot = _TOP + _ROW * len(told)
    words = "; ".join(f"{row.model} {number(row.relative)}" for row in told)
    canvas = Canvas(form.width, foot + _FOOT, f"Quantile loss relative to the baseline. {words}", form.kind)
    most = min(max([1.2, *(row.relative or 0.0 for row in told)]), 2.0)
    x = Scale(0, most, form.left, form.width - _RIGHT - 40)
    for tick in round_ticks(0, most, 5):
        canvas.line(x(tick), _TOP - 4, x(tick), foot, "grid")
        canvas.text(x(tick), foot + 16, f"{tick:g}", "tick middle")
    for at, row in enumerate(told):
        top, end = _TOP + _ROW * at + 4, x(min(row.relative or 0.0, most))
        canvas.text(form.left - 8, top + 11, row.model, f"tick end{' strong' if row.ours else ''}")
        canvas.rect(form.left, top, end - form.left, _ROW - 8, kind=f"point {_kind(row)}")
        canvas.text(end + 6, top + 11, number(row.relative), "tick start")
    canvas.line(x(1), _TOP - 4, x(1), foot, "asked")
    return canvas.svg()


def _kind(row: ModelRow) -> str:
    return "ours" if row.ours else "rival" if row.baseline else "other"


def _rare(share: float) -> float:
    """Nines: .9 → 1, .99 → 2, so that the tail has room."""
    return _FARTHEST if share >= 1 - 10**-_FARTHEST else -math.log10(1 - share)


def _most(stretch: Stretch) -> float:
    """A wild forecast may be cut, demand never is."""
    demand = float(np.nanmax(stretch.demand, initial=0.0))
    forecast = float(np.nanmax(stretch.high, initial=0.0))
    return max(min(max(demand, forecast), 1.6 * demand), 1e-9) * 1.04


def _runs(flags: Bools) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate(([0], flags.astype(np.int8), [0])))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))
