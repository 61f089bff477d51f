"""Limits that the workloads which a policy selects share with one another."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from autoscaler.spec import scalars
from autoscaler.spec.behavior import INT32_MAX, Part

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%", re.ASCII)


def share_of(text: str) -> float:
    """0.3 for "30%"."""
    match = _PERCENT.fullmatch(text)
    if match is None or Decimal(match[1]) > 100:
        raise scalars.slip("is not a share of the workloads", 'write a percentage from "0%" to "100%"')
    return float(Decimal(match[1]) / 100)


def _share(text: str) -> str:
    share_of(text)
    return text


Share = Annotated[
    str, AfterValidator(_share), WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]+)?%$"})
]


class BrakeSpec(Part):
    """How many of the selected workloads may shrink in one tick; the others wait for their turn in a later one."""

    shrink: Share = Field(
        description='Share of the selected workloads, rounded down, at least one. "0%" lets none shrink.',
        examples=["30%"],
    )


class BudgetSpec(Part):
    """What the selected workloads may have together. What a workload needs now, its min and its steps come first."""

    replicas: Annotated[int, Field(ge=1, le=INT32_MAX)] = Field(
        description="Replicas of all of them; beyond it forecasts are served by priority, in proportion inside one.",
        examples=[400],
    )
