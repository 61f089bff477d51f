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


HOURS_OF_A_MONTH = 744
"""Of the longest."""
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

    replicas: Annotated[int, Field(ge=1, le=INT32_MAX)] | None = Field(
        default=None,
        description="Replicas of all of them; beyond it forecasts are served by priority, in proportion inside one.",
        examples=[400],
    )
    per_hour: scalars.Quantity | None = Field(
        default=None, description="Money for an hour, in the currency of replicaPrice.", examples=["12.50"]
    )
    per_month: scalars.Quantity | None = Field(
        default=None,
        description="Money for a month, kept evenly: never more in an hour than the 744th part of it.",
        examples=["9000"],
    )
    replica_price: scalars.Quantity | None = Field(
        default=None,
        description="What a replica costs in an hour, for workloads to which no `defaults.replicaPrice` applies.",
        examples=["0.05"],
    )
    may_cause_shortage: bool = Field(
        default=False,
        description="It binds even below what is needed now; min and steps still come first.",
        examples=[True],
    )

    @model_validator(mode="after")
    def _money_has_a_price(self) -> BudgetSpec:
        money = self.per_hour is not None or self.per_month is not None
        if self.replicas is None and not money:
            raise scalars.slip("says nothing", "write replicas, perHour or perMonth")
        if money != (self.replica_price is not None):
            message = "money needs the price of a replica" if money else "a price without money does nothing"
            remedy = 'write replicaPrice: "0.05"' if money else "write perHour or perMonth, or remove it"
            raise scalars.slip(message, remedy, ("replicaPrice",))
        return self

    @property
    def money(self) -> float | None:
        """For an hour; None where none is said."""
        hour = [] if self.per_hour is None else [scalars.quantity_of(self.per_hour)]
        month = [] if self.per_month is None else [scalars.quantity_of(self.per_month) / HOURS_OF_A_MONTH]
        return min([*hour, *month], default=None)
