"""What we say about an object, in its status: one shape for the CRDs, for whoever writes it and for whoever reads it.

Only what a person or a tool looks at stands here; what moves fast is in metrics. Unknown is absent, never zero.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from autoscaler.domain.decision import State
from autoscaler.domain.workload import Actuation, Mode
from autoscaler.spec import scalars
from autoscaler.spec.behavior import INT32_MAX, Part


class ConditionType(StrEnum):
    """Of a PredictiveAutoscaler; policies and sources have Ready, Reconciling and Stalled."""

    READY = "Ready"
    METRICS_AVAILABLE = "MetricsAvailable"
    FORECAST_READY = "ForecastReady"
    ACTING = "Acting"
    HELD = "Held"
    FALLBACK = "Fallback"
    CONFLICT = "Conflict"
    PAUSED = "Paused"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


Count = Annotated[int, Field(ge=0, le=INT32_MAX)]
Generation = Annotated[int, Field(ge=0)]
Words = Annotated[str, Field(max_length=1024)]
Message = Annotated[str, Field(max_length=32768)]
Moment = scalars.Instant


class ConditionStatus(Part):
    """One answer about the object, as everywhere in Kubernetes."""

    type: Annotated[str, Field(max_length=316)] = Field(description="What it answers.", examples=["Ready"])
    status: Literal["True", "False", "Unknown"] = Field(
        description="The answer; Unknown while it is not known yet.", examples=["True"]
    )
    reason: Annotated[str, Field(max_length=256)] = Field(
        description="Why, in one word that tools can rely on.", examples=["Deciding"]
    )
    message: Message = Field(description="Why, for people, with numbers.", examples=["decides every 15 s"])
    last_transition_time: Moment = Field(description="When the answer last changed.", examples=["2026-03-01T06:00:00Z"])
    observed_generation: Generation | None = Field(
        default=None, description="Generation of the object that it is about.", examples=[3]
    )


Conditions = Annotated[tuple[ConditionStatus, ...], Field(strict=False, max_length=16)]


class TargetStatus(Part):
    """Whose replicas are planned, as found in the cluster."""

    kind: Words = Field(description="Its kind.", examples=["Deployment"])
    name: Words = Field(description="Its name.", examples=["web"])
    uid: Words | None = Field(default=None, description="Its UID.", examples=["0d1c6a1e-5f3c-4d8e-9a55-1f2f0c9b8a77"])
    ref: Words | None = Field(default=None, description="Both as one word.", examples=["Deployment/web"])


class ReplicasStatus(Part):
    """The numbers that count now, policies included."""

    current: Count | None = Field(default=None, description="Replicas that there are.", examples=[12])
    ready: Count | None = Field(default=None, description="Replicas that are Ready.", examples=[12])
    wanted: Count | None = Field(default=None, description="Replicas that the plan asks for.", examples=[18])
    floor: Count | None = Field(
        default=None, description="Floor that we hold on the HPA or ScaledObject.", examples=[18]
    )
    min: Count | None = Field(default=None, description="Fewest that are allowed now.", examples=[2])
    max: Count | None = Field(default=None, description="Most that are allowed now.", examples=[60])


class ForecastStatus(Part):
    """The coming peak within the lead time, and what the forecast is worth."""

    peak: Words | None = Field(
        default=None, description="Largest demand that is planned for, in the unit of the demand.", examples=["812"]
    )
    peak_time: Moment | None = Field(
        default=None, description="When it is expected.", examples=["2026-03-01T18:45:00Z"]
    )
    demand: Words | None = Field(default=None, description="Which demand decides.", examples=["requests"])
    horizon: Words | None = Field(default=None, description="How far ahead it looks.", examples=["3m15s"])
    model: Words | None = Field(default=None, description="What forecasts.", examples=["seasonal-naive"])
    generation: Words | None = Field(
        default=None, description="Which of its trained versions.", examples=["2026-03-01-1"]
    )
    accuracy: Words | None = Field(
        default=None, description="Typical error of the last week, as a share of demand.", examples=["6%"]
    )
    interval: Words | None = Field(
        default=None, description="Range that holds the peak in nine of ten cases.", examples=["640 to 812"]
    )


class RiskStatus(Part):
    """Share of time short of capacity: what came of it, and what was accepted."""

    realised: Words | None = Field(default=None, description="Over the last week.", examples=["0.31%"])
    asked: Words | None = Field(default=None, description="What is accepted, policies included.", examples=["0.5%"])
    ratio: Words | None = Field(default=None, description="Both, for a column.", examples=["0.31%/0.5%"])


class DecisionStatus(Part):
    """The last decision that changed something."""

    time: Moment = Field(description="When.", examples=["2026-03-01T18:30:00Z"])
    from_: Count | None = Field(default=None, alias="from", description="Replicas or floor before.", examples=[12])
    to: Count | None = Field(default=None, description="Replicas or floor after.", examples=[18])
    reason: Words | None = Field(default=None, description="What decided.", examples=["Forecast"])
    expires: Moment | None = Field(
        default=None, description="Until when it may be carried out.", examples=["2026-03-01T18:31:00Z"]
    )
    action: Words | None = Field(default=None, description="In one line.", examples=["12 to 18 at 18:30Z"])


class HoldStatus(Part):
    """One guard that holds the workload where it is."""

    guard: Words = Field(description="Which guard, or rule of a policy.", examples=["freeze quarter-end"])
    reason: Words = Field(description="Why.", examples=["change freeze"])
    since: Moment | None = Field(default=None, description="Since when.", examples=["2026-03-01T18:00:00Z"])


Holds = Annotated[tuple[HoldStatus, ...], Field(strict=False, max_length=16)]
_CONDITIONS = Field(
    default=None,
    description="Answers about it: Ready first; Reconciling and Stalled only while abnormal.",
    examples=[
        [
            {
                "type": "Ready", "status": "True", "reason": "Deciding", "message": "decides every 15 s",
                "lastTransitionTime": "2026-03-01T06:00:00Z", "observedGeneration": 3,
            },
        ],
    ],
)  # fmt: skip
_GENERATION = Field(default=None, description="Generation of the spec that this is about.", examples=[3])


class PredictiveAutoscalerStatus(Part):
    """What Foresail sees and does, written by its operator; updated when a shown value changes meaningfully."""

    conditions: Conditions | None = _CONDITIONS
    observed_generation: Generation | None = _GENERATION
    mode: Annotated[Mode, Field(strict=False)] | None = Field(
        default=None, description="Mode in force, policies and rights included.", examples=["Advise"]
    )
    actuation: Annotated[Actuation, Field(strict=False)] | None = Field(
        default=None, description="What is written in mode Act.", examples=["HpaFloor"]
    )
    state: Annotated[State, Field(strict=False)] | None = Field(
        default=None, description="What it is doing.", examples=["Active"]
    )
    target: TargetStatus | None = Field(
        default=None, description="Its target, as found.", examples=[{"kind": "Deployment", "name": "web"}]
    )
    replicas: ReplicasStatus | None = Field(
        default=None, description="Its replicas.", examples=[{"current": 12, "wanted": 18, "min": 2, "max": 60}]
    )
    forecast: ForecastStatus | None = Field(
        default=None, description="Its forecast.", examples=[{"peak": "812", "peakTime": "2026-03-01T18:45:00Z"}]
    )
    risk: RiskStatus | None = Field(
        default=None, description="Its risk.", examples=[{"realised": "0.31%", "asked": "0.5%"}]
    )
    last_decision: DecisionStatus | None = Field(
        default=None, description="Its last change.", examples=[{"time": "2026-03-01T18:30:00Z", "from": 12, "to": 18}]
    )
    holds: Holds | None = Field(
        default=None,
        description="What holds it.",
        examples=[[{"guard": "freeze quarter-end", "reason": "change freeze"}]],
    )
    owner: Words | None = Field(
        default=None, description="Who else writes its replicas or floor.", examples=["HorizontalPodAutoscaler web"]
    )
    fallback_since: Moment | None = Field(
        default=None, description="Since when demand cannot be seen.", examples=["2026-03-01T18:00:00Z"]
    )


class GuardPolicyStatus(Part):
    """Whether the policy is in force, and for how many."""

    conditions: Conditions | None = _CONDITIONS
    observed_generation: Generation | None = _GENERATION
    selected: Count | None = Field(default=None, description="PredictiveAutoscalers that it selects.", examples=[14])


class MetricsSourceStatus(Part):
    """Whether the source answers, and who asks it."""

    conditions: Conditions | None = _CONDITIONS
    observed_generation: Generation | None = _GENERATION
    used: Count | None = Field(default=None, description="Demands that ask it.", examples=[14])
    last_answer_time: Moment | None = Field(
        default=None, description="When it last answered.", examples=["2026-03-01T18:30:00Z"]
    )


STATUSES: dict[str, type[Part]] = {
    "PredictiveAutoscaler": PredictiveAutoscalerStatus,
    "GuardPolicy": GuardPolicyStatus,
    "MetricsSource": MetricsSourceStatus,
}
