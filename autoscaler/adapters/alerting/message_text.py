"""A course as a line of blocks, for channels that show text alone. Unknown is a dot, never an empty bar."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autoscaler.domain.alert_story import Course

_BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 40


def bars(course: Course, width: int = WIDTH) -> str:
    """Requests ▁▂▅█ 12 to 480, last 3 h. A peak is never averaged away: of several points the largest is shown."""
    known = [v for v in course.observed if math.isfinite(v)]
    if not known:
        return ""
    cells = [_largest(part) for part in _parts(course.observed, min(width, len(course.observed)))]
    top = max(0.0, *known)
    line = "".join("·" if c is None else _BLOCKS[_height(c, top)] for c in cells)
    span_s = course.step_s * len(course.observed)
    span = f"{span_s / 3600:.3g} h" if span_s >= 3600 else f"{span_s / 60:.3g} min"
    return f"{course.name} {line} {min(known):.3g} to {max(known):.3g}, last {span}"


def _parts(values: Sequence[float], count: int) -> list[Sequence[float]]:
    edges = [len(values) * k // count for k in range(count + 1)]
    return [values[edges[k] : edges[k + 1]] for k in range(count)]


def _largest(values: Sequence[float]) -> float | None:
    return max((v for v in values if math.isfinite(v)), default=None)


def _height(value: float, top: float) -> int:
    """A value below zero has no bar."""
    return 0 if value <= 0 or top <= 0 else max(0, math.ceil(min(1.0, value / top) * len(_BLOCKS)) - 1)
