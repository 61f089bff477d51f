"""The picture of an outlook: demand and the path ahead; below, where asked for, what the demand is made of.

matplotlib is loaded on drawing, without pyplot and its global state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from autoscaler.domain.series import Floats, Ints
from autoscaler.reporting import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI: Final = 100
_WIDE, _HEAD, _PART = 16.0, 5.2, 1.7
_BANDS: Final = 0.22


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Demand over time. first_step: absolute. values: [step], NaN = unknown."""

    name: str
    step_s: int
    first_step: int
    values: Floats

    def times(self) -> Any:
        """[step], starts of the steps in UTC, as matplotlib takes them."""
        steps: Ints = self.first_step + np.arange(len(self.values))
        return (steps * self.step_s).astype("datetime64[s]")


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """recent: demand up to now. quantiles: [step, level] from then on, NaN = nothing is said. others: what stands
    beside, such as what really came.
    """

    recent: Course
    levels: tuple[float, ...]
    quantiles: Floats
    others: tuple[Course, ...]


def draw_outlook(path: Path, title: str, ahead: Ahead, parts: Sequence[Course] = ()) -> Path:
    """Write a PNG 1600 pixels wide; `parts` below, each in a panel of its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = _HEAD + _PART * len(parts)
    figure = Figure(figsize=(_WIDE, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    top, foot = 1 - 0.75 / height, 0.4 / height
    ratios = (_HEAD - 1.15, *[_PART] * len(parts))
    grid = figure.add_gridspec(
        len(ratios), 1, left=0.06, right=0.985, top=top, bottom=foot, height_ratios=ratios, hspace=0.4
    )
    figure.text(0.06, 1 - 0.33 / height, title, fontsize=16, fontweight="bold", color=palette.INK, va="center")
    _ahead(figure.add_subplot(grid[0]), ahead)
    for at, part in enumerate(parts):
        axes = figure.add_subplot(grid[at + 1])
        axes.plot(part.times(), part.values, color=palette.run_colour(at), lw=1.1)
        _dress(axes, part.name)
    figure.savefig(path, format="png", metadata={"Title": title})
    return path


def _ahead(axes: Axes, ahead: Ahead) -> None:
    recent, levels = ahead.recent, ahead.levels
    axes.plot(recent.times(), recent.values, color=palette.DEMAND, lw=1.0, label="demand")
    path = Course("path", recent.step_s, recent.first_step + len(recent.values), ahead.quantiles[:, 0])
    times = path.times()
    for k in range(len(levels) - 1, 0, -1):
        axes.fill_between(
            times, ahead.quantiles[:, 0], ahead.quantiles[:, k], color=palette.FORECAST, alpha=_BANDS * (1 + k % 2),
            lw=0,
            label=f"up to the {levels[k]:g} quantile",
        )  # fmt: skip
    axes.plot(times, path.values, color=palette.RUNS[0], lw=1.6, label="median ahead")
    for at, other in enumerate(ahead.others):
        colour = palette.DEMAND if at == 0 and other.name == "what came" else palette.RUNS[1]
        axes.plot(other.times(), other.values, color=colour, lw=1.0, ls="--", label=other.name)
    axes.axvline(times[0], color=palette.FAINT, lw=0.8)
    axes.legend(loc="upper left", frameon=False, fontsize=10, ncols=4)
    axes.set_ylim(bottom=0, top=axes.get_ylim()[1] * 1.15)
    _dress(axes, None)


def _dress(axes: Axes, title: str | None) -> None:
    from matplotlib import dates as matplotlib_dates

    dates: Any = matplotlib_dates  # its classes have no types

    locator: Any = dates.AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    axes.grid(color=palette.GRID, lw=0.6)
    axes.margins(x=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if title is not None:
        axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=palette.INK)
