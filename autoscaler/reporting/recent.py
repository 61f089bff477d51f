"""Recent hours of a workload as a few cells: demand, forecast peak and what was granted. Values in, lists out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MOST_CELLS = 500


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of equal decisions, its ends in epoch seconds. NaN = unknown."""

    first_s: float
    last_s: float
    demand: float
    forecast: float
    granted: float


@dataclass(frozen=True, slots=True)
class Recent:
    """Equal cells before end_s, oldest first; None where nothing was known. granted: replicas, or the floor."""

    end_s: float
    cell_s: float
    name: str
    demand: tuple[float | None, ...]
    forecast: tuple[float | None, ...]
    granted: tuple[float | None, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "demandName": self.name, "end": self.end_s, "cellSeconds": self.cell_s, "demand": list(self.demand),
            "forecast": list(self.forecast), "granted": list(self.granted),
        }  # fmt: skip


def recent_of(
    stretches: Iterable[Stretch], end_s: float, span_s: float, *, cells: int, name: str = "",
    exact: tuple[float | None, ...] = (),
) -> Recent:  # fmt: skip
    """Each cell shows the largest value in it. exact: demand that is known better than by the ranges of the record."""
    if not 1 <= cells <= MOST_CELLS:
        raise ValueError(f"{cells} cells; between 1 and {MOST_CELLS} are shown")
    cell_s, start_s = span_s / cells, end_s - span_s
    lines: tuple[list[float | None], ...] = tuple([None] * cells for _ in range(3))
    for one in stretches:
        first, last = (math.ceil((at_s - start_s) / cell_s) - 1 for at_s in (one.first_s, one.last_s))
        for line, value in zip(lines, (one.demand, one.forecast, one.granted), strict=True):
            if not math.isfinite(value):
                continue
            for k in range(max(0, first), min(cells, last + 1)):
                known = line[k]
                line[k] = value if known is None else max(known, value)
    demand = lines[0] if not exact else [r if e is None else e for e, r in zip(exact, lines[0], strict=True)]
    return Recent(end_s, cell_s, name, tuple(demand), tuple(lines[1]), tuple(lines[2]))
