"""How a source is doing, apart from all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.domain.series import DataVerdict


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """name: of the source. reachable: whether the last exchange ended in an answer, be it a refusal.

    last_ok_s, throttled_until: seconds since the epoch by our clock; None = never, not throttled. skew_s: the
    source's clock less ours, median of the newest answers, good to half a second. queries: exchanges so far.
    failures: those that ended without data, by verdict.
    """

    name: str
    reachable: bool
    last_ok_s: float | None
    skew_s: float | None
    queries: int
    failures: Mapping[DataVerdict, int]
    throttled_until: float | None
