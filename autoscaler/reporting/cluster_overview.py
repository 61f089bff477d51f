"""What `kubectl foresail get` shows: one row per PredictiveAutoscaler, from its status and its recent hours. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoscaler.domain.sparkline import sparkline
from autoscaler.reporting.overview import ago

CELLS = 16
COLUMNS = (
    "WORKLOAD", "STATE", "MODE", "CURRENT", "WANTED", "FLOOR", "PEAK P95", "READY", "AGE",
    "DEMAND, LAST 6 H", "FORECAST", "FLOOR, 6 H",
)  # fmt: skip
NARROW = ("WORKLOAD", "STATE", "NOW", "READY", "AGE", "DEMAND")
_WIDE_FROM = 150


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """thing: the object as the API server has it. recent: what the operator's API tells of its last hours, or None."""

    thing: Mapping[str, Any]
    recent: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.thing['metadata']['namespace']}/{self.thing['metadata']['name']}"

    @property
    def status(self) -> Mapping[str, Any]:
        return self.thing.get("status") or {}

    def condition(self, kind: str) -> Mapping[str, Any]:
        found: Sequence[Mapping[str, Any]] = self.status.get("conditions") or ()
        return next((c for c in found if c.get("type") == kind), {})

    @property
    def ready(self) -> str:
        """yes, or the reason why it is not, or not known to be."""
        told = self.condition("Ready")
        return "yes" if told.get("status") == "True" else str(told.get("reason") or "?")

    @property
    def state(self) -> str:
        state = str(self.status.get("state") or "-")
        for kind in ("Stalled", "Conflict", "Fallback", "Held", "Paused"):
            told = self.condition(kind)
            if told.get("status") == "True" and str(told["reason"]) != state:
                return f"{state}: {told['reason']}"
        return state


def cluster_columns(width: int) -> tuple[str, ...]:
    """What fits into a terminal of so many characters."""
    return COLUMNS if width >= _WIDE_FROM else NARROW


def cluster_cells(row: ClusterRow, now: datetime, width: int, *, plain: bool = False) -> tuple[str, ...]:
    """One row of text in the order of `cluster_columns(width)`. Unknown is said as such, never shown as zero."""
    replicas, forecast = row.status.get("replicas") or {}, row.status.get("forecast") or {}
    age = ago((now - datetime.fromisoformat(row.thing["metadata"]["creationTimestamp"])).total_seconds())
    lines = _lines(row.recent, plain=plain)
    mode = str((row.thing.get("spec") or {}).get("mode") or "Advise")
    if width < _WIDE_FROM:
        return (row.name, row.state, _or_unknown(replicas.get("current")), row.ready, age, lines[0])
    numbers = [_or_unknown(replicas.get(key)) for key in ("current", "wanted")]
    floor = str(replicas["floor"]) if "floor" in replicas else "-"
    return (row.name, row.state, mode, *numbers, floor, str(forecast.get("peak") or "-"), row.ready, age, *lines)


def _lines(recent: Mapping[str, Any] | None, *, plain: bool) -> tuple[str, str, str]:
    """Demand and its forecast share one height, so that they can be compared; the floor has its own."""
    if recent is None:
        return ("-", "-", "-")
    demand, forecast = _floats(recent["demand"]), _floats(recent["forecast"])
    top = max((v for v in (*demand, *forecast) if v is not None), default=0.0)
    return (
        sparkline(demand, CELLS, plain=plain, top=top),
        sparkline(forecast, CELLS, plain=plain, top=top),
        sparkline(_floats(recent["granted"]), CELLS, plain=plain),
    )


def _floats(values: Sequence[float | None]) -> list[float | None]:
    return [None if v is None else float(v) for v in values]


def _or_unknown(value: object) -> str:
    return "?" if value is None else str(value)


def cluster_dict(row: ClusterRow) -> dict[str, Any]:
    meta, spec = row.thing["metadata"], row.thing.get("spec") or {}
    return {
        "namespace": meta["namespace"], "name": meta["name"], "generation": meta.get("generation"),
        "mode": spec.get("mode", "Advise"), "target": spec.get("target"), "status": row.status, "recent": row.recent,
    }  # fmt: skip
