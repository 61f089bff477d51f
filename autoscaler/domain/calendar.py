"""Windows of time that people write down: by weekday, by date, or once; in the wall clock of a named zone.

A window is [start, end). A wall-clock time that comes twice in autumn starts with the first and ends with the
second; one that the clock skips in spring starts as early and ends as late as either offset allows: a window is never
shorter than it reads.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_MINUTES = 1440
_DAY_S = 86400
_BLOCK_S = 7 * _DAY_S

Span = tuple[float, float]
"""Start and end, seconds since the epoch; the end is outside."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Part of a day, on weekdays (0 = Monday) or on dates, in a zone's wall clock.

    start_min, end_min: minutes of the day; an end at or before the start lies on the next day. 1440 = midnight.
    """

    zone: str
    start_min: int = 0
    end_min: int = DAY_MINUTES
    days: tuple[int, ...] = ()
    dates: tuple[date, ...] = ()

    def __post_init__(self) -> None:
        if not (0 <= self.start_min < DAY_MINUTES and 0 <= self.end_min <= DAY_MINUTES):
            raise ValueError(f"minutes of a day, not {self.start_min} to {self.end_min}")
        if bool(self.days) == bool(self.dates):
            raise ValueError("either weekdays or dates")

    def spans(self, from_s: float, to_s: float) -> list[Span]:
        """Every span that touches [from_s, to_s), in order."""
        first = datetime.fromtimestamp(from_s, UTC).date() - timedelta(days=3)
        last = datetime.fromtimestamp(to_s, UTC).date() + timedelta(days=2)
        if self.dates:
            chosen = [d for d in sorted(self.dates) if first <= d <= last]
        else:
            every = (first + timedelta(days=k) for k in range((last - first).days + 1))
            chosen = [d for d in every if d.weekday() in self.days]
        found = [self._span(d) for d in chosen]
        return [span for span in found if span[1] > from_s and span[0] < to_s and span[1] > span[0]]

    def opens_s(self, now_s: float) -> float:
        """now_s while open, else the next start; inf where there is none within a week."""
        starts, ends = _block(self, int(now_s // _BLOCK_S))
        index = bisect_right(ends, now_s)
        return math.inf if index == len(starts) else max(now_s, starts[index])

    def _span(self, day: date) -> Span:
        overnight = self.end_min <= self.start_min
        start = self._moment(day, self.start_min, min)
        return start, self._moment(day + timedelta(days=1) if overnight else day, self.end_min, max)

    def _moment(self, day: date, minute: int, pick: Callable[[Iterable[float]], float]) -> float:
        days, minute = divmod(minute, DAY_MINUTES)
        local = datetime.combine(day + timedelta(days=days), datetime.min.time(), tzinfo=ZoneInfo(self.zone))
        local += timedelta(minutes=minute)
        return pick(local.replace(fold=fold).timestamp() for fold in (0, 1))


@dataclass(frozen=True, slots=True)
class Once:
    """A single span, seconds since the epoch."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not self.start_s < self.end_s:
            raise ValueError(f"a window ends after it starts, not {self.start_s} to {self.end_s}")

    def spans(self, from_s: float, to_s: float) -> list[Span]:
        """The span, where it touches [from_s, to_s)."""
        return [(self.start_s, self.end_s)] if self.end_s > from_s and self.start_s < to_s else []

    def opens_s(self, now_s: float) -> float:
        """now_s while open, else the start; inf once it is over."""
        return math.inf if now_s >= self.end_s else max(now_s, self.start_s)


Window = Hours | Once


def is_open(window: Window, now_s: float) -> bool:
    """Whether now_s lies inside the window."""
    return window.opens_s(now_s) <= now_s


@lru_cache(maxsize=4096)
def _block(hours: Hours, block: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Starts and ends of the spans that matter to a moment of the block; asked at every tick."""
    spans = hours.spans(block * _BLOCK_S, (block + 2) * _BLOCK_S + _DAY_S)
    ends, highest = [], -math.inf
    for _, end in spans:  # spans may overlap in a night that the clock repeats
        highest = max(highest, end)
        ends.append(highest)
    return tuple(s for s, _ in spans), tuple(ends)
