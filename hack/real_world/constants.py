"""What a comparison runs with, in seconds of the demand's own time, and what that is on the real cluster's clock.

The real HPA knows whole seconds only, so a time scale is proportionate when it divides every one of them: at the
defaults of Kubernetes (sync and policies 15 s, stabilization 300 s) that is 15 at most.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from autoscaler.domain.workload import PolicyType, ScalingRule, StepPolicy
from autoscaler.simulator.hpa.behavior import Behavior

STEP_S = 60
MOST_SPEED = 15


@dataclass(frozen=True, slots=True)
class Constants:
    """ready_s: from its placing until a pod is Ready."""

    speed: int = MOST_SPEED
    tick_s: int = 15
    ready_s: int = 180
    sync_s: int = 15
    policy_s: int = 15
    stabilization_s: int = 300
    minimum: int = 2
    maximum: int = 200
    risk: str = "0.5%"

    def __post_init__(self) -> None:
        for name in ("tick_s", "ready_s", "sync_s", "policy_s", "stabilization_s"):
            if getattr(self, name) % self.speed:
                raise ValueError(f"{name} {getattr(self, name)} is no whole number of seconds at {self.speed}x")

    def real(self, seconds: float) -> float:
        """Seconds of the cluster's clock."""
        return seconds / self.speed

    @property
    def behavior(self) -> Behavior:
        """The HPA's default behavior, in the demand's time, for the twin."""
        up = (StepPolicy(PolicyType.PERCENT, 100, self.policy_s), StepPolicy(PolicyType.PODS, 4, self.policy_s))
        down = (StepPolicy(PolicyType.PERCENT, 100, self.policy_s),)
        return Behavior(ScalingRule(0, up), ScalingRule(self.stabilization_s, down))

    @property
    def real_behavior(self) -> dict[str, Any]:
        """The same on the cluster's clock, as an HPA's document has it."""
        period = round(self.real(self.policy_s))
        percent = {"type": "Percent", "value": 100, "periodSeconds": period}
        return {
            "scaleUp": {
                "stabilizationWindowSeconds": 0,
                "policies": [percent, {"type": "Pods", "value": 4, "periodSeconds": period}],
            },
            "scaleDown": {
                "stabilizationWindowSeconds": round(self.real(self.stabilization_s)),
                "policies": [percent],
            },
        }

    @property
    def told(self) -> dict[str, Any]:
        """For a report: each constant in the demand's time."""
        return asdict(self)
