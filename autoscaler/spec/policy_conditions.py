"""Conditions in CEL over what a decision knows, and what follows from them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from autoscaler.domain.conditions import Then
from autoscaler.spec import scalars
from autoscaler.spec.behavior import INT32_MAX, Part
from autoscaler.spec.cel import MOST_CHARACTERS, program_of


def _checked(text: str) -> str:
    program_of(text)
    return text


Expression = Annotated[str, Field(max_length=MOST_CHARACTERS), AfterValidator(_checked)]


class ConditionSpec(Part):
    """One condition. It reads only what is known: where it reads more, there is no answer, and the workload holds."""

    name: scalars.Label = Field(description="Short name, unique in this policy.", examples=["night-shift"])
    expression: Expression = Field(
        description="CEL that answers yes or no; what it can read stands below.",
        examples=['observed["requests"] > 1.5 * p95["requests"]'],
    )
    then: Annotated[Then, Field(strict=False)] = Field(
        description="Hold: no shrink while true. Allow: no shrink unless true. Cap, Floor: at most, least `replicas`.",
        examples=["Hold"],
    )
    replicas: Annotated[int, Field(ge=1, le=INT32_MAX)] | None = Field(
        default=None,
        description="For Cap and Floor. A cap spares what is needed now, and comes by steps.",
        examples=[20],
    )
    message: scalars.OneLine = Field(
        description="What people read while it says something.", examples=["more than was foreseen: nothing shrinks"]
    )
    may_cause_shortage: bool = Field(
        default=False, description="For Cap: it binds even below what is needed now.", examples=[True]
    )

    @model_validator(mode="after")
    def _replicas_where_they_count(self) -> ConditionSpec:
        counts = self.then in {Then.CAP, Then.FLOOR}
        if counts != (self.replicas is not None):
            message = f"{self.then} {'needs' if counts else 'takes no'} replicas"
            raise scalars.slip(message, "write replicas: 20" if counts else "remove it", ("replicas",))
        if self.may_cause_shortage and self.then is not Then.CAP:
            raise scalars.slip("means something for a cap only", "remove it", ("mayCauseShortage",))
        return self


Conditions = Annotated[tuple[ConditionSpec, ...], Field(strict=False, min_length=1, max_length=20)]
