"""One picture of a run beside its rivals: demand and capacity, replicas, one day closely, and both figures.

matplotlib is loaded on drawing, without pyplot and its global state.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autoscaler.domain.series import time_of
from autoscaler.reporting.runs import Event, Run, Span, best_part, check_runs, outages, span_of

SIZE_PX = (1600, 1000)
_LEFT, _RIGHT, _DPI = 0.105, 0.985, 100


def draw_demo(
    path: str | Path,
    runs: Sequence[Run],
    events: Sequence[Event] = (),
    *,
    title: str,
    subtitle: str = "",
    synthetic: bool,
    unit: str = "requests/s",
    window: tuple[int, int] | None = None,
    zoom: tuple[int, int] | None = None,
) -> Path:
    """Write a PNG of 1600×1000 pixels; `runs` on one grid, ours first.

    window, zoom: absolute steps [first, end) of the upper panels and of the close view; by default all steps, and
    the UTC day on which the runs were short for longest (four hours, where no more than a day is shown).
    The figures are those of the whole runs handed in.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from autoscaler.reporting import panels

    check_runs(runs)
    whole = span_of(runs[0])
    shown = whole if window is None else whole.cut(Span(*window))
    close = None if shown is None else best_part(runs, shown, events) if zoom is None else whole.cut(Span(*zoom))
    if shown is None or close is None:
        raise ValueError(f"window {window} or zoom {zoom} lies outside the runs' steps {whole.first}–{whole.end}")
    spans = [*events, *outages(runs[0], events)]

    figure = Figure(figsize=(SIZE_PX[0] / _DPI, SIZE_PX[1] / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    upper = figure.add_gridspec(
        3,
        1,
        left=_LEFT,
        right=_RIGHT,
        top=0.835,
        bottom=0.405,
        height_ratios=(6, 0.22 * len(runs) + 0.2, 2.6),
        hspace=0.1,
    )
    lower = figure.add_gridspec(
        1, 3, left=_LEFT, right=_RIGHT, top=0.3, bottom=0.055, width_ratios=(4.2, 1, 1), wspace=0.16
    )
    top, ribbon, replicas = (figure.add_subplot(upper[k]) for k in range(3))
    panels.headline(figure, title, subtitle, left=_LEFT, synthetic=synthetic)
    panels.demand(top, runs, shown, spans, unit=unit, times=False)
    panels.ribbon(ribbon, runs, shown)
    panels.replicas(replicas, runs, shown, spans)
    panels.legend(figure, runs, left=_LEFT, with_forecast=bool(np.isfinite(runs[0].p95).any()))
    near = figure.add_subplot(lower[0])
    panels.demand(near, runs, close, spans, unit=unit)
    begin, end = (time_of(step, runs[0].step_s) for step in (close.first, close.end))
    near.set_title(f"Close view: {begin:%a %d %b %Y, %H:%M} to {end:%H:%M} UTC", **panels.PANEL_TITLE, pad=20)
    panels.bars(figure.add_subplot(lower[1]), runs, "Cost: replica-hours", [r.figures().replica_hours for r in runs])
    panels.bars(figure.add_subplot(lower[2]), runs, "Shortage: minutes", [r.figures().short_minutes for r in runs])
    target = Path(path)
    figure.savefig(
        target, format="png", metadata={"Title": title} | ({"Description": "SYNTHETIC"} if synthetic else {})
    )
    return target
