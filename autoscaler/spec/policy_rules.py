"""What a GuardPolicy says: defaults that workloads may overrule, and limits that bind them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from autoscaler.domain.policy import Growth
from autoscaler.spec import scalars
from autoscaler.spec.behavior import INT32_MAX, Part, Policies, Select, Tolerance, Window
from autoscaler.spec.policy_anomaly import AnomalySpec
from autoscaler.spec.policy_conditions import Conditions
from autoscaler.spec.policy_shared import BrakeSpec, BudgetSpec, TrustSpec
from autoscaler.spec.saying import Saying
from autoscaler.spec.when import WhenSpec

Count = Annotated[int, Field(ge=1, le=INT32_MAX)]


class DirectionDefaults(Saying):
    """One direction of `behavior`, for workloads that do not say it themselves."""

    stabilization_window_seconds: Window | None = Field(
        default=None, description="Seconds of stabilisation, 0 to 3600.", examples=[600]
    )
    policies: Policies | None = Field(
        default=None,
        description="Step limits of this direction, as in an HPA.",
        examples=[[{"type": "Percent", "value": 10, "periodSeconds": 60}]],
    )
    select_policy: Select | None = Field(
        default=None, description="Which policy counts when there are several: Max, Min or Disabled.", examples=["Min"]
    )
    tolerance: Tolerance | None = Field(
        default=None, description="Share of the replicas within which none move, 0 to 1.", examples=[0.1]
    )


class BehaviorDefaults(Saying):
    """Step limits and stabilisation for workloads that do not say them themselves, field by field."""

    scale_up: DirectionDefaults | None = Field(
        default=None, description="For adding replicas.", examples=[{"stabilizationWindowSeconds": 0}]
    )
    scale_down: DirectionDefaults | None = Field(
        default=None, description="For removing replicas.", examples=[{"stabilizationWindowSeconds": 600}]
    )


class DirectionLimits(Saying):
    """One direction of `behavior` as a limit: it binds whatever the workload says."""

    stabilization_window_seconds: Window | None = Field(
        default=None, description="At least so many seconds of stabilisation; the longest counts.", examples=[600]
    )
    policies: Policies | None = Field(
        default=None,
        description="Step limits; each of them binds, beside the workload's own.",
        examples=[[{"type": "Pods", "value": 4, "periodSeconds": 60}]],
    )
    select_policy: Literal["Disabled"] | None = Field(
        default=None,
        description="Disabled forbids this direction; observed need is still served.",
        examples=["Disabled"],
    )


class UpLimits(DirectionLimits):
    """The direction upward, as a limit: what is needed now is spared unless it says otherwise."""

    may_cause_shortage: bool = Field(
        default=False,
        description="These step limits bind even below what is needed now. Stabilisation never does.",
        examples=[True],
    )

    @model_validator(mode="after")
    def _shortage_of_something(self) -> UpLimits:
        if self.may_cause_shortage and self.policies is None and self.select_policy is None:
            message = "means nothing without step limits"
            raise scalars.slip(message, "write policies or selectPolicy, or remove it", ("mayCauseShortage",))
        return self


class BehaviorLimits(Saying):
    """Step limits and stabilisation that bind whatever the workload says."""

    scale_up: UpLimits | None = Field(
        default=None,
        description="For adding replicas.",
        examples=[{"policies": [{"type": "Pods", "value": 20, "periodSeconds": 60}]}],
    )
    scale_down: DirectionLimits | None = Field(
        default=None, description="For removing replicas.", examples=[{"stabilizationWindowSeconds": 600}]
    )


class MinSpec(Part):
    """Fewest replicas of a workload that does not say so itself."""

    min: Count = Field(description="Fewest replicas.", examples=[2])


class BoundsSpec(Part):
    """Replicas of every workload that is selected."""

    min: Count | None = Field(default=None, description="No workload has fewer; the highest counts.", examples=[2])
    max: Count | None = Field(default=None, description="No workload has more; the lowest counts.", examples=[40])

    @model_validator(mode="after")
    def _in_order(self) -> BoundsSpec:
        if self.min is None and self.max is None:
            raise scalars.slip("says nothing", "write min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise scalars.slip(f"min {self.min} is above max {self.max}", "raise max or lower min")
        return self


class SurviveSpec(Part):
    """Room for a loss, on top of what the plan asks for."""

    replicas: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="So many replicas may be lost at once.", examples=[1]
    )
    zone_of: Annotated[int, Field(ge=2, le=20)] | None = Field(
        default=None,
        description="One of so many zones may be lost, over which the replicas are spread evenly.",
        examples=[3],
    )

    @model_validator(mode="after")
    def _something(self) -> SurviveSpec:
        if self.replicas is None and self.zone_of is None:
            raise scalars.slip("says nothing", "write replicas: 1, or zoneOf: 3")
        return self


class DecaySpec(Part):
    """How a fallback comes down once every signal is seen again."""

    percent: Annotated[int, Field(ge=1, le=100)] = Field(
        description="So much of what is still kept, each `every`, spread evenly over it.", examples=[10]
    )
    every: scalars.PositiveDuration = Field(description="Time in which that share goes.", examples=["5m"])


class FallbackSpec(Part):
    """What is at least there while demand cannot be seen: the last plan on good data, what signals that are still seen
    ask for, or min: the largest. Until then, and beside it, a workload holds.
    """

    after: scalars.PositiveDuration = Field(
        description="Age of the newest usable sample from which on this counts.", examples=["10m"]
    )
    min: Count | None = Field(default=None, description="At least so many replicas then, within max.", examples=[10])
    decay: DecaySpec | None = Field(
        default=None,
        description="The way back, never in the dark. Default: the workload's own steps and stabilisation.",
        examples=[{"percent": 10, "every": "5m"}],
    )


class OverrideSpec(Part):
    """What a person set by hand, by field manager, instead of what we had written."""

    hold_for: scalars.Duration = Field(
        description='For how long it is left alone, both ways. "0s": not at all. Built in: 30m.', examples=["1h"]
    )


class DefaultsSpec(Saying):
    """Values for workloads that do not say them themselves; the most specific selector wins, field by field."""

    replicas: MinSpec | None = Field(default=None, description="Fewest replicas.", examples=[{"min": 2}])
    headroom: scalars.Headroom | None = Field(
        default=None, description="Capacity on top of the plan.", examples=["20%"]
    )
    risk: scalars.Risk | None = Field(
        default=None, description="Share of time short of capacity that is accepted.", examples=["0.5%"]
    )
    max_data_age: scalars.PositiveDuration | None = Field(
        default=None, description="Age of the newest sample past which the data is stale.", examples=["3m"]
    )
    behavior: BehaviorDefaults | None = Field(
        default=None,
        description="Step limits and stabilisation.",
        examples=[{"scaleDown": {"stabilizationWindowSeconds": 600}}],
    )
    survive_loss_of: SurviveSpec | None = Field(
        default=None, description="Room for a loss.", examples=[{"replicas": 1}, {"zoneOf": 3}]
    )
    fallback: FallbackSpec | None = Field(
        default=None, description="What holds in the dark.", examples=[{"after": "10m", "min": 10}]
    )
    human_override: OverrideSpec | None = Field(
        default=None, description="How long changes by hand stand.", examples=[{"holdFor": "1h"}]
    )
    anomaly: AnomalySpec | None = Field(
        default=None,
        description="What anomalies let a workload do, instead of what is built in.",
        examples=[{"dataFault": {"growth": "ObservedNeed"}}],
    )
    replica_price: scalars.Quantity | None = Field(
        default=None, description="What a replica costs in an hour, for budgets of money.", examples=["0.05"]
    )
    priority: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None,
        description="Who is served first from a budget that does not reach: the higher. Default 100.",
        examples=[500],
    )


class ScheduleSpec(Part):
    """Limits of replicas during a window; min is prepared for by the lead time ahead of it."""

    name: scalars.Label = Field(description="Short name, unique in this policy.", examples=["business-hours"])
    when: WhenSpec = Field(
        description="When it holds.",
        examples=[{"weekly": {"days": ["Mon"], "from": "08:00", "to": "20:00", "timeZone": "Europe/Berlin"}}],
    )
    min: Count | None = Field(
        default=None, description="Fewest replicas; of all that hold at once, the highest.", examples=[8]
    )
    max: Count | None = Field(
        default=None, description="Most replicas; of all that hold at once, the lowest.", examples=[60]
    )

    @model_validator(mode="after")
    def _something(self) -> ScheduleSpec:
        if self.min is None and self.max is None:
            raise scalars.slip("says nothing", "write min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise scalars.slip(f"min {self.min} is above max {self.max}", "raise max or lower min", ("min",))
        return self


class FreezeSpec(Part):
    """No shrink during a window, not even into lowered limits; and only so much growth."""

    name: scalars.Label = Field(description="Short name, unique in this policy.", examples=["quarter-end"])
    when: WhenSpec = Field(
        description="When it holds.",
        examples=[{"once": {"from": "2026-12-20T00:00:00Z", "until": "2027-01-04T00:00:00Z"}}],
    )
    growth: Annotated[Growth, Field(strict=False)] = Field(
        default=Growth.OBSERVED_NEED,
        description="What may still grow: Any; ObservedNeed, up to what is needed now; None, not even that.",
        examples=["ObservedNeed"],
    )
    reason: scalars.OneLine = Field(description="Why; it stands in the record.", examples=["change freeze"])


class EventSpec(Part):
    """Something that history does not know: a floor, a factor on demand, or both; by the lead time ahead, below max."""

    name: scalars.Label = Field(description="Short name, unique in this policy.", examples=["black-friday"])
    when: WhenSpec = Field(
        description="When it happens.",
        examples=[{"once": {"from": "2026-11-27T06:00:00Z", "until": "2026-11-28T02:00:00Z"}}],
    )
    floor: Count | None = Field(
        default=None, description="Replicas that are there at least, within max.", examples=[40]
    )
    uplift: Annotated[float, Field(gt=1, le=100, allow_inf_nan=False)] | None = Field(
        default=None,
        description="Demand expected as a multiple of the forecast, or, without one, of what is observed; the highest.",
        examples=[1.5],
    )

    @model_validator(mode="after")
    def _something(self) -> EventSpec:
        if self.floor is None and self.uplift is None:
            raise scalars.slip("says nothing", "write floor, uplift or both")
        return self


Schedule = Annotated[tuple[ScheduleSpec, ...], Field(strict=False, min_length=1, max_length=50)]
Freezes = Annotated[tuple[FreezeSpec, ...], Field(strict=False, min_length=1, max_length=50)]
Events = Annotated[tuple[EventSpec, ...], Field(strict=False, min_length=1, max_length=200)]


class LimitsSpec(Saying):
    """What binds every selected workload; of all policies that fit the strictest counts, field by field."""

    replicas: BoundsSpec | None = Field(
        default=None, description="Fewest and most replicas.", examples=[{"min": 2, "max": 40}]
    )
    headroom: scalars.Headroom | None = Field(default=None, description="At least so much headroom.", examples=["10%"])
    risk: scalars.Risk | None = Field(default=None, description="At most so much accepted shortage.", examples=["1%"])
    max_data_age: scalars.PositiveDuration | None = Field(
        default=None, description="Data is stale from this age on, or earlier.", examples=["5m"]
    )
    behavior: BehaviorLimits | None = Field(
        default=None,
        description="Step limits and stabilisation.",
        examples=[{"scaleDown": {"stabilizationWindowSeconds": 600}}],
    )
    forecast_trust: TrustSpec | None = Field(
        default=None,
        description="How far a forecast is believed, field by field the least.",
        examples=[{"maxOverObserved": 4}],
    )
    brake: BrakeSpec | None = Field(
        default=None,
        description="How many of the selected workloads may shrink, or grow, at once. Of several brakes each binds.",
        examples=[{"shrink": "30%"}],
    )
    budget: BudgetSpec | None = Field(
        default=None,
        description="What the selected workloads may have together. Of several budgets each binds.",
        examples=[{"replicas": 400}],
    )
    conditions: Conditions | None = Field(
        default=None,
        description="Conditions in CEL that allow, hold, cap or floor.",
        examples=[
            [
                {
                    "name": "unforeseen",
                    "expression": 'observed["requests"] > 1.5 * p95["requests"]',
                    "then": "Hold",
                    "message": "more than was foreseen",
                },
            ],
        ],
    )
    anomaly: AnomalySpec | None = Field(
        default=None,
        description="What anomalies let a workload do: the least growth counts, no shrink wins, each cap binds.",
        examples=[{"suspectedAttack": {"cap": {"over": "50%"}}}],
    )
    schedule: Schedule | None = Field(
        default=None,
        description="Limits of replicas by calendar window.",
        examples=[
            [
                {
                    "name": "business-hours",
                    "min": 8,
                    "when": {"weekly": {"days": ["Mon"], "from": "08:00", "to": "20:00", "timeZone": "Europe/Berlin"}},
                },
            ],
        ],
    )
    freezes: Freezes | None = Field(
        default=None,
        description="Windows without change.",
        examples=[
            [
                {
                    "name": "quarter-end",
                    "reason": "change freeze",
                    "when": {"once": {"from": "2026-12-20T00:00:00Z", "until": "2027-01-04T00:00:00Z"}},
                },
            ],
        ],
    )
    events: Events | None = Field(
        default=None,
        description="Events that history does not know.",
        examples=[
            [
                {
                    "name": "black-friday",
                    "floor": 40,
                    "when": {"once": {"from": "2026-11-27T06:00:00Z", "until": "2026-11-28T02:00:00Z"}},
                },
            ],
        ],
    )

    @model_validator(mode="after")
    def _distinct_names(self) -> LimitsSpec:
        seen: set[str] = set()
        windows = {
            "conditions": self.conditions, "schedule": self.schedule, "freezes": self.freezes, "events": self.events,
        }  # fmt: skip
        for field, rules in windows.items():
            for index, name in enumerate(rule.name for rule in rules or ()):
                if name in seen:
                    message = "another rule of this policy has the same name"
                    raise scalars.slip(message, "give each its own", (field, index, "name"))
                seen.add(name)
        return self
