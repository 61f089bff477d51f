"""What one destination was told of one thread, as a value and as text: which alerts it knows as firing, since when."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from autoscaler.domain.alert import Alert, Severity

log = logging.getLogger("foresail")
MOST_MARKS: Final = 200
MOST_HELD: Final = 1000
REOPEN_S: Final = 3600.0


@dataclass(slots=True)
class Mark:
    """One alert of it. told_s: when last; begun_s: when first. refused: it cannot be told, and is not tried again."""

    starts_s: float
    severity: Severity
    summary: str
    begun_s: float
    told_s: float
    resolved_s: float | None = None
    refused: bool = False

    @property
    def lasts(self) -> bool:
        return self.resolved_s is None


@dataclass(slots=True)
class ThreadState:
    """held: alerts beyond the limit that its one alert stands for, key → summary."""

    began_s: float
    count: int = 0
    marks: dict[str, Mark] = field(default_factory=dict)
    receipt: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)

    @property
    def lasting(self) -> int:
        return sum(1 for mark in self.marks.values() if mark.lasts and not mark.refused)

    def over_since(self, now_s: float) -> float | None:
        """For how long all of it is over; None = some of it lasts."""
        ends = [mark.resolved_s for mark in self.marks.values()]
        if self.held or any(end is None for end in ends):
            return None
        return now_s - max((end for end in ends if end is not None), default=self.began_s)

    def begin(self, alert: Alert, severity: Severity, now_s: float, *, refused: bool = False) -> None:
        self.marks[alert.key] = Mark(
            alert.starts_s, severity, alert.summary, now_s, now_s, now_s if refused else None, refused
        )
        if len(self.marks) > MOST_MARKS:
            over = [key for key, mark in self.marks.items() if not mark.lasts]
            for key in over[: len(self.marks) - MOST_MARKS]:
                del self.marks[key]


def fresh(threads: Iterable[ThreadState], now_s: float) -> list[float]:
    """When alerts began to be told, of those that a limit may count."""
    return [mark.begun_s for thread in threads for mark in thread.marks.values() if mark.begun_s <= now_s]


def packed(one: ThreadState) -> str:
    plain: dict[str, Any] = {
        "v": 1, "began": one.began_s, "count": one.count, "receipt": one.receipt, "held": one.held,
        "marks": {
            key: [m.starts_s, m.severity.name, m.summary, m.begun_s, m.told_s, m.resolved_s, m.refused]
            for key, m in one.marks.items()
        },
    }  # fmt: skip
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def unpacked(body: str) -> ThreadState | None:
    """None for what cannot be read: damaged, or of a newer version."""
    try:
        p = json.loads(body)
        marks = {
            key: Mark(float(starts), Severity[severity], str(summary), float(begun), float(told), resolved, bool(no))
            for key, (starts, severity, summary, begun, told, resolved, no) in p["marks"].items()
        }
        receipt = {str(k): str(v) for k, v in p["receipt"].items()}
        held = {str(k): str(v) for k, v in p["held"].items()}
        return ThreadState(float(p["began"]), int(p["count"]), marks, receipt, held)
    except (ValueError, KeyError, TypeError, AttributeError) as why:
        log.warning("alert_receipt_unreadable: %r", why)
        return None
