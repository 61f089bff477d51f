"""Scores of detectors below the metric that they judge, with the known incidents: a picture for a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats
from autoscaler.reporting import palette

_WIDE, _EACH, _DPI = 12.0, 1.8, 90
_LABEL: Final = "#d62728"


def draw_scores(
    title: str, values: Floats, scores: Mapping[str, Floats], spans: Sequence[tuple[int, int]], step_s: int
) -> bytes:
    """A PNG. values, scores: [step], NaN = not known. spans: known incidents, steps [first, end)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = {title: values} | dict(scores)
    figure = Figure(figsize=(_WIDE, _EACH * len(lines)), dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    days = np.arange(len(values)) * step_s / 86_400
    axes = figure.subplots(len(lines), 1, sharex=True, squeeze=False)[:, 0]
    for k, (ax, (name, line)) in enumerate(zip(axes, lines.items(), strict=True)):
        ax.plot(days, line, color=palette.INK if k == 0 else palette.RUNS[0], linewidth=0.8)
        for first, end in spans:
            ax.axvspan(days[first], days[min(end, len(days) - 1)], color=_LABEL, alpha=0.25, linewidth=0)
        ax.set_title(name, fontsize=9, loc="left", parse_math=False)
        ax.margins(x=0)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    axes[-1].set_xlabel("days")
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
