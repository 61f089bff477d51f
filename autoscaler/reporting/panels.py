"""The panels of the picture, each drawn into axes that it is given; no state and no choice of what to show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from autoscaler.domain.series import Bools
from autoscaler.reporting import palette
from autoscaler.reporting.runs import DAY_S, Event, Run, Span, cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_TITLE: dict[str, Any] = {"loc": "left", "fontsize": 11, "fontweight": "bold", "color": palette.INK}


def headline(figure: Figure, title: str, subtitle: str, *, left: float, synthetic: bool) -> None:
    words = f"{title}  ·  SYNTHETIC load" if synthetic and "SYNTHETIC" not in title else title
    figure.text(left, 0.962, words, fontsize=19, fontweight="bold", color=palette.INK, va="center")
    figure.text(left, 0.929, subtitle, fontsize=11, color=palette.FAINT, va="center")


def legend(figure: Figure, runs: Sequence[Run], *, left: float, with_forecast: bool) -> None:
    handles: list[Any] = [Line2D([], [], color=palette.DEMAND, lw=1.4, label="demand")]
    if with_forecast:
        handles.append(Patch(color=palette.FORECAST, alpha=0.45, lw=0, label="forecast of the coming peak, p50–p95"))
    handles += [
        Line2D([], [], color=palette.run_colour(k), lw=2.4, label=_legend_name(run.name, len(runs)))
        for k, run in enumerate(runs)
    ]
    handles.append(Patch(color=palette.SHORT, lw=0, label="under-provisioned"))
    figure.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(left - 0.008, 0.895),
        ncols=len(handles),
        frameon=False,
        fontsize=10.5,
        handlelength=1.8,
        columnspacing=1.8,
    )


def demand(
    axes: Axes, runs: Sequence[Run], span: Span, events: Sequence[Event], *, unit: str, times: bool = True
) -> None:
    """Demand against the forecast band and every run's ready capacity; unmet demand in red."""
    ours, x = runs[0], _times(runs[0], span)
    offered = cut(ours, ours.demand, span)
    p50, p95 = cut(ours, ours.p50, span), cut(ours, ours.p95, span)
    axes.fill_between(x, p50, p95, color=palette.FORECAST, alpha=0.45, lw=0, step="post", zorder=2)
    for k, run in reversed(list(enumerate(runs))):
        capacity = cut(run, run.ready, span) * run.capacity
        axes.step(x, capacity, where="post", color=palette.run_colour(k), lw=1.9 if k == 0 else 1.5, zorder=4)
        short = cut(run, run.short, span)
        axes.fill_between(x, capacity, offered, where=_widened(short), color=palette.SHORT, alpha=0.9, lw=0, zorder=3)
    axes.plot(x, offered, color=palette.DEMAND, lw=0.8, zorder=5)
    tops = [np.nan_to_num(offered).max(initial=0.0), np.nanpercentile(np.nan_to_num(p95), 99.8)]
    tops += [float(np.max(cut(r, r.ready, span), initial=0)) * r.capacity for r in runs]
    axes.set_ylim(0, max(1.0, *tops) * 1.06)
    axes.set_ylabel(unit, color=palette.INK, fontsize=10.5)
    _shade(axes, ours, span, events, labelled=True)
    _time_axis(axes, ours, span, labels=times)


def ribbon(axes: Axes, runs: Sequence[Run], span: Span) -> None:
    """One row per run, red where it was short of capacity, at least wide enough to be seen."""
    width = (span.end - span.first) * runs[0].step_s / DAY_S
    least = width / 700
    for k, run in enumerate(runs):
        row = len(runs) - 1 - k
        x = _times(run, span)
        edges = np.diff(np.concatenate(([0], cut(run, run.short, span).astype(np.int8), [0])))
        starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        bars = [(x[a], max(least, (b - a) * run.step_s / DAY_S)) for a, b in zip(starts, stops, strict=True)]
        axes.axhspan(row + 0.1, row + 0.9, color="#f4f5f6", zorder=0)
        axes.broken_barh(bars, (row + 0.1, 0.8), facecolors=palette.SHORT, lw=0, zorder=2)
    axes.set_ylim(0, len(runs))
    axes.set_yticks([len(runs) - 0.5 - k for k in range(len(runs))], [_row_name(r.name) for r in runs], fontsize=8.5)
    _time_axis(axes, runs[0], span, labels=False)
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(which="both", length=0)
    for k, tick in enumerate(axes.get_yticklabels()):
        tick.set_color(palette.run_colour(k))
        tick.set_fontweight("bold")


def replicas(axes: Axes, runs: Sequence[Run], span: Span, events: Sequence[Event]) -> None:
    """Ready replicas as lines; what was granted, as a thinner broken line, where it is known."""
    x, top = _times(runs[0], span), 1.0
    for k, run in reversed(list(enumerate(runs))):
        colour = palette.run_colour(k)
        ready, granted = cut(run, run.ready, span), cut(run, run.granted, span).astype(np.float64)
        granted[granted < 0] = np.nan
        top = max(top, float(ready.max(initial=1)), float(np.nan_to_num(granted).max(initial=1)))
        axes.step(x, granted, where="post", color=colour, lw=0.9, ls=(0, (2, 1.5)), alpha=0.9, zorder=3)
        axes.step(x, ready, where="post", color=colour, lw=1.9 if k == 0 else 1.5, zorder=4)
    axes.set_ylim(0, top * 1.12)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.set_ylabel("replicas", color=palette.INK, fontsize=10.5)
    note = axes.text(0.006, 0.94, "solid: ready · dashed: granted", transform=axes.transAxes, fontsize=9, va="top")
    note.set_color(palette.FAINT)
    _shade(axes, runs[0], span, events, labelled=False)
    _time_axis(axes, runs[0], span)


