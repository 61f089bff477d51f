"""Limits that the workloads which a policy selects share with one another."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

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


Factor = Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)]


class TrustSpec(Part):
    """How far a forecast is believed. One that is not leaves what would be wanted without a forecast."""

    max_margin: Factor | None = Field(
        default=None,
        description="Accuracy: not believed while risk control needs a larger margin than this over it.",
        examples=[3],
    )
    max_quantile_ratio: Factor | None = Field(
        default=None,
        description="Width: not believed while its 95 % quantile is more than so many times its median.",
        examples=[4],
    )
    max_over_observed: Factor | None = Field(
        default=None,
        description="Reach: it may ask for at most so many times what the demand observed now needs.",
        examples=[4],
    )

    @model_validator(mode="after")
    def _something(self) -> TrustSpec:
        if not self.model_fields_set:
            raise scalars.slip("says nothing", "write maxMargin, maxQuantileRatio or maxOverObserved")
        return self


class BrakeSpec(Part):
    """How many of the selected workloads may move in one tick; the others wait for their turn in a later one."""

    shrink: Share | None = Field(
        default=None,
        description='Share of the selected workloads, rounded down, at least one. "0%" lets none shrink.',
        examples=["30%"],
    )
    grow: Share | None = Field(
        default=None,
        description="The same for growth beyond what the demand observed now needs, which is always served.",
        examples=["40%"],
    )
    may_cause_shortage: bool = Field(
        default=False, description="Growth waits even for what is needed now.", examples=[True]
    )

    @model_validator(mode="after")
    def _something(self) -> BrakeSpec:
        if self.shrink is None and self.grow is None:
            raise scalars.slip("says nothing", "write shrink, grow or both")
        if self.may_cause_shortage and self.grow is None:
            raise scalars.slip("means nothing without grow", "write grow, or remove it", ("mayCauseShortage",))
        return self


class BudgetSpec(Part):
    """What the selected workloads may have together. What a workload needs now, its min and its steps come first."""

    replicas: Annotated[int, Field(ge=1, le=INT32_MAX)] = Field(
        description="Replicas of all of them; beyond it forecasts are served by priority, in proportion inside one.",
        examples=[400],
    )
    may_cause_shortage: bool = Field(
        default=False,
        description="It binds even below what is needed now; min and steps still come first.",
        examples=[True],
    )
