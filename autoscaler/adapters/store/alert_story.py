"""A story of an alert as JSON and back. What is not known is null there, as JSON has no NaN."""

from __future__ import annotations

import math
from typing import Any

from autoscaler.domain.alert_story import Course, Story


def packed_story(one: Story) -> dict[str, Any]:
    course = one.course
    return {
        "figures": [list(pair) for pair in one.figures], "why": one.why, "did": one.did, "next": one.next_step,
        "command": one.command,
        "course": None if course is None else {
            "name": course.name, "step": course.step_s, "observed": _known(course.observed),
            "expected": _known(course.expected),
        },
    }  # fmt: skip


def unpacked_story(p: Any) -> Story | None:
    """Raises ValueError, KeyError or TypeError for what is no story."""
    if p is None:
        return None
    course = p["course"]
    return Story(
        tuple((name, value) for name, value in p["figures"]), p["why"], p["did"], p["next"], p["command"],
        None if course is None else Course(
            course["name"], course["step"], _unknown(course["observed"]), _unknown(course["expected"])
        ),
    )  # fmt: skip


def _known(values: tuple[float, ...]) -> list[float | None]:
    return [v if math.isfinite(v) else None for v in values]


def _unknown(values: list[float | None]) -> tuple[float, ...]:
    return tuple(math.nan if v is None else float(v) for v in values)
