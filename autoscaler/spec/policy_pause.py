"""A stop over many workloads: with an owner, a reason, and an end or the word that there is none."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from autoscaler.domain.workload import PauseDirection
from autoscaler.spec import scalars
from autoscaler.spec.behavior import INT32_MAX, Part


class PolicyPauseSpec(Part):
    """A human stop with an owner and an end."""

    direction: Annotated[PauseDirection, Field(strict=False)] = Field(
        default=PauseDirection.BOTH, description="Which moves stop: Both, Down or Up.", examples=["Down"]
    )
    at: Annotated[int, Field(ge=1, le=INT32_MAX)] | None = Field(
        default=None,
        description="Stay at so many replicas, within min and max; down by its steps; of several the highest.",
        examples=[10],
    )
    owner: scalars.OneLine = Field(description="Who paused it.", examples=["mia@example.com"])
    reason: scalars.OneLine = Field(description="Why it is paused.", examples=["load test"])
    until: scalars.Instant | None = Field(
        default=None,
        description="When the pause ends by itself: RFC 3339 with a zone, in quotes.",
        examples=["2026-03-01T06:00:00Z"],
    )
    open_ended: bool = Field(
        default=False,
        description="Instead of until: there is no end. Needs acknowledge: [OpenEnded]; lint warns of it each time.",
        examples=[True],
    )

    @model_validator(mode="after")
    def _an_end_or_none(self) -> PolicyPauseSpec:
        if (self.until is None) != self.open_ended:
            raise scalars.slip("takes either until or openEnded: true", "write one of the two", ("until",))
        if self.at is not None and self.direction is not PauseDirection.BOTH:
            raise scalars.slip("stops both directions", "remove direction, or at", ("at",))
        return self
