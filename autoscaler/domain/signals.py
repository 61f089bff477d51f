"""What is watched of a workload beside its demands, and how often a false page is accepted. Nothing is sized by it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

MOST_FALSE_PAGES = 100.0


class SignalKind(StrEnum):
    """What a metric tells of a workload. Codes are stable: they stand in records and specs."""

    DEMAND = "Demand"
    LATENCY = "Latency"
    ERRORS = "Errors"
    SATURATION = "Saturation"
    OTHER = "Other"


KINDS: tuple[SignalKind, ...] = tuple(SignalKind)
"""The order of their numbers in arrays."""
KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Signal:
    """A metric that is watched and never forecast for sizing."""

    name: str
    source: str
    query: str
    kind: SignalKind


@dataclass(frozen=True, slots=True)
class Watching:
    """How anomalies of a workload are looked for. on: whether at all. false_pages_per_week: how many are accepted."""

    on: bool = True
    false_pages_per_week: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.false_pages_per_week) and 0 <= self.false_pages_per_week <= MOST_FALSE_PAGES):
            raise ValueError(f"false pages a week are 0 to {MOST_FALSE_PAGES:g}, not {self.false_pages_per_week!r}")


WATCHED = Watching()
"""Where nobody says otherwise."""
