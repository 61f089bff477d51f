"""Inline SVG without a script: marks on a canvas, scales and ticks. Colours are classes; the style sheet has them.

Text that comes from outside is escaped here, once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from itertools import pairwise

import numpy as np

from autoscaler.domain.series import Floats, Ints
from autoscaler.reporting.report.numbers import short_number

DAY_S = 86_400
_TIME_STEPS = (60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, DAY_S, 2 * DAY_S, 7 * DAY_S, 28 * DAY_S)


@dataclass(slots=True)
class Canvas:
    """Collects marks; `svg` is the picture. label: what it shows, for those who cannot see it."""

    width: int
    height: int
    label: str
    kind: str
    _marks: list[str] = field(default_factory=list)

    def path(self, d: str, kind: str) -> None:
        if d:
            self._marks.append(f'<path class="{kind}" d="{d}"/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self._marks.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def rect(self, x: float, y: float, width: float, height: float, *, kind: str, title: str = "") -> None:
        at = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}"'
        self._marks.append(f'<rect class="{kind}" {at}>{_title(title)}</rect>')

    def dot(self, x: float, y: float, radius: float, kind: str, title: str = "") -> None:
        self._marks.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}">{_title(title)}</circle>')

    def text(self, x: float, y: float, words: str, kind: str) -> None:
        self._marks.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>')

    def svg(self) -> str:
        return (
            f'<svg class="{self.kind}" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(self.label)}">{"".join(self._marks)}</svg>'
        )


@dataclass(frozen=True, slots=True)
class Scale:
    """Values [low, high] onto pixels [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)

    def of(self, values: Floats) -> Floats:
        span = self.high - self.low or 1.0
        return np.asarray(self.start + (values - self.low) / span * (self.end - self.start))


def _title(words: str) -> str:
    return f"<title>{escape(words)}</title>" if words else ""


def round_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Round values within [low, high], at most about `most` of them."""
    rough = max(high - low, 1e-12) / max(1, most)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * k for k in (1, 2, 2.5, 5, 10) if size * k >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return tuple(round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1))


def count_ticks(high: float, most: int) -> tuple[float, ...]:
    """As `round_ticks` from zero, whole numbers only."""
    return tuple(t for t in round_ticks(0.0, high, most) if t == int(t))


def time_ticks(start_s: float, end_s: float, most: int) -> tuple[tuple[float, str], ...]:
    """Round moments (UTC) in [start_s, end_s) and their words: hours within two days, else dates."""
    step = next((s for s in _TIME_STEPS if (end_s - start_s) / s <= most), _TIME_STEPS[-1])
    first = math.ceil(start_s / step) * step
    moments = np.arange(first, end_s, step).tolist()
    if step < DAY_S:
        return tuple((at, f"{datetime.fromtimestamp(at, UTC):%H:%M}") for at in moments)
    form = "{:%a} {:%-d} {:%b}" if most >= 7 else "{:%-d} {:%b}"
    whens = [datetime.fromtimestamp(at, UTC) for at in moments]
    return tuple((at, form.format(*(when,) * form.count("{"))) for at, when in zip(moments, whens, strict=True))


def extremes(values: Floats, buckets: int) -> Ints:
    """Indices to draw: of each of `buckets` equal parts its least and greatest value, in order of time.

    No spike is lost, and a part with an unknown value keeps one, so that the line breaks there.
    """
    count = len(values)
    if count <= 2 * buckets:
        return np.arange(count)
    kept = {0, count - 1}
    edges = np.linspace(0, count, buckets + 1).astype(int).tolist()
    for a, b in pairwise(edges):
        part = values[a:b]
        known = np.flatnonzero(~np.isnan(part))
        if len(known) < len(part):
            kept.add(a + int(np.flatnonzero(np.isnan(part))[0]))
        if len(known):
            kept.add(a + int(known[np.argmin(part[known])]))
            kept.add(a + int(known[np.argmax(part[known])]))
    return np.array(sorted(kept))


def polyline(xs: Floats, ys: Floats, *, steps: bool = False) -> str:
    """Path through known points, broken where a value is unknown. steps: level until the next point."""
    parts: list[str] = []
    pen, before = False, ""
    for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
        if math.isnan(y):
            if pen and steps:
                parts.append(f"H{x:.1f}")
            pen = False
            continue
        level = f"{y:.1f}"
        if not pen:
            parts.append(f"M{x:.1f} {level}")
        elif not steps:
            parts.append(f"L{x:.1f} {level}")
        elif level != before:
            parts.append(f"H{x:.1f}V{level}")
        pen, before = True, level
    if pen and steps and len(xs):
        parts.append(f"H{float(xs[-1]):.1f}")
    return "".join(parts)


def band(xs: Floats, low: Floats, high: Floats) -> str:
    """Closed areas between two lines, one for each run of known points."""
    known = ~(np.isnan(low) | np.isnan(high))
    edges = np.diff(np.concatenate(([0], known.astype(np.int8), [0])))
    parts = []
    for a, b in zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True):
        there = [f"{x:.1f} {y:.1f}" for x, y in zip(xs[a:b].tolist(), high[a:b].tolist(), strict=True)]
        back = [f"{x:.1f} {y:.1f}" for x, y in zip(xs[a:b][::-1].tolist(), low[a:b][::-1].tolist(), strict=True)]
        parts.append(f"M{'L'.join(there + back)}Z")
    return "".join(parts)


def envelope(low: Floats, high: Floats, buckets: int) -> tuple[Floats, Floats, Floats]:
    """(position, lowest of `low`, highest of `high`) of equal parts; NaN where a part has no known value."""
    count = len(low)
    edges = np.linspace(0, count, min(buckets, count) + 1).astype(int)
    lows, highs = [], []
    for a, b in pairwise(edges.tolist()):
        lows.append(np.nan if np.isnan(low[a:b]).all() else float(np.nanmin(low[a:b])))
        highs.append(np.nan if np.isnan(high[a:b]).all() else float(np.nanmax(high[a:b])))
    return (edges[:-1] + edges[1:]) / 2, np.array(lows), np.array(highs)


def grid(canvas: Canvas, ticks: Sequence[float], y: Scale, left: float, right: float) -> None:
    """Horizontal lines with their numbers at the left."""
    for tick in ticks:
        canvas.line(left, y(tick), right, y(tick), "grid")
        canvas.text(left - 6, y(tick) + 4, short_number(tick), "tick end")
