"""Limits that are allowed and rarely meant: each with what may come of it. Said at the rule that set the value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic.alias_generators import to_snake

from autoscaler.domain.anomaly import CAUSES, Cause
from autoscaler.domain.anomaly_rules import BY_DEFAULT
from autoscaler.domain.policy import NO_TRUST, UNGUARDED, Growth, Origin
from autoscaler.domain.workload import PolicyType, ScalingRule, SelectPolicy, Workload
from autoscaler.reporting.lint import Level, LintFinding, at_origin
from autoscaler.spec.policy_anomaly import field_of
from autoscaler.spec.policy_match import PlacedPolicy
from autoscaler.spec.scalars import duration_s

OLD_DATA_S = 900.0
"""A forecast over a lead of minutes says little about a quarter of an hour ago."""
YOUNG_DATA_S = 60.0
"""Scrapes come every 15 s to a minute, and a rate looks back over several."""
WIDE = 100
"""Max over min from which on one wrong number can buy a hundredfold."""

OVERRIDE_LEAST_S, OVERRIDE_MOST_S = 300.0, 4 * 3600.0
LOOSE = {
    (Cause.CAPACITY, "shrink"): "it may shrink while its replicas serve less: those that are left serve even less",
    (Cause.LATENCY_ERRORS, "shrink"): (
        "it may shrink while it fails: load that falls because users give up looks like calm"
    ),
    (Cause.DATA_FAULT, "growth"): "it may grow by a forecast from data that is at fault",
    (Cause.DATA_FAULT, "shrink"): "it may shrink on data that is at fault",
    (Cause.SENSOR_LOSS, "growth"): "it may grow by a forecast from a sensor that is lost",
    (Cause.SENSOR_LOSS, "shrink"): "it may shrink on a sensor that is lost",
    (Cause.SUSPECTED_ATTACK, "growth"): "a suspected attack may buy whatever the forecast that it feeds asks for",
}


class _Risk(NamedTuple):
    origin: Origin
    message: str
    remedy: str


def risky_findings(loads: Mapping[str, Workload]) -> Iterator[LintFinding]:
    """What policies make of workloads. What a workload says of itself alone is its owner's business."""
    found: dict[_Risk, list[str]] = defaultdict(list)
    for name, load in loads.items():
        for risk in _risks(load):
            if risk.origin.owner.startswith("GuardPolicy "):
                found[risk].append(name)
    for risk, names in found.items():
        some = ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield at_origin(Level.WARNING, "risky", risk.origin, f"{some}: {risk.message}", risk.remedy)


def lone_findings(policy: PlacedPolicy) -> Iterator[LintFinding]:
    """What a policy's own text shows, whoever it selects."""
    yield from _anomaly_findings(policy)
    defaults = policy.model.spec.defaults
    override = None if defaults is None else defaults.human_override
    if override is not None and not OVERRIDE_LEAST_S <= duration_s(override.hold_for) <= OVERRIDE_MOST_S:
        short = duration_s(override.hold_for) < OVERRIDE_LEAST_S
        words = (
            "what somebody sets by hand in an incident is undone before it has helped"
            if short else "what somebody once set by hand stands for longer than anybody remembers it"
        )  # fmt: skip
        remedy = "write 15m or more" if short else "write 4h or less; for longer there is pause, with an owner"
        yield at_origin(Level.WARNING, "risky", policy.origin("defaults", "humanOverride"), words, remedy)
    brake = policy.limits.brake
    for name in ("shrink", "grow"):
        if brake is not None and getattr(brake, name) == "100%":
            origin = policy.origin("limits", "brake", name)
            yield at_origin(Level.WARNING, "idle", origin, "a brake of 100% lets all move at once", "lower it")
    behavior = policy.limits.behavior
    rule = None if behavior is None else behavior.scale_down
    if rule is not None and rule.policies and all(p.type == "Percent" and p.value >= 100 for p in rule.policies):
        origin = policy.origin("limits", "behavior", "scaleDown", "policies")
        words = "a limit of 100 percent a step lets everything go at once"
        yield at_origin(Level.WARNING, "idle", origin, words, "lower it, or remove it")


