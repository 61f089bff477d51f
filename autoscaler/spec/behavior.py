"""`spec.behavior`: the scaling rules of autoscaling/v2, with our own defaults where those would be unsafe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from autoscaler.domain.workload import PolicyType, SelectPolicy

INT32_MAX = 2**31 - 1


class Part(BaseModel):
    """Base of every piece of a kind: frozen, strict, camelCase, no unknown field, blank same as absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)

    @model_validator(mode="before")
    @classmethod
    def _drop_blanks(cls, data: Any) -> Any:
        """A generator that has nothing to say writes null or ""; a misspelt field stays, to be refused."""
        if not isinstance(data, Mapping):
            return data
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {k: v for k, v in data.items() if k not in known or not is_blank(v)}


def is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


class StepPolicySpec(Part):
    """At most so many pods, or percent of the replicas, per period."""

    type: Annotated[PolicyType, Field(strict=False)] = Field(
        description="Pods: value counts replicas. Percent: value is percent of the replicas at the period's start.",
        examples=["Percent"],
    )
    value: int = Field(ge=1, le=INT32_MAX, description="Largest change per period, in the unit of type.", examples=[10])
    period_seconds: int = Field(ge=1, le=1800, description="Length of the period in seconds, 1 to 1800.", examples=[60])


Policies = Annotated[tuple[StepPolicySpec, ...], Field(strict=False, min_length=1, max_length=16)]
Window = Annotated[int, Field(ge=0, le=3600)]
Select = Annotated[SelectPolicy, Field(strict=False)]

Tolerance = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_TOLERANCE_WORDS = (
    "Share of the replicas, 0 to 1, within which none move in this direction; what is needed now is always added. "
    "Default 0."
)
_SELECT_WORDS = "Which policy counts when there are several: Max, Min, or Disabled to forbid this direction."


class ScaleUpSpec(Part):
    """How fast replicas may be added."""

    stabilization_window_seconds: Window = Field(
        default=0,
        description="Seconds over which the lowest recent recommendation counts, 0 to 3600. Default 0: at once.",
        examples=[0],
    )
    policies: Policies | None = Field(
        default=None,
        description=(
            "Step limits upward. Default under a floor: none, since the plan is one jump to what the peak needs. "
            "Default under Scale: those of HPA, 100 percent per 15 s and 4 pods per 15 s."
        ),
        examples=[[{"type": "Percent", "value": 100, "periodSeconds": 15}]],
    )
    select_policy: Select = Field(default=SelectPolicy.MAX, description=_SELECT_WORDS, examples=["Max"])
    tolerance: Tolerance = Field(default=0.0, description=_TOLERANCE_WORDS, examples=[0.1])


class ScaleDownSpec(Part):
    """How fast replicas may be removed."""

    stabilization_window_seconds: Window = Field(
        default=300,
        description="Seconds over which the highest recent recommendation counts, 0 to 3600. Default 300.",
        examples=[300],
    )
    policies: Policies = Field(
        default=(StepPolicySpec.model_construct(type=PolicyType.PERCENT, value=10, period_seconds=60),),
        description="Step limits downward. Default: 10 percent per 60 s, where HPA would drop all at once.",
        examples=[[{"type": "Percent", "value": 10, "periodSeconds": 60}]],
    )
    select_policy: Select = Field(default=SelectPolicy.MAX, description=_SELECT_WORDS, examples=["Max"])
    tolerance: Tolerance = Field(default=0.0, description=_TOLERANCE_WORDS, examples=[0.1])


class BehaviorSpec(Part):
    """Step limits and stabilisation by direction; the meaning of each field is that of autoscaling/v2."""

    scale_up: ScaleUpSpec = Field(
        default_factory=ScaleUpSpec,
        description="Rules for adding replicas. Default: no window, no step limit (under Scale, HPA's).",
        examples=[{"stabilizationWindowSeconds": 0}],
    )
    scale_down: ScaleDownSpec = Field(
        default_factory=ScaleDownSpec,
        description="Rules for removing replicas. Default: a window of 300 s, 10 percent per 60 s.",
        examples=[{"stabilizationWindowSeconds": 300}],
    )
