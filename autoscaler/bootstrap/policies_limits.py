"""The settings of a workload in plain words, field by field: for explanations and for the difference of two sets."""

from __future__ import annotations

import math
from collections.abc import Iterator

from autoscaler.domain.anomaly_rules import AnomalyRule, GrowthCap
from autoscaler.domain.conditions import PolicyCondition, Then
from autoscaler.domain.policy import NEVER, NO_TRUST, UNGUARDED, Brake, Budget, Fallback, PolicyPause, Survive
from autoscaler.domain.workload import Pause, PolicyType, ScalingRule, SelectPolicy, Workload


def limit_words(load: Workload) -> Iterator[tuple[str, str]]:
    """(field, words) of everything beside min and max that policies may set and a workload always has."""
    guarded = load.guarded or UNGUARDED
    yield "headroom", f"{(load.headroom - 1) * 100:g} %"
    yield "risk", f"{load.risk * 100:g} %"
    yield "maxDataAge", f"{load.max_data_age_s:g} s"
    trust = guarded.trust or NO_TRUST
    told = (("maxMargin", trust.margin), ("maxQuantileRatio", trust.ratio), ("maxOverObserved", trust.over))
    yield from ((f"forecastTrust.{name}", f"{value:g} times") for name, value in told if value < math.inf)
    for cause, rule_of in guarded.anomaly:
        yield f"anomaly.{cause[0].lower()}{cause[1:]}", anomaly_words(rule_of)
    if guarded.replica_price is not None:
        yield "replicaPrice", f"{guarded.replica_price:g}"
    for name, rule, cap in (
        ("scaleUp", load.scale_up, guarded.up_cap),
        ("scaleDown", load.scale_down, guarded.down_cap),
    ):
        yield f"{name}.stabilizationWindowSeconds", f"{rule.stabilization_s} s"
        yield f"{name}.policies", _steps(rule)
        if rule.tolerance:
            yield f"{name}.tolerance", f"{rule.tolerance * 100:g} %"
        if rule.select is not SelectPolicy.MAX:
            yield f"{name}.selectPolicy", rule.select.value
        if cap.policies or cap.select is SelectPolicy.DISABLED:
            short = name == "scaleUp" and guarded.up_short != ScalingRule()
            words = "forbidden" if cap.select is SelectPolicy.DISABLED else f"at most {_steps(cap)}"
            yield f"{name}.limit", words + (", even below what is needed now" if short else "")


def _steps(rule: ScalingRule) -> str:
    if not rule.policies:
        return "no step limit"
    unit = {PolicyType.PODS: "pods", PolicyType.PERCENT: "%"}
    return ", ".join(f"{p.value} {unit[p.type]} per {p.period_s} s" for p in rule.policies)


def survive_words(survive: Survive) -> str:
    """What may be lost."""
    many = "replica" if survive.replicas == 1 else "replicas"
    room = [f"{survive.replicas} {many}"] * bool(survive.replicas)
    return " and ".join([*room, *[f"one of {survive.zones} zones"] * bool(survive.zones)])


def level_words(pause: PolicyPause) -> str:
    """A policy's pause, with the number at which the workload stays."""
    return pause_words(pause.pause) + ("" if pause.level is None else f"; at {pause.level} replicas")


def brake_words(brake: Brake) -> str:
    """Share and direction."""
    short = ", even for what is needed now" if brake.short else ""
    move = "grow" if brake.grow else "shrink"
    return f"at most {brake.share * 100:g} % of the policy's workloads {move} in a tick{short}"


def condition_words(condition: PolicyCondition) -> str:
    """What follows, and from what."""
    count = f" {condition.replicas}" if condition.replicas else ""
    when = "unless" if condition.then is Then.ALLOW else "while"
    does = {Then.ALLOW: "no shrink", Then.HOLD: "no shrink"}.get(condition.then, condition.then.lower() + count)
    short = ", even below what is needed now" if condition.short else ""
    return f"{does}{short} {when} {condition.program.text} ({condition.message})"


def fallback_words(fallback: Fallback) -> str:
    """What is there in the dark, and the way back."""
    least = f", at least {fallback.least}," if fallback.least else ""
    back = f"; then {fallback.decay * 100:g} % less each {fallback.decay_s:g} s" if fallback.decay else ""
    return f"the last plan on good data{least} after {fallback.after_s:g} s in the dark{back}"


def anomaly_words(rule: AnomalyRule) -> str:
    """What it lets a workload do."""
    growth = "growth by the forecast from before alone" if rule.foreseen else f"growth {rule.growth}"
    parts = [growth, "shrinks" if rule.shrink else "does not shrink", *map(_cap_words, rule.caps)]
    return ", ".join(parts)


def _cap_words(cap: GrowthCap) -> str:
    ends = [] if cap.over == math.inf else [f"{cap.over * 100:g} % above what ran when it began"]
    ends += [] if cap.most == GrowthCap().most else [f"{cap.most} replicas"]
    return f"at most {' and '.join(ends)}" + (", even below what is needed now" if cap.short else "")


def budget_words(budget: Budget) -> str:
    """How much, together with whom."""
    short = ", even below what is needed now" if budget.short else ""
    amounts = [] if budget.replicas is None else [f"{budget.replicas} replicas"]
    if budget.money is not None:
        amounts.append(f"{budget.money:g} an hour at {budget.price:g} a replica")
    return f"{' and '.join(amounts)} with the policy's other workloads{short}"


def pause_words(pause: Pause) -> str:
    """What is stopped, by whom, until when and why."""
    end = "with no end" if pause.until == NEVER else f"until {pause.until:%Y-%m-%dT%H:%M:%SZ}"
    return f"{pause.direction} {end} by {pause.owner}: {pause.reason}"
