"""Which rules stand behind what a guard did: from the fields that were in force to the guards that enforce them."""

from __future__ import annotations

from autoscaler.domain.anomaly import CAUSES
from autoscaler.domain.decision import Decision, GuardEffect
from autoscaler.domain.notes import Condition

_FIELDS: dict[str, tuple[str, ...]] = {
    "pause": ("pause",),
    "override": ("humanOverride",),
    "limits-clash": ("clash",),
    "policy-known": ("unknown",),
    "freshness": ("maxDataAge",),
    "fallback": ("fallback",),
    "fallback-decay": ("fallback",),
    "change-freeze": ("freeze",),
    "stabilization": ("scaleUp.stabilizationWindowSeconds", "scaleDown.stabilizationWindowSeconds"),
    "step-up": ("scaleUp.policies", "scaleUp.selectPolicy", "scaleUp.limit"),
    "step-down": ("scaleDown.policies", "scaleDown.selectPolicy", "scaleDown.limit"),
    "forecast-trust": ("forecastTrust.maxMargin", "forecastTrust.maxQuantileRatio", "forecastTrust.maxOverObserved"),
    "tolerance": ("scaleUp.tolerance", "scaleDown.tolerance"),
    "fleet-brake": ("brake",),
    "growth-brake": ("growthBrake",),
    "condition": ("condition",),
    "condition-known": ("condition",),
    "anomaly": ("anomaly",),
    "budget": ("budget",),
    "min-max": ("min", "max"),
}


def rules_behind(decision: Decision, effect: GuardEffect) -> tuple[str, ...]:
    """The rules of the fields that an acting guard enforces; none in a record of before, or where no policy speaks."""
    fields = _FIELDS.get(effect.guard, ())
    if not effect.acted or not fields:
        return ()
    if effect.guard == "min-max":
        fields = ("min",) if effect.after > effect.before else ("max",)
    elif effect.guard == "stabilization":
        fields = fields[1:] if effect.after > effect.before else fields[:1]
    if effect.guard.startswith("condition"):  # only those that spoke
        said = [n.words for n in decision.notes if n.condition is Condition.POLICY_CONDITION]
        return tuple(r for f, r in decision.rules if f == "condition" and any(w.endswith(f"({r})") for w in said))
    if effect.guard == "anomaly":  # only of what is abnormal
        bits = int(decision.inputs.get("anomaly_causes", 0))
        active = {f"anomaly.{c[0].lower()}{c[1:]}" for c in CAUSES if bits & c.bit}
        return tuple(rule for field, rule in decision.rules if field.rpartition(".")[0] in active)
    return tuple(rule for field, rule in decision.rules if field.partition("[")[0] in fields)
