"""The settings of a workload in plain words, field by field: for explanations and for the difference of two sets."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.domain.policy import UNGUARDED
from autoscaler.domain.workload import Pause, PolicyType, ScalingRule, SelectPolicy, Workload


def limit_words(load: Workload) -> Iterator[tuple[str, str]]:
    """(field, words) of everything beside min and max that policies may set and a workload always has."""
    guarded = load.guarded or UNGUARDED
    yield "headroom", f"{(load.headroom - 1) * 100:g} %"
    yield "risk", f"{load.risk * 100:g} %"
    yield "maxDataAge", f"{load.max_data_age_s:g} s"
    for name, rule, cap in (
        ("scaleUp", load.scale_up, guarded.up_cap),
        ("scaleDown", load.scale_down, guarded.down_cap),
    ):
        yield f"{name}.stabilizationWindowSeconds", f"{rule.stabilization_s} s"
        yield f"{name}.policies", _steps(rule)
        if rule.select is not SelectPolicy.MAX:
            yield f"{name}.selectPolicy", rule.select.value
        if cap.policies or cap.select is SelectPolicy.DISABLED:
            yield f"{name}.limit", "forbidden" if cap.select is SelectPolicy.DISABLED else f"at most {_steps(cap)}"


def _steps(rule: ScalingRule) -> str:
    if not rule.policies:
        return "no step limit"
    unit = {PolicyType.PODS: "pods", PolicyType.PERCENT: "%"}
    return ", ".join(f"{p.value} {unit[p.type]} per {p.period_s} s" for p in rule.policies)


def pause_words(pause: Pause) -> str:
    """What is stopped, by whom, until when and why."""
    return f"{pause.direction} until {pause.until:%Y-%m-%dT%H:%M:%SZ} by {pause.owner}: {pause.reason}"
