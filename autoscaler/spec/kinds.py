"""The kinds that users write. One model each serves files and, later, the cluster's custom resources.

A model holds what was written ("0.5%", "3m"); `compile` gives it its meaning. Rules that need more than one
document are in `fleet`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from autoscaler.domain.workload import Actuation, Mode
from autoscaler.spec import scalars
from autoscaler.spec.behavior import INT32_MAX, BehaviorSpec, Part
from autoscaler.spec.metadata import API_VERSION, ClusterMetadata, Metadata, PauseSpec
from autoscaler.spec.policy import GuardPolicy
from autoscaler.spec.signals import AnomaliesSpec, Signals, SignalSpec
from autoscaler.spec.sources import MetricsSourceSpec
from autoscaler.spec.when import WhenSpec, Zone

__all__ = [
    "API_VERSION",
    "KINDS",
    "GuardPolicy",
    "Kind",
    "LeadSpec",
    "LearnedSpec",
    "MetricsSource",
    "ObjectiveSpec",
    "PredictiveAutoscaler",
]


class TargetSpec(Part):
    """The object whose replicas are planned: anything with a scale subresource, in the same namespace."""

    api_version: scalars.ApiVersion = Field(description="API group and version of the target.", examples=["apps/v1"])
    kind: scalars.KindName = Field(description="Kind of the target.", examples=["Deployment"])
    name: scalars.Subdomain = Field(description="Name of the target.", examples=["web"])


class LearnedSpec(Part):
    """What a running service learns the capacity from; all queries go to the source of the demand."""

    resource: scalars.Query = Field(
        description="What the demand uses up: of one replica, as a mean or a latency, or of all, with summed.",
        examples=['sum(rate(container_cpu_usage_seconds_total{pod=~"web-.*"}[5m]))'],
    )
    limit: scalars.Quantity = Field(
        description="The resource at which one replica is full: its CPU request, the SLO of a latency.",
        examples=["500m", "0.25"],
    )
    replicas: scalars.Query = Field(
        description="The replicas that are Ready.",
        examples=['sum(kube_deployment_status_replicas_ready{deployment="web"})'],
    )
    summed: bool = Field(
        default=False, description="The resource is a sum over all replicas. Default false.", examples=[True]
    )
    template: scalars.Query | None = Field(
        default=None,
        description="A number that changes with the pod template; after a change the capacity is taken more carefully.",
        examples=['max(kube_replicaset_created{replicaset=~"web-.*"})'],
    )


class CapacitySpec(Part):
    """What one replica can do."""

    per_replica: scalars.Quantity | None = Field(
        default=None,
        description=(
            "Demand that one Ready replica serves within its SLO, in the unit of the query: a quoted Kubernetes "
            "quantity, or a plain positive number. May be left out only beside learned: then the workload holds until "
            "a capacity is accepted."
        ),
        examples=["45", "1500m", "2k", 45],
    )
    learned: LearnedSpec | None = Field(
        default=None,
        description=(
            "A running service learns the capacity from this at its start and daily; perReplica stands until one is "
            "accepted. Default: never."
        ),
        examples=[{"resource": "web_latency_p95", "limit": "0.25", "replicas": "web_ready"}],
    )

    @model_validator(mode="after")
    def _some(self) -> CapacitySpec:
        if self.per_replica is None and self.learned is None:
            raise scalars.slip(
                "says nothing of what one replica serves",
                'write perReplica: "45" as measured by a load test, or learned with resource, limit and replicas',
            )
        return self


class DemandSpec(Part):
    """One stream of work; of several, the one that needs most replicas counts."""

    name: scalars.Label = Field(description="Short name, unique in this object.", examples=["requests"])
    source: scalars.Subdomain = Field(description="Name of the MetricsSource to ask; never a URL.", examples=["prod"])
    query: scalars.Query = Field(
        description=(
            "What to ask the source for: PromQL that answers one number, the total demand; for a file, the name of "
            "the series in it."
        ),
        examples=['sum(rate(http_requests_total{app="web"}[1m]))', "web_requests"],
    )
    capacity: CapacitySpec = Field(description="What one replica serves.", examples=[{"perReplica": "45"}])


class CostsSpec(Part):
    """Two prices in one unit; the accepted risk is replica ÷ shortage."""

    shortage: float = Field(
        gt=0, allow_inf_nan=False, description="Cost of one missing replica for one hour.", examples=[20]
    )
    replica: float = Field(gt=0, allow_inf_nan=False, description="Cost of one replica for one hour.", examples=[0.1])


class ObjectiveSpec(Part):
    """How much shortage is accepted: a share of time, or the two costs it follows from."""

    risk: scalars.Risk | None = Field(
        default=None,
        description='Share of time short of capacity that is accepted, above 0 and up to 20 %. Default "0.5%".',
        examples=["0.5%", "0.005"],
    )
    costs: CostsSpec | None = Field(
        default=None,
        description="Costs to derive the risk from, instead of risk.",
        examples=[{"shortage": 20, "replica": 0.1}],
    )

    @model_validator(mode="after")
    def _one_way(self) -> ObjectiveSpec:
        if self.risk is not None and self.costs is not None:
            raise scalars.slip("takes either risk or costs, not both", "remove one of them")
        if self.costs is not None:
            try:
                scalars.checked_risk(self.costs.replica / self.costs.shortage)
            except PydanticCustomError as bad:
                message = f"risk = replica ÷ shortage: {bad.message()}"
                raise scalars.slip(
                    message, "a missing replica should cost more than a running one", ("costs",)
                ) from bad
        return self


class ReplicasSpec(Part):
    """The limits that no plan leaves."""

    min: int = Field(default=1, ge=1, le=INT32_MAX, description="Fewest replicas. Default 1.", examples=[2])
    max: int = Field(ge=1, le=INT32_MAX, description="Most replicas.", examples=[60])

    @model_validator(mode="after")
    def _in_order(self) -> ReplicasSpec:
        if self.min > self.max:
            raise scalars.slip(f"min {self.min} is above max {self.max}", "raise max or lower min")
        return self


class LeadSpec(Part):
    """Time from a decision until what it asked for is serving, by its parts."""

    ready: scalars.Duration | None = Field(
        default=None,
        description=(
            "From the request until the last new replica is Ready, waits for nodes included. Default: measured on the "
            "cluster, 3m until enough starts were seen."
        ),
        examples=["3m"],
    )
    warmup: scalars.Duration = Field(
        default="0s", description="From Ready until a replica serves its full capacity.", examples=["30s"]
    )
    actuation: scalars.Duration | None = Field(
        default=None,
        description="From our write until the cluster acts on it. Default: 15s (an HPA sync) for floors, 0s for Scale.",
        examples=["15s"],
    )


Demands = Annotated[tuple[DemandSpec, ...], Field(strict=False, min_length=1, max_length=8)]
Named = tuple[DemandSpec | SignalSpec, ...]
Acknowledgements = Annotated[tuple[Literal["NoReactiveBackup"], ...], Field(strict=False, max_length=8)]


class ExclusionSpec(Part):
    """A stretch of time that teaches nothing, such as a load test."""

    when: WhenSpec = Field(
        description="When it is, or was.",
        examples=[{"once": {"from": "2026-11-27T06:00:00Z", "until": "2026-11-27T08:00:00Z"}}],
    )
    reason: scalars.OneLine = Field(description="Why; it stands in the record.", examples=["load test"])


Exclusions = Annotated[tuple[ExclusionSpec, ...], Field(strict=False, min_length=1, max_length=50)]


class CalibrationSpec(Part):
    """What is learned from."""

    exclude: Exclusions | None = Field(
        default=None,
        description=(
            "Windows of which nothing is learned and in which risk is not judged; each is counted, and told on every "
            "decision for a week. Faults of the data are left out by themselves; do not list incidents of demand."
        ),
        examples=[
            [
                {
                    "when": {"once": {"from": "2026-11-27T06:00:00Z", "until": "2026-11-27T08:00:00Z"}},
                    "reason": "load test",
                }
            ]
        ],
    )


class PredictiveAutoscalerSpec(Part):
    target: TargetSpec = Field(
        description="The workload to plan for.",
        examples=[{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}],
    )
    mode: Annotated[Mode, Field(strict=False)] = Field(
        default=Mode.ADVISE,
        description="Advise decides and records; Act also writes. Default Advise.",
        examples=["Act"],
    )
    actuation: Annotated[Actuation, Field(strict=False)] = Field(
        default=Actuation.HPA_FLOOR,
        description="What is written: the HPA's minReplicas, the ScaledObject's minReplicaCount, or the scale itself.",
        examples=["HpaFloor"],
    )
    acknowledge: Acknowledgements = Field(
        default=(),
        validate_default=True,
        description="What is accepted knowingly: NoReactiveBackup, required for actuation Scale.",
        examples=[["NoReactiveBackup"]],
    )
    demands: Demands = Field(
        description="One to eight streams of work.",
        examples=[
            [{"name": "requests", "source": "prod", "query": "web_requests", "capacity": {"perReplica": "45"}}],
        ],
    )
    signals: Signals = Field(
        default=(),
        description="Metrics that are watched beside the demands, so that anomalies are found and explained.",
        examples=[[{"name": "latency", "source": "prod", "query": "web_latency_p95", "kind": "Latency"}]],
    )
    anomalies: AnomaliesSpec | None = Field(
        default=None,
        description="How anomalies are looked for. Default: yes, at one false page a week.",
        examples=[{"falsePagesPerWeek": 0.25}],
    )
    objective: ObjectiveSpec = Field(
        default_factory=ObjectiveSpec,
        description='Accepted shortage. Default {risk: "0.5%"}.',
        examples=[{"risk": "0.5%"}],
    )
    replicas: ReplicasSpec = Field(description="Fewest and most replicas.", examples=[{"min": 2, "max": 60}])
    lead: LeadSpec = Field(
        default_factory=LeadSpec, description="Time from decision to serving capacity.", examples=[{"ready": "3m"}]
    )
    headroom: scalars.Headroom = Field(
        default="0%", description='Capacity on top of the plan, "0%" to "300%". Default "0%".', examples=["20%"]
    )
    max_data_age: scalars.PositiveDuration = Field(
        default="3m", description="Age of the newest sample past which the data is stale. Default 3m.", examples=["3m"]
    )
    time_zone: Zone | None = Field(
        default=None,
        description=(
            "The IANA zone whose wall clock the demand follows: over the start and the end of daylight saving, "
            "yesterday and last week are looked up by local time. Default: UTC."
        ),
        examples=["Europe/Berlin"],
    )
    calibration: CalibrationSpec | None = Field(
        default=None,
        description="What is learned from. Default: all demand that is known.",
        examples=[
            {
                "exclude": [
                    {
                        "when": {"once": {"from": "2026-11-27T06:00:00Z", "until": "2026-11-27T08:00:00Z"}},
                        "reason": "load test",
                    }
                ]
            }
        ],
    )
    behavior: BehaviorSpec = Field(
        default_factory=BehaviorSpec,
        description="Step limits and stabilisation.",
        examples=[{"scaleDown": {"stabilizationWindowSeconds": 600}}],
    )
    pause: PauseSpec | None = Field(
        default=None,
        description="Stops moves until a given time.",
        examples=[{"owner": "mia@example.com", "reason": "load test", "until": "2026-03-01T06:00:00Z"}],
    )

    @field_validator("acknowledge")
    @classmethod
    def _alone_knowingly(cls, given: Acknowledgements, info: ValidationInfo) -> Acknowledgements:
        if info.data.get("actuation") is Actuation.SCALE and "NoReactiveBackup" not in given:
            message = "actuation Scale needs an acknowledgement: no HPA stays behind to react if we are wrong or absent"
            raise scalars.slip(message, "write acknowledge: [NoReactiveBackup], or use actuation: HpaFloor")
        return given

    @field_validator("demands", "signals")
    @classmethod
    def _distinct_names(cls, given: Named, info: ValidationInfo) -> Named:
        what = "demand" if info.field_name == "demands" else "signal"
        seen: set[str] = set()
        for index, each in enumerate(given):
            if each.name in seen:
                message = f"another {what} of this object has the same name"
                raise scalars.slip(message, "give each its own", (index, "name"))
            seen.add(each.name)
        return given


class PredictiveAutoscaler(Part):
    """A workload whose replicas are planned ahead of its demand."""

    api_version: Literal["foresail.dev/v1alpha1"] = Field(description="API group and version.", examples=[API_VERSION])
    kind: Literal["PredictiveAutoscaler"] = Field(description="This kind.", examples=["PredictiveAutoscaler"])
    metadata: Metadata = Field(description="Name and namespace.", examples=[{"name": "web", "namespace": "shop"}])
    spec: PredictiveAutoscalerSpec = Field(
        description="What to plan, and within which limits.",
        examples=[
            {
                "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "demands": [
                    {"name": "requests", "source": "prod", "query": "web_requests", "capacity": {"perReplica": "45"}},
                ],
                "replicas": {"min": 2, "max": 60},
            },
        ],
    )


class MetricsSource(Part):
    """Where demand comes from. Cluster-scoped."""

    api_version: Literal["foresail.dev/v1alpha1"] = Field(description="API group and version.", examples=[API_VERSION])
    kind: Literal["MetricsSource"] = Field(description="This kind.", examples=["MetricsSource"])
    metadata: ClusterMetadata = Field(description="Name; there is no namespace.", examples=[{"name": "prod"}])
    spec: MetricsSourceSpec = Field(description="How to reach it.", examples=[{"file": {"path": "demand/web.csv"}}])


Kind = PredictiveAutoscaler | MetricsSource | GuardPolicy

KINDS: dict[str, type[Kind]] = {
    "PredictiveAutoscaler": PredictiveAutoscaler,
    "MetricsSource": MetricsSource,
    "GuardPolicy": GuardPolicy,
}
