"""What an anomaly lets a workload do, by the class of its cause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, model_validator
from pydantic.alias_generators import to_snake

from autoscaler.domain.anomaly import CAUSES, Cause
from autoscaler.domain.policy import Growth
from autoscaler.spec import scalars
from autoscaler.spec.behavior import INT32_MAX, Part
from autoscaler.spec.saying import Saying


def field_of(cause: Cause) -> str:
    """The name of a cause's field: suspectedAttack."""
    return cause.value[0].lower() + cause.value[1:]


class GrowthCapSpec(Part):
    """How far a workload grows at most while it lasts. It takes nothing away, and spares what is needed now."""

    over: scalars.Headroom | None = Field(
        default=None, description="So much above what ran when it began.", examples=["50%"]
    )
    replicas: Annotated[int, Field(ge=1, le=INT32_MAX)] | None = Field(
        default=None, description="To so many replicas.", examples=[20]
    )
    may_cause_shortage: bool = Field(
        default=False, description="It binds even below what is needed now.", examples=[True]
    )

    @model_validator(mode="after")
    def _something(self) -> GrowthCapSpec:
        if self.over is None and self.replicas is None:
            raise scalars.slip("says nothing", "write over, replicas or both")
        return self


class AnomalyRuleSpec(Saying):
    """What one class of cause lets a workload do. What is not written is as built in."""

    growth: Annotated[Growth, Field(strict=False)] | None = Field(
        default=None,
        description="What may still grow: Any; ObservedNeed, not by forecast; None, nothing at all.",
        examples=["ObservedNeed"],
    )
    shrink: bool | None = Field(default=None, description="Whether it may shrink.", examples=[False])
    cap: GrowthCapSpec | None = Field(default=None, description="How far it grows at most.", examples=[{"over": "50%"}])


class AnomalySpec(Saying):
    """By the class of the cause. What no policy says is as built in."""

    demand: AnomalyRuleSpec | None = Field(
        default=None, description="Unusual demand. Built in: it scales.", examples=[{"shrink": False}]
    )
    capacity: AnomalyRuleSpec | None = Field(
        default=None, description="Replicas serve less. Built in: no shrink.", examples=[{"growth": "Any"}]
    )
    latency_errors: AnomalyRuleSpec | None = Field(
        default=None, description="Latency, errors. Built in: no shrink.", examples=[{"shrink": False}]
    )
    data_fault: AnomalyRuleSpec | None = Field(
        default=None,
        description=(
            "The data is wrong. Built in: what is observed is not believed, nothing shrinks, and only the forecast "
            "from the data before may add."
        ),
        examples=[{"growth": "ObservedNeed"}],
    )
    sensor_loss: AnomalyRuleSpec | None = Field(
        default=None, description="A sensor is lost or stuck. Built in: as dataFault.", examples=[{"growth": "None"}]
    )
    suspected_attack: AnomalyRuleSpec | None = Field(
        default=None,
        description="A suspected attack. Built in: it grows to what is needed now, not by forecast.",
        examples=[{"cap": {"over": "50%", "replicas": 40}}],
    )

    def shortages(self) -> Iterator[tuple[str, ...]]:
        """Where it lets a workload go short of what it needs and could have."""
        for cause in CAUSES:
            name = field_of(cause)
            rule: AnomalyRuleSpec | None = getattr(self, to_snake(name))
            if rule is None:
                continue
            if rule.growth is Growth.NONE and cause not in {Cause.DATA_FAULT, Cause.SENSOR_LOSS}:
                yield (name, "growth")
            if rule.cap is not None and rule.cap.may_cause_shortage:
                yield (name, "cap", "mayCauseShortage")
