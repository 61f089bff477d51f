"""A course as a line of blocks, for channels that show text alone. Unknown is a dot, never an empty bar."""

from __future__ import annotations

import math

from autoscaler.domain.alert_story import Course
from autoscaler.domain.sparkline import sparkline

WIDTH = 40


def bars(course: Course, width: int = WIDTH) -> str:
    """Requests ▁▂▅█ 12 to 480, last 3 h. A peak is never averaged away: of several points the largest is shown."""
    known = [v for v in course.observed if math.isfinite(v)]
    if not known:
        return ""
    line = sparkline(course.observed, width)
    span_s = course.step_s * len(course.observed)
    span = f"{span_s / 3600:.3g} h" if span_s >= 3600 else f"{span_s / 60:.3g} min"
    return f"{course.name} {line} {min(known):.3g} to {max(known):.3g}, last {span}"
