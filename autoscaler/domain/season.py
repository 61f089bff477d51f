"""What the seasons of a demand follow: whose wall clock, and which stretches of its past they leave out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from autoscaler.domain.calendar import Hours, Span, Window
from autoscaler.domain.series import Bools

RECENT_S: Final = 7 * 86_400.0
"""How far back what is excluded is counted: as far as errors are learned."""
HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A window that the owners take out of learning and of risk control, and why."""

    window: Window
    reason: str


@dataclass(frozen=True, slots=True)
class Season:
    """zone: IANA name, None = UTC. events: windows of the calendar, which teach nothing about usual days once they are
    over, but stay in the errors that are learned. excluded: windows of which nothing is learned at all.
    """

    zone: str | None = None
    events: tuple[Window, ...] = ()
    excluded: tuple[Window, ...] = ()


def comes_weekly(window: Window) -> bool:
    """Whether a week ago was the same."""
    return isinstance(window, Hours) and bool(window.days)


def spans_of(windows: Iterable[Window], from_s: float, to_s: float) -> list[Span]:
    """All that touch [from_s, to_s), by their start; those that overlap as one."""
    found: list[Span] = []
    for start, end in sorted(span for window in windows for span in window.spans(from_s, to_s)):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


@lru_cache(maxsize=512)
def step_spans(windows: tuple[Window, ...], first: int, end: int, step_s: int) -> tuple[tuple[int, int], ...]:
    """(first step, end step) of each span that touches steps [first, end), in order, not cut to them."""
    found = spans_of(windows, float(first * step_s), float(end * step_s))
    return tuple((int(start // step_s), int(-(-stop // step_s))) for start, stop in found)


def steps_within(windows: tuple[Window, ...], first: int, end: int, step_s: int) -> Bools:
    """[step] of [first, end), whether some window touches it."""
    out = np.zeros(max(0, end - first), dtype=np.bool_)
    for start, stop in step_spans(windows, first, end, step_s) if windows else ():
        out[max(0, start - first) : max(0, stop - first)] = True
    return out


@lru_cache(maxsize=4096)
def recent_spans(windows: tuple[Window, ...], hour: int) -> tuple[Span, ...]:
    """Those that begin by the end of this hour since the epoch and reach into the RECENT_S before it; whole."""
    return tuple(spans_of(windows, hour * HOUR_S - RECENT_S, (hour + 1) * HOUR_S))


def excluded_share(windows: tuple[Window, ...], now_s: float) -> float:
    """Of the last RECENT_S, what the windows cover."""
    spans = recent_spans(windows, int(now_s // HOUR_S))
    return sum(max(0.0, min(end, now_s) - max(start, now_s - RECENT_S)) for start, end in spans) / RECENT_S
