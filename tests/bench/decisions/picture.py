"""The page's picture: excess by method, and what the best rival of each case costs beside us, by source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from tests.bench.decisions.standings import BEST, Case, as_we_are, in_hindsight, standings

OURS, THEIRS, QUIET = "#0b6e4f", "#8a4f9e", "#b8b8b8"


def draw(cases: Sequence[Case], risk: float, path: Path) -> None:
    """Filled: knob chosen in hindsight; hollow: as it is, or re-tuned each midnight."""
    mpl.use("svg")
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.hashsalt": "decisions", "font.size": 9, "axes.spines.top": False}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 6.2), width_ratios=(1.25, 1), layout="constrained")
        _methods(left, cases, risk)
        _sources(right, cases)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def _methods(axes: mpl.axes.Axes, cases: Sequence[Case], risk: float) -> None:
    rows: list[tuple[str, float | None, float | None, int]] = [
        ("Foresail", in_hindsight(cases, risk)[0], as_we_are(cases, risk)[0], in_hindsight(cases, risk)[1])
    ]
    rows += [(s.name, s.excess, s.tuned_excess, s.reached) for s in standings(cases, risk)]
    rows.sort(key=lambda r: (r[1] is None, r[1] or 0.0))
    labels = []
    for at, (name, chosen, daily, reached) in enumerate(rows):
        color = OURS if name == "Foresail" else "black" if name == BEST else THEIRS
        if chosen is not None:
            axes.plot(chosen, at, "o", color=color, markersize=6)
        if daily is not None:
            axes.plot(daily, at, "o", color=color, markersize=6, markerfacecolor="none")
        labels.append(name if reached == len(cases) else f"{name} ({reached} of {len(cases)})")
    axes.set_yticks(range(len(rows)), labels)
    axes.invert_yaxis()
    axes.grid(axis="x", color=QUIET, linewidth=0.4)
    axes.spines["right"].set_visible(False)
    axes.set_xscale("log")
    ticks = [t for t in (0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0) if _within(axes, t)]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("excess over the clairvoyant (log)")
    axes.set_title(
        f"Asked risk {risk:.1%}; filled: knob in hindsight,\nhollow: Foresail as it is, rivals re-tuned each midnight",
        fontsize=9,
    )


def _within(axes: mpl.axes.Axes, tick: float) -> bool:
    low, high = axes.get_xlim()
    return bool(low <= tick <= high)


def _sources(axes: mpl.axes.Axes, cases: Sequence[Case]) -> None:
    sources = list(dict.fromkeys(c.source for c in cases))
    jitter = np.random.default_rng(0)
    for at, source in enumerate(sources):
        ratios = [
            best[1] / c.as_is.paid for c in cases if c.source == source and (best := c.cheapest(c.as_is.short))
        ]  # fmt: skip
        spread = at + jitter.uniform(-0.25, 0.25, len(ratios))
        axes.scatter(ratios, spread, s=16, color=[OURS if r > 1 else THEIRS for r in ratios], alpha=0.75, linewidths=0)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(sources)), sources)
    axes.invert_yaxis()
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    ticks = [t for t in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0) if low <= t <= high]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.grid(axis="x", color=QUIET, linewidth=0.4)
    axes.spines["right"].set_visible(False)
    axes.set_xlabel("replica-hours of the best rival ÷ ours, at our realised shortage")
    axes.set_title("Each case: right of the line the best rival,\ntuned in hindsight, costs more", fontsize=9)