def _anomaly_findings(policy: PlacedPolicy) -> Iterator[LintFinding]:
    """Rules about anomalies that loosen what is built in for a reason, or nothing, as limits only tighten."""
    for part in ("defaults", "limits"):
        said = getattr(policy.model.spec, part)
        spec = None if said is None else said.anomaly
        for cause in CAUSES if spec is not None else ():
            name = field_of(cause)
            rule = getattr(spec, to_snake(name))
            built_in = BY_DEFAULT[cause]
            for field, loose in (("growth", Growth.ANY), ("shrink", True)):
                value = None if rule is None else getattr(rule, field)
                if value != loose:
                    continue
                origin = policy.origin(part, "anomaly", name, field)
                if part == "limits":
                    words = f"{field} {_said(value)} limits nothing: of several rules the strictest counts"
                    yield at_origin(Level.WARNING, "idle", origin, words, "write it in defaults, or remove it")
                elif (cause, field) in LOOSE and getattr(built_in, field) != value:
                    yield at_origin(Level.WARNING, "risky", origin, LOOSE[cause, field], "remove it, if in doubt")


def _said(value: object) -> str:
    return "true" if value is True else str(value)


def _risks(load: Workload) -> Iterator[_Risk]:
    guarded = load.guarded or UNGUARDED
    base = dict(guarded.origins)
    aged = base.get("maxDataAge")
    if aged is not None and load.max_data_age_s > OLD_DATA_S:
        words = f"data up to {load.max_data_age_s:g} s old counts as fresh: replicas may go on what was long ago"
        yield _Risk(aged, words, "write 15m or less; a source that is late anyway is learned as lead time")
    if aged is not None and load.max_data_age_s < YOUNG_DATA_S:
        words = f"data older than {load.max_data_age_s:g} s is stale: between two scrapes it holds, and nothing shrinks"
        yield _Risk(aged, words, "write 2m or more")
    fallback = guarded.fallback
    if fallback is not None and fallback.after_s < load.max_data_age_s:
        words = (
            f"the fallback begins after {fallback.after_s:g} s, before data of {load.max_data_age_s:g} s is stale: "
            "one late scrape brings it"
        )
        yield _Risk(fallback.origin, words, "let `after` be longer than maxDataAge")
    capped = guarded.down_cap.select is SelectPolicy.DISABLED or bool(guarded.down_cap.policies)
    steps = base.get("scaleDown.policies")
    if steps is not None and not capped and _all_at_once(load.scale_down):
        words = "everything above min may go in one step: a wrong number is carried out before anybody looks"
        yield _Risk(steps, words, "write a smaller percentage or a longer period, or a second policy with Min")
    calm = base.get("scaleDown.stabilizationWindowSeconds")
    if calm is not None and load.scale_down.stabilization_s == 0:
        words = "without stabilisation downward one low value takes replicas away that the next one asks for again"
        yield _Risk(calm, words, "write 300, an HPA's default, or more")
    wide = base.get("max")
    unbounded = not guarded.budgets and (guarded.trust or NO_TRUST).over == NO_TRUST.over
    if wide is not None and unbounded and load.max_replicas >= WIDE * load.min_replicas:
        words = (
            f"max {load.max_replicas} is {load.max_replicas // load.min_replicas} times min "
            f"{load.min_replicas}, and nothing else bounds what a wrong forecast may ask for"
        )
        yield _Risk(wide, words, "lower max, or add a budget or forecastTrust.maxOverObserved")
    for pause in guarded.pauses:
        if pause.level is not None and not load.min_replicas <= pause.level <= load.max_replicas:
            words = f"a pause at {pause.level} is outside of {load.min_replicas} to {load.max_replicas}, which win"
            yield _Risk(pause.origin, words, "write a number inside")


def _all_at_once(rule: ScalingRule) -> bool:
    """Whether the rule that counts lets a workload go to its min within one minute."""
    if rule.select is SelectPolicy.DISABLED:
        return False
    free = [p.type is PolicyType.PERCENT and p.value >= 100 and p.period_s <= 60 for p in rule.policies]
    return not free or (all(free) if rule.select is SelectPolicy.MIN else any(free))
