"""`GuardPolicy`: what SREs write down about many workloads at once. Cluster-scoped; files and cluster share it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from autoscaler.domain.policy import Growth
from autoscaler.spec import scalars
from autoscaler.spec.behavior import Part
from autoscaler.spec.metadata import API_VERSION, ClusterMetadata
from autoscaler.spec.policy_pause import PolicyPauseSpec
from autoscaler.spec.policy_rules import DefaultsSpec, LimitsSpec
from autoscaler.spec.selector import SelectorSpec

Risky = Literal["MayCauseShortage", "SelectsAll", "LargeChange", "OpenEnded"]
Acknowledgements = Annotated[tuple[Risky, ...], Field(strict=False, max_length=8)]


class GuardPolicySpec(Part):
    selector: SelectorSpec = Field(
        description="Which workloads; {} selects all.", examples=[{"namespaces": ["shop"]}, {"names": ["shop/web"]}]
    )
    defaults: DefaultsSpec | None = Field(
        default=None,
        description="For workloads that do not say it themselves; the most specific selector wins, field by field.",
        examples=[{"headroom": "20%"}],
    )
    limits: LimitsSpec | None = Field(
        default=None,
        description="Binding for all; of several the strictest counts, field by field.",
        examples=[{"replicas": {"max": 40}}],
    )
    pause: PolicyPauseSpec | None = Field(
        default=None,
        description="Stops moves of all that are selected until a given time. Pauses of several policies add up.",
        examples=[{"owner": "mia@example.com", "reason": "load test", "until": "2026-03-01T06:00:00Z"}],
    )
    acknowledge: Acknowledgements = Field(
        default=(),
        description=(
            "What is accepted knowingly: MayCauseShortage, for a freeze with growth None and for limits that say "
            "mayCauseShortage; SelectsAll, for a pause or a max over every workload; OpenEnded, for a pause without "
            "an end; LargeChange, for what `policy diff --fail-on risky` would stop."
        ),
        examples=[["MayCauseShortage"]],
    )

    @model_validator(mode="after")
    def _something_and_knowingly(self) -> GuardPolicySpec:
        if self.defaults is None and self.limits is None and self.pause is None:
            message = "says nothing: there are no defaults, limits or pause"
            raise scalars.slip(message, "write one of them, or delete the policy")
        if "MayCauseShortage" not in self.acknowledge:
            for message, where in self._shortages():
                remedy = "write acknowledge: [MayCauseShortage]"
                remedy += ", or growth: ObservedNeed" if where[-1] == "growth" else ""
                raise scalars.slip(message, remedy, where)
        if self.pause is not None and self.pause.until is None and "OpenEnded" not in self.acknowledge:
            message = "a pause without an end is easily forgotten"
            raise scalars.slip(message, "write until, or openEnded: true and acknowledge: [OpenEnded]", ("pause",))
        if self._binds_all() and "SelectsAll" not in self.acknowledge:
            what, at = ("a pause", "pause") if self.pause is not None else ("a max", "limits")
            message = f"{what} over every workload is easily written by mistake"
            raise scalars.slip(message, "write acknowledge: [SelectsAll], or a narrower selector", (at,))
        return self

    def _binds_all(self) -> bool:
        """Whether it pauses or caps every workload."""
        bounds = None if self.limits is None else self.limits.replicas
        capped = bounds is not None and bounds.max is not None
        return self.selector.selects_all and (self.pause is not None or capped)

    @property
    def idle_words(self) -> tuple[str, ...]:
        """What `acknowledge` says of nothing that is written; LargeChange is about an edit, not about what is there."""
        needed = {
            "MayCauseShortage": any(True for _ in self._shortages()),
            "OpenEnded": self.pause is not None and self.pause.until is None,
            "SelectsAll": self._binds_all(),
        }
        return tuple(word for word in self.acknowledge if not needed.get(word, True))

    def _shortages(self) -> Iterator[tuple[str, tuple[str | int, ...]]]:
        """What may leave workloads short of what they need now, each with its place."""
        limits = self.limits
        for part, rules in (("defaults", self.defaults), ("limits", limits)):
            for place in () if rules is None or rules.anomaly is None else rules.anomaly.shortages():
                message = "an anomaly that may stop growth below what is needed now leaves workloads short"
                yield message, (part, "anomaly", *place)
        if limits is None:
            return
        for index, freeze in enumerate(limits.freezes or ()):
            if freeze.growth is Growth.NONE:
                yield "growth None leaves a workload short of what it needs now", ("limits", "freezes", index, "growth")
        for name, rule in (("budget", limits.budget), ("brake", limits.brake)):
            if rule is not None and rule.may_cause_shortage:
                yield f"a {name} that may cut below what is needed now leaves workloads short", ("limits", name)
        for index, condition in enumerate(limits.conditions or ()):
            if condition.may_cause_shortage:
                message = "a cap that may cut below what is needed now leaves workloads short"
                yield message, ("limits", "conditions", index, "mayCauseShortage")
        up = None if limits.behavior is None else limits.behavior.scale_up
        if up is not None and up.may_cause_shortage:
            message = "step limits that may hold growth below what is needed now leave workloads short"
            yield message, ("limits", "behavior", "scaleUp", "mayCauseShortage")


class GuardPolicy(Part):
    """Guards over many workloads: proposals, limits and stops. Cluster-scoped."""

    api_version: Literal["foresail.dev/v1alpha1"] = Field(description="API group and version.", examples=[API_VERSION])
    kind: Literal["GuardPolicy"] = Field(description="This kind.", examples=["GuardPolicy"])
    metadata: ClusterMetadata = Field(description="Name; there is no namespace.", examples=[{"name": "web-tier"}])
    spec: GuardPolicySpec = Field(
        description="Whom it is about, and what it says.",
        examples=[{"selector": {"namespaces": ["shop"]}, "limits": {"replicas": {"max": 40}}}],
    )
