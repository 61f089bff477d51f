"""The picture of an incident: each metric's course, what was expected of it, and when it began and ended.

matplotlib is loaded on drawing, without pyplot and its global state.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from autoscaler.domain.errors import Refused
from autoscaler.domain.incident import Incident, Trail
from autoscaler.reporting import palette

_WIDE, _EACH, _HEAD, _DPI = 12.0, 2.4, 0.8, 100
_GREY: Final = "#bbbbbb"


def draw_incident(path: Path, incident: Incident) -> Path:
    """Write a PNG. Refused where no course of it was kept."""
    if not incident.trails:
        raise Refused(f"incident {incident.id}: no course was kept that could be drawn")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(incident.trails)
    figure = Figure(figsize=(_WIDE, _HEAD + _EACH * count), dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for ax, trail in zip(axes, incident.trails, strict=True):
        _panel(ax, trail, incident)
    axes[-1].set_xlabel("UTC", fontsize=8)
    figure.suptitle(f"{incident.id}  {incident.title}", fontsize=11, parse_math=False)
    figure.savefig(path, format="png")
    return path


def _panel(ax: Any, trail: Trail, incident: Incident) -> None:
    steps = (trail.first_step + np.arange(len(trail.observed))) * trail.step_s
    times = steps.astype("datetime64[s]")
    ax.fill_between(times, trail.lower, trail.upper, color=_GREY, alpha=0.5, linewidth=0, label="expected, 199 of 200")
    ax.plot(times, trail.expected, color="#777777", linewidth=0.9, label="expected")
    ax.plot(times, trail.observed, color=palette.RUNS[0], linewidth=1.4, label="observed")
    end_s = incident.updated_s if incident.resolved_s is None else incident.resolved_s
    begin, end = (datetime.fromtimestamp(s, UTC).replace(tzinfo=None) for s in (incident.opened_s, end_s))
    ax.axvspan(begin, end, color="#d62728", alpha=0.08, linewidth=0, label="incident")
    ax.set_title(f"{trail.workload}: {trail.metric}", fontsize=9, loc="left", parse_math=False)
    ax.margins(x=0)
    ax.grid(visible=True, color="#eeeeee")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    if trail is incident.trails[0]:
        ax.legend(fontsize=8, frameon=False, ncols=4, loc="upper left")
