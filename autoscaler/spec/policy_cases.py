"""`GuardPolicyTest`: what is given to a workload under its policies, and what must come out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from autoscaler.domain.anomaly import Cause
from autoscaler.domain.reasons import Reason
from autoscaler.spec import scalars
from autoscaler.spec.behavior import INT32_MAX, Part
from autoscaler.spec.metadata import API_VERSION, ClusterMetadata
from autoscaler.spec.sources import without_nulls

Demand = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Replicas = Annotated[int, Field(ge=0, le=INT32_MAX)]
FileNames = Annotated[tuple[scalars.OneLine, ...], Field(strict=False, min_length=1, max_length=100)]
Reasons = Annotated[tuple[Annotated[Reason, Field(strict=False)], ...], Field(strict=False, max_length=20)]


class QuantilesSpec(Part):
    """The forecast of the peak over the lead window, in the unit of the demand."""

    p50: Demand = Field(description="Median.", examples=[200])
    p90: Demand = Field(description="90 %.", examples=[260])
    p95: Demand = Field(description="95 %: the one that is sized for.", examples=[300])

    @model_validator(mode="after")
    def _rising(self) -> QuantilesSpec:
        if not self.p50 <= self.p90 <= self.p95:
            raise scalars.slip("must rise from p50 to p95", "sort them")
        return self


class DemandGivenSpec(Part):
    """One demand at the moment of the case. What is not written is not known."""

    observed: Demand | None = Field(default=None, description="Newest usable value; absent: no data.", examples=[150])
    peak: Demand | None = Field(default=None, description="One number for all quantiles.", examples=[300])
    quantiles: QuantilesSpec | None = Field(
        default=None,
        description="The forecast; absent: there is none.",
        examples=[{"p50": 200, "p90": 260, "p95": 300}],
    )
    data_age: scalars.Duration | None = Field(
        default=None, description="Age of the newest usable sample. Default 0s, without data endless.", examples=["4m"]
    )

    @model_validator(mode="after")
    def _one_forecast(self) -> DemandGivenSpec:
        if self.peak is not None and self.quantiles is not None:
            raise scalars.slip("takes either peak or quantiles, not both", "remove one of them")
        return self


DemandsGiven = Annotated[dict[str, DemandGivenSpec], BeforeValidator(without_nulls), Field(max_length=8)]


class AnomalyGivenSpec(Part):
    """What a detector says at the moment of the case. Without it nothing is abnormal, as with no detector."""

    cause: Annotated[Cause, Field(strict=False)] = Field(
        description="Class of the cause.", examples=["SuspectedAttack"]
    )
    severity: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = Field(
        default=1.0, description="Above 0, up to 1.", examples=[0.9]
    )
    for_: scalars.Duration | None = Field(
        default=None,
        alias="for",
        description="How long it has lasted; minutes of the case before that are without it. Default: all of the case.",
        examples=["10m"],
    )


class AnomalyOverSpec(Part):
    """What a detector says for a while of a recording, in place of one."""

    cause: Annotated[Cause, Field(strict=False)] = Field(description="Class of the cause.", examples=["SensorLoss"])
    from_: scalars.Instant = Field(
        alias="from",
        description="The first decision that knows of it: for a real detector that is minutes after it began.",
        examples=["2026-03-02T09:05:00+01:00"],
    )
    until: scalars.Instant = Field(
        description="From then on decisions know of it no more.", examples=["2026-03-02T09:45:00+01:00"]
    )
    severity: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = Field(
        default=1.0, description="Above 0, up to 1.", examples=[0.9]
    )
    evidence: scalars.OneLine | None = Field(
        default=None, description="Why, for who reads what failed.", examples=["the value has not moved for 20 minutes"]
    )

    @model_validator(mode="after")
    def _forward(self) -> AnomalyOverSpec:
        if scalars.instant_of(self.from_) >= scalars.instant_of(self.until):
            raise scalars.slip("ends before it begins", "write until after from", ("until",))
        return self


class GivenSpec(DemandGivenSpec):
    """The situation. observed, peak, quantiles and dataAge are those of the only demand; of several, see demands."""

    replicas: Replicas = Field(description="Replicas that run, and that were asked for.", examples=[4])
    floor: Replicas | None = Field(
        default=None,
        description="Under a floor actuation: the minReplicas that is written now. Default: the workload's min.",
        examples=[4],
    )
    hpa_max: Replicas | None = Field(
        default=None, description="Under a floor actuation: the highest floor that the HPA's max leaves.", examples=[60]
    )
    by_hand: scalars.Duration | None = Field(
        default=None, description="How long ago a person set by hand what is written now.", examples=["5m"]
    )
    anomaly: AnomalyGivenSpec | None = Field(
        default=None, description="What is abnormal.", examples=[{"cause": "SuspectedAttack"}]
    )
    demands: DemandsGiven = Field(
        default={}, description="By name, for a workload with several demands.", examples=[{"requests": {"peak": 300}}]
    )


class ExpectSpec(Part):
    """What must come out; only what is written is checked."""

    replicas: Replicas | None = Field(default=None, description="Exactly so many (or a floor of it).", examples=[8])
    at_least: Replicas | None = Field(default=None, description="No fewer.", examples=[8])
    at_most: Replicas | None = Field(default=None, description="No more.", examples=[40])
    holds: bool | None = Field(default=None, description="Whether some guard holds the workload.", examples=[True])
    reasons: Reasons = Field(
        default=(), description="Codes that must be among the decision's reasons.", examples=[["ChangeFreeze"]]
    )
    not_reasons: Reasons = Field(
        default=(), description="Codes that must not be among them.", examples=[["StepUpLimited"]]
    )
    rules: Annotated[dict[str, str], BeforeValidator(without_nulls)] = Field(
        default={},
        description="Field → the GuardPolicy whose rule must be in force for it, as `policy explain` names fields.",
        examples=[{"min": "business-hours"}],
    )

    @model_validator(mode="after")
    def _something(self) -> ExpectSpec:
        if not self.model_fields_set:
            raise scalars.slip("expects nothing", "write replicas, atLeast, atMost, holds, reasons or rules")
        least, most = self.at_least, self.at_most
        if least is not None and most is not None and least > most:
            raise scalars.slip(
                f"can never hold: atLeast {least} is above atMost {most}", "raise atMost, or lower atLeast"
            )
        return self


class CaseSpec(Part):
    """One situation, and what must come out of it."""

    name: scalars.OneLine = Field(description="What is promised, in words.", examples=["Monday 09:00 has eight"])
    workload: scalars.OneLine = Field(description="NAMESPACE/NAME, or NAME.", examples=["shop/web"])
    at: scalars.Instant = Field(
        description="When it is decided: RFC 3339 with a zone, in quotes.", examples=["2026-03-02T09:00:00+01:00"]
    )
    for_: scalars.Duration = Field(
        default="0s",
        alias="for",
        description="How long the same was given before, each minute's decision carried out. Default 0s: a first look, "
        "to which stabilisation has seen nothing less than what runs.",
        examples=["10m"],
    )
    given: GivenSpec = Field(description="The situation.", examples=[{"replicas": 4, "observed": 100, "peak": 300}])
    expect: ExpectSpec = Field(description="What must come out.", examples=[{"replicas": 8}])


class MomentsSpec(ExpectSpec):
    """What must come out at a moment of the record, or all through a span of it."""

    at: scalars.Instant | None = Field(
        default=None, description="The step that holds this moment.", examples=["2026-03-02T09:00:00+01:00"]
    )
    from_: scalars.Instant | None = Field(
        default=None, alias="from", description="First moment of a span.", examples=["2026-03-02T09:00:00+01:00"]
    )
    until: scalars.Instant | None = Field(
        default=None, description="End of the span, outside it.", examples=["2026-03-02T18:00:00+01:00"]
    )

    @model_validator(mode="after")
    def _when_and_what(self) -> MomentsSpec:
        span = self.from_ is not None and self.until is not None
        if (self.at is not None) == span or (self.from_ is None) != (self.until is None):
            raise scalars.slip("takes at, or from and until", "write one of the two")
        if not self.model_fields_set - {"at", "from_", "until"}:
            raise scalars.slip("expects nothing", "write replicas, atLeast, atMost, holds or reasons")
        if self.rules:
            raise scalars.slip("cannot be asked of a record", "ask it in a case", ("rules",))
        return self


class RecordingSpec(Part):
    """A recorded demand through the simulated service, and what must come out at times."""

    name: scalars.OneLine = Field(description="What is promised, in words.", examples=["a Monday in March"])
    workload: scalars.OneLine = Field(description="NAMESPACE/NAME, or NAME; with one demand.", examples=["shop/web"])
    trace: scalars.FilePath = Field(
        description="Recorded demand (CSV or Parquet: ts, value), relative to this file.", examples=["monday.csv"]
    )
    anomalies: Annotated[tuple[AnomalyOverSpec, ...], Field(strict=False, max_length=50)] = Field(
        default=(),
        description="What is abnormal, and when. Without it nothing is, as with no detector.",
        examples=[
            [
                {
                    "cause": "SensorLoss",
                    "from": "2026-03-02T09:05:00+01:00",
                    "until": "2026-03-02T09:45:00+01:00",
                    "evidence": "the value has not moved for 20 minutes",
                }
            ]
        ],
    )
    expect: Annotated[tuple[MomentsSpec, ...], Field(strict=False, min_length=1, max_length=200)] = Field(
        description="At least one.", examples=[[{"at": "2026-03-02T09:00:00+01:00", "atLeast": 8}]]
    )


class PolicyTestSpec(Part):
    files: FileNames = Field(
        description="Files or folders with the workloads and policies, relative to this file.",
        examples=[["web.yaml", "business-hours.yaml"]],
    )
    site: scalars.Label | None = Field(default=None, description="The site to run in.", examples=["berlin"])
    recordings: Annotated[tuple[RecordingSpec, ...], Field(strict=False, max_length=50)] = Field(
        default=(),
        description="Recorded demand, simulated in seconds.",
        examples=[
            [
                {
                    "name": "a Monday in March",
                    "workload": "shop/web",
                    "trace": "monday.csv",
                    "expect": [{"at": "2026-03-02T09:00:00+01:00", "atLeast": 8}],
                },
            ],
        ],
    )
    cases: Annotated[tuple[CaseSpec, ...], Field(strict=False, max_length=1000)] = Field(
        default=(),
        description="Single situations, in milliseconds each.",
        examples=[
            [
                {
                    "name": "Monday 09:00 has eight",
                    "workload": "shop/web",
                    "at": "2026-03-02T09:00:00+01:00",
                    "given": {"replicas": 4, "observed": 100},
                    "expect": {"replicas": 8},
                },
            ],
        ],
    )

    @model_validator(mode="after")
    def _something(self) -> PolicyTestSpec:
        if not self.cases and not self.recordings:
            raise scalars.slip("promises nothing", "write cases, recordings or both")
        seen: set[str] = set()
        for part, promises in (("cases", self.cases), ("recordings", self.recordings)):
            for index, name in enumerate(promise.name for promise in promises):
                if name in seen:
                    raise scalars.slip(
                        "another promise of this test has the same name", "give each its own", (part, index, "name")
                    )
                seen.add(name)
        return self


class GuardPolicyTest(Part):
    """Promises of policies, checked offline by `foresail policy test`."""

    api_version: Literal["foresail.dev/v1alpha1"] = Field(description="API group and version.", examples=[API_VERSION])
    kind: Literal["GuardPolicyTest"] = Field(description="This kind.", examples=["GuardPolicyTest"])
    metadata: ClusterMetadata = Field(description="Name; there is no namespace.", examples=[{"name": "web-shop"}])
    spec: PolicyTestSpec = Field(
        description="The files, and the cases.",
        examples=[
            {
                "files": ["web.yaml"],
                "cases": [
                    {
                        "name": "Monday 09:00 has eight",
                        "workload": "shop/web",
                        "at": "2026-03-02T09:00:00+01:00",
                        "given": {"replicas": 4, "observed": 100},
                        "expect": {"replicas": 8},
                    },
                ],
            },
        ],
    )
