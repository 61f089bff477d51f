"""Whom a GuardPolicy is about."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from autoscaler.spec import scalars
from autoscaler.spec.behavior import Part
from autoscaler.spec.sources import Texts


class Operator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


def _workload_name(text: str) -> str:
    namespace, slash, name = text.rpartition("/")
    for part in (namespace, name) if slash else (name,):
        scalars.check_subdomain(part)
    return text


def _label_key(text: str) -> str:
    scalars.check_metadata_keys({text: ""})
    return text


WorkloadName = Annotated[str, AfterValidator(_workload_name)]
LabelKey = Annotated[str, AfterValidator(_label_key)]
Names = Annotated[tuple[WorkloadName, ...], Field(strict=False, min_length=1, max_length=1000)]
Namespaces = Annotated[tuple[scalars.Label, ...], Field(strict=False, min_length=1, max_length=1000)]
MatchLabels = Annotated[Texts, AfterValidator(scalars.check_label_values)]
Values = Annotated[tuple[str, ...], Field(strict=False, max_length=100)]


class ExpressionSpec(Part):
    """One requirement on a label, as in any Kubernetes selector."""

    key: LabelKey = Field(description="Key of the label.", examples=["team"])
    operator: Annotated[Operator, Field(strict=False)] = Field(
        description="In, NotIn, Exists or DoesNotExist.", examples=["In"]
    )
    values: Values = Field(default=(), description="Values for In and NotIn.", examples=[["shop"]])

    @model_validator(mode="after")
    def _values_where_they_count(self) -> ExpressionSpec:
        compares = self.operator in {Operator.IN, Operator.NOT_IN}
        if compares != bool(self.values):
            message = f"{self.operator} {'needs values' if compares else 'takes no values'}"
            raise scalars.slip(message, "as in any Kubernetes label selector", ("values",))
        return self


class SelectorSpec(Part):
    """Which workloads; every field that is written must fit. {} selects all of them."""

    namespaces: Namespaces | None = Field(
        default=None, description="Namespaces of the workloads.", examples=[["shop", "checkout"]]
    )
    names: Names | None = Field(
        default=None, description="PredictiveAutoscalers by NAME or NAMESPACE/NAME.", examples=[["shop/web"]]
    )
    sites: Namespaces | None = Field(
        default=None,
        description="Sites: the name that a Foresail was started with (--site). Without --site none fits.",
        examples=[["berlin"]],
    )
    match_labels: MatchLabels = Field(
        default={}, description="Labels of the PredictiveAutoscaler, each equal.", examples=[{"tier": "web"}]
    )
    match_expressions: Annotated[tuple[ExpressionSpec, ...], Field(strict=False, max_length=20)] = Field(
        default=(),
        description="Further requirements on its labels.",
        examples=[[{"key": "team", "operator": "In", "values": ["shop"]}]],
    )

    @property
    def selects_all(self) -> bool:
        """Nothing is asked of a workload."""
        return not (self.namespaces or self.names or self.sites or self.match_labels or self.match_expressions)