def bars(axes: Axes, runs: Sequence[Run], title: str, values: Sequence[float]) -> None:
    """One bar per run with its number, and how it compares with ours."""
    top = max(1e-9, *values)
    for k, (run, value) in enumerate(zip(runs, values, strict=True)):
        axes.barh(k + 0.12, value, height=0.46, color=palette.run_colour(k), zorder=2)
        words = _number(value)
        if k and values[0]:
            words += f"  ({value / values[0] - 1:+.0%})" if value < 2 * values[0] else f"  (×{value / values[0]:.1f})"
        axes.annotate(
            words, (value, k + 0.12), xytext=(6, 0), textcoords="offset points", va="center", fontsize=10.5,
            fontweight="bold" if k == 0 else "normal",
        )  # fmt: skip
        axes.text(0, k - 0.14, f" {run.name}", va="bottom", fontsize=10, color=palette.INK)
    axes.set_xlim(0, top * 1.8)
    axes.set_ylim(len(runs) - 0.5, -0.55)
    axes.set_title(title, **PANEL_TITLE, pad=20)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["left"].set_color(palette.FAINT)


def _legend_name(name: str, runs: int) -> str:
    return f"{name}: ready capacity" if runs <= 2 and len(name) <= 24 else name[:20]


def _row_name(name: str) -> str:
    """What fits into the margin."""
    return f"{name} short" if len(name) <= 10 else name if len(name) <= 19 else f"{name[:18]}…"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"


def _times(run: Run, span: Span) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Days since the epoch, matplotlib's own count."""
    steps = np.arange(max(span.first, run.first_step), span.end, dtype=np.float64)
    return steps * run.step_s / DAY_S


def _widened(flags: Bools) -> Bools:
    """One step more at the right, so that a single short step has an area."""
    wide = flags.copy()
    wide[1:] |= flags[:-1]
    return wide


def _shade(axes: Axes, run: Run, span: Span, events: Sequence[Event], *, labelled: bool) -> None:
    """Spans behind everything; their names above the panel, moved up where two would touch."""
    per_step = run.step_s / DAY_S
    width = (span.end - span.first) * per_step
    taken: list[tuple[float, int]] = []
    colours = iter(palette.EVENTS * (1 + len(events) // len(palette.EVENTS)))
    coloured = [(event, palette.OUTAGE if "outage" in event[0] else next(colours)) for event in events]
    for (name, first, end, _), colour in sorted(coloured, key=lambda pair: pair[0][1]):
        inside = span.cut(Span(first, end))
        if inside is None:
            continue
        left, right = inside.first * per_step, inside.end * per_step
        hatch = "////" if "outage" in name else None
        axes.axvspan(left, right, facecolor=colour, alpha=0.28, lw=0, zorder=0)
        if hatch:
            axes.axvspan(
                left, right, facecolor="none", edgecolor=palette.OUTAGE, hatch=hatch, lw=0, alpha=0.8, zorder=0
            )
        if not labelled:
            continue
        pixels = axes.get_window_extent().width
        reach = 7.2 * len(name) / pixels * width / 2
        middle = min(max((left + right) / 2, span.first * per_step + reach), span.end * per_step - reach)
        level = next(n for n in range(len(taken) + 1) if all(m != n or middle - reach > end_x for end_x, m in taken))
        taken.append((middle + reach, level))
        axes.annotate(
            name,
            (middle, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4 + 13 * level),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=9.5,
            color=palette.INK,
            fontweight="bold",
        )


def _time_axis(axes: Axes, run: Run, span: Span, *, labels: bool = True) -> None:
    per_step = run.step_s / DAY_S
    axes.set_xlim(span.first * per_step, span.end * per_step)
    _ticks(axes, span.first * per_step, span.end * per_step)
    axes.grid(visible=True, color=palette.GRID, lw=0.8, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=palette.FAINT, labelsize=9.5, labelbottom=labels)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(palette.GRID)


def _ticks(axes: Axes, first: float, end: float) -> None:
    """Lines at midnights with the date at noon between them; within about a day, hours. All UTC."""
    days = end - first
    if days > 1.5:
        every = float(max(1, round(days / 12)))
        midnights = np.arange(np.ceil(first), end + 1e-9, every)
        noons = np.array([m + 0.5 for m in np.arange(np.floor(first), end, every) if first < m + 0.5 < end])
        axes.set_xticks(midnights, [""] * midnights.size)
        axes.set_xticks(noons, [f"{_utc(m):%a %d %b}" for m in noons], minor=True)
        axes.tick_params(which="minor", length=0)
    else:
        every = next((h for h in (1 / 12, 0.25, 0.5, 1, 2, 3) if days * 24 / h <= 13), 3) / 24
        marks = np.arange(np.ceil(first / every - 1e-6) * every, end + 1e-6, every)
        axes.set_xticks(marks, [f"{_utc(m):%H:%M}" for m in marks])


def _utc(days: float) -> datetime:
    return datetime.fromtimestamp(round(days * DAY_S), UTC)
