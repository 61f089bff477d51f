"""The status of a GuardPolicy and of a MetricsSource: whether it is in force, whom it concerns, whether it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoscaler.domain.errors import Problem
from autoscaler.reporting.status import Status, dated
from autoscaler.reporting.status_conditions import DOCS, Answer, slips_of


@dataclass(frozen=True, slots=True)
class SharedStanding:
    """kept: an older valid form is in force. silent: the source gives no demand an answer; None = nobody asked."""

    generation: int
    wrong: tuple[Problem, ...] = ()
    kept: bool = False
    selected: int | None = None
    used: int | None = None
    silent: str | None = None
    docs: str = DOCS


def shared_status(standing: SharedStanding, before: Mapping[str, Any], now: datetime) -> Status:
    """A policy tells `selected`, a source `used`; the other one is None and stays out."""
    made: Status = {
        "conditions": dated(_answers(standing), before, standing.generation, now, standing.docs),
        "observedGeneration": standing.generation,
    }
    numbers = {"selected": standing.selected, "used": standing.used}
    return made | {key: value for key, value in numbers.items() if value is not None}


def _answers(standing: SharedStanding) -> Iterator[Answer]:
    slips = slips_of(standing.wrong)
    if slips:
        after = "The last valid form stays in force." if standing.kept else "It is not in force."
        yield Answer("Ready", "False", "InvalidSpec", f"{slips} {after}")
        yield Answer("Stalled", "True", "InvalidSpec", f"{slips} {after}")
    elif standing.silent is not None:
        yield Answer("Ready", "False", "Unreachable", standing.silent)
    else:
        yield Answer("Ready", "True", "InForce", "valid and in force")
