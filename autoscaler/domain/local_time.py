"""When the wall clock of a named zone is moved against absolute time, as by daylight saving."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

DAY_S: Final = 86400
BLOCK_S: Final = 32 * DAY_S
LONGEST_S: Final = 2 * 3600
"""Zones that move by more change their date or their country: no season follows that."""


@dataclass(frozen=True, slots=True)
class ClockChange:
    """at_s: epoch of the first second under the new offset. by_s: how far the wall clock jumps, positive in spring."""

    at_s: int
    by_s: int


def clock_changes(zone: str, from_s: float, to_s: float) -> tuple[ClockChange, ...]:
    """Changes of the zone's wall clock at moments in [from_s, to_s), in order, of at most LONGEST_S either way.

    Raises zoneinfo.ZoneInfoNotFoundError for a zone that is not known.
    """
    blocks = range(int(from_s // BLOCK_S), int(to_s // BLOCK_S) + 1)
    return tuple(c for block in blocks for c in _of_block(zone, block) if from_s <= c.at_s < to_s)


@lru_cache(maxsize=1024)
def _of_block(zone: str, block: int) -> tuple[ClockChange, ...]:
    """Found between midnights with different offsets: no zone moves twice within a day."""
    known, found = ZoneInfo(zone), []
    for low in range(block * BLOCK_S, (block + 1) * BLOCK_S, DAY_S):
        before, after = _offset(known, low - 1), _offset(known, low + DAY_S - 1)
        if before == after:
            continue
        left, right = low - 1, low + DAY_S - 1  # old offset at left, new one at right
        while right - left > 1:
            middle = (left + right) // 2
            left, right = (middle, right) if _offset(known, middle) == before else (left, middle)
        if abs(after - before) <= LONGEST_S:
            found.append(ClockChange(right, after - before))
    return tuple(found)


def _offset(zone: ZoneInfo, at_s: int) -> int:
    offset = datetime.fromtimestamp(at_s, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
