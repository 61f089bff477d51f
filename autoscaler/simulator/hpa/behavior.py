"""From a proposal to what is granted: stabilise, then rate policies, then min and max. Knows nothing of metrics.

Source: `stabilizeRecommendationWithBehaviors`, `convertDesiredReplicasWithBehaviorRate`,
`calculateScaleUpLimitWithScalingRules`, `calculateScaleDownLimitWithBehaviors`, `storeScaleEvent`, and for an HPA
without `behavior` `normalizeDesiredReplicas`, in horizontal.go; Kubernetes 1.36. The percent formulas are upstream's
floats, bit for bit: +10 % of 100 allows 111, because 100 × 1.1 is a hair above 110.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

from autoscaler.domain.workload import PolicyType, ScalingRule, SelectPolicy, StepPolicy
from autoscaler.simulator.hpa.quantities import INT32_MAX, saturated

DOWNSCALE_STABILIZATION_S: Final = 300
LEGACY_UP_FACTOR: Final = 2
LEGACY_UP_LEAST: Final = 4


DEFAULT_SCALE_UP: Final = ScalingRule(0, (StepPolicy(PolicyType.PODS, 4, 15), StepPolicy(PolicyType.PERCENT, 100, 15)))
DEFAULT_SCALE_DOWN: Final = ScalingRule(DOWNSCALE_STABILIZATION_S, (StepPolicy(PolicyType.PERCENT, 100, 15),))


@dataclass(frozen=True, slots=True)
class Behavior:
    """`spec.behavior`, with upstream's defaults for what is not given."""

    scale_up: ScalingRule = DEFAULT_SCALE_UP
    scale_down: ScalingRule = DEFAULT_SCALE_DOWN

    def __post_init__(self) -> None:
        for rule in (self.scale_up, self.scale_down):
            if not 0 <= rule.stabilization_s <= 3600:
                raise ValueError(f"a stabilisation window lasts 0 to 3600 s, not {rule.stabilization_s}")


DEFAULT_BEHAVIOR = Behavior()


@dataclass(frozen=True, slots=True)
class HpaSpec:
    """Limits and behavior. behavior None = the field is absent, which is not the same as its defaults:
    upstream then lets a sync grow to max(2 × current, 4) and remembers no scale events.
    """

    min_replicas: int = 1
    max_replicas: int = 10
    behavior: Behavior | None = DEFAULT_BEHAVIOR

    def __post_init__(self) -> None:
        if not (0 <= self.min_replicas <= self.max_replicas and self.max_replicas >= 1):
            raise ValueError(f"need 0 ≤ min ≤ max and max ≥ 1, not {self.min_replicas} and {self.max_replicas}")


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What metrics alone asked for at a time, before any stabilisation or limit."""

    at_s: float
    replicas: int


@dataclass(frozen=True, slots=True)
class ScaleEvent:
    """A change the HPA made: always positive, the list it stands in gives the direction."""

    at_s: float
    change: int


@dataclass(frozen=True, slots=True)
class HpaState:
    """What the controller remembers of one HPA between syncs. It is lost when the controller restarts."""

    recommendations: tuple[Recommendation, ...] = ()
    scale_ups: tuple[ScaleEvent, ...] = ()
    scale_downs: tuple[ScaleEvent, ...] = ()

    def begun(self, now_s: float, current: int) -> "HpaState":
        """The first sync records the count it finds, so that a fresh HPA does not scale down at once."""
        return self if self.recommendations else replace(self, recommendations=(Recommendation(now_s, current),))

    def recommended(self, behavior: Behavior | None, now_s: float, replicas: int) -> "HpaState":
        """Remember what metrics asked for; forget what no window reaches any more."""
        kept = tuple(r for r in self.recommendations if r.at_s >= now_s - longest_window_s(behavior))
        return replace(self, recommendations=(*kept, Recommendation(now_s, replicas)))

    def scaled(self, behavior: Behavior | None, now_s: float, before: int, after: int) -> "HpaState":
        """Remember a change, for rate policies. Without `behavior` upstream remembers none."""
        if behavior is None or after == before:
            return self
        if after > before:
            ups = _with_event(self.scale_ups, ScaleEvent(now_s, after - before), behavior.scale_up)
            return replace(self, scale_ups=ups)
        downs = _with_event(self.scale_downs, ScaleEvent(now_s, before - after), behavior.scale_down)
        return replace(self, scale_downs=downs)


def granted_replicas(spec: HpaSpec, state: HpaState, now_s: float, current: int, wanted: int) -> int:
    """Stabilise, apply the rate policies, clamp. Needs min ≤ current ≤ max; the result lies there too."""
    behavior, least, most = spec.behavior, spec.min_replicas, spec.max_replicas
    if behavior is None:
        stable = max([wanted, *(r.replicas for r in state.recommendations if _within_legacy(r, now_s))])
        ceiling = max(LEGACY_UP_FACTOR * current, LEGACY_UP_LEAST)
        return max(least, min(stable, ceiling, most))
    stable = stabilized(behavior, state, now_s, current, wanted)
    if stable > current:
        ceiling = max(up_limit(behavior.scale_up, state, now_s, current), current)
        return min(stable, ceiling, most)
    if stable < current:
        floor = min(down_limit(behavior.scale_down, state, now_s, current), current)
        return max(stable, floor, least)
    return current


def stabilized(behavior: Behavior, state: HpaState, now_s: float, current: int, wanted: int) -> int:
    """Current, moved no further than both windows agree to.

    Going up, to the lowest recommendation of the up window; going down, to the highest of the down window; the new
    one belongs to both. A recommendation as old as the window is out of it.
    """
    up = down = wanted
    for past in state.recommendations:
        if past.at_s > now_s - behavior.scale_up.stabilization_s:
            up = min(up, past.replicas)
        if past.at_s > now_s - behavior.scale_down.stabilization_s:
            down = max(down, past.replicas)
    return min(max(current, up), down)


def up_limit(rule: ScalingRule, state: HpaState, now_s: float, current: int) -> int:
    """Most replicas the rule allows now; `current` when disabled, int32 max without policies."""
    if rule.select is SelectPolicy.DISABLED:
        return current
    if not rule.policies:
        return INT32_MAX
    allowed = [_raised(policy, period_start(policy, state, now_s, current)) for policy in rule.policies]
    return min(allowed) if rule.select is SelectPolicy.MIN else max(allowed)


def down_limit(rule: ScalingRule, state: HpaState, now_s: float, current: int) -> int:
    """Fewest replicas the rule allows now; `current` when disabled, 0 without policies.

    `Min` means the least change, hence the highest floor.
    """
    if rule.select is SelectPolicy.DISABLED:
        return current
    if not rule.policies:
        return 0
    allowed = [_lowered(policy, period_start(policy, state, now_s, current)) for policy in rule.policies]
    return max(allowed) if rule.select is SelectPolicy.MIN else min(allowed)


def period_start(policy: StepPolicy, state: HpaState, now_s: float, current: int) -> int:
    """The count when the policy's period began: current, with the HPA's own changes in the period undone."""
    cutoff_s = now_s - policy.period_s
    added = sum(event.change for event in state.scale_ups if event.at_s > cutoff_s)
    removed = sum(event.change for event in state.scale_downs if event.at_s > cutoff_s)
    return current - added + removed


def longest_period_s(rule: ScalingRule) -> int:
    return max((policy.period_s for policy in rule.policies), default=0)


def longest_window_s(behavior: Behavior | None) -> int:
    if behavior is None:
        return DOWNSCALE_STABILIZATION_S
    return max(behavior.scale_up.stabilization_s, behavior.scale_down.stabilization_s)


def _raised(policy: StepPolicy, start: int) -> int:
    if policy.type is PolicyType.PODS:
        return saturated(start + policy.value)
    return saturated(math.ceil(start * (1 + policy.value / 100)))


def _lowered(policy: StepPolicy, start: int) -> int:
    """A percent keeps the truncated rest, so the removal rounds up: 72 at 10 % keeps 64 and removes 8."""
    if policy.type is PolicyType.PODS:
        return saturated(start - policy.value)
    return saturated(math.trunc(start * (1 - policy.value / 100)))


def _within_legacy(past: Recommendation, now_s: float) -> bool:
    return past.at_s >= now_s - DOWNSCALE_STABILIZATION_S


def _with_event(events: tuple[ScaleEvent, ...], new: ScaleEvent, rule: ScalingRule) -> tuple[ScaleEvent, ...]:
    """Upstream's reuse of slots: the last event past the rule's own longest period gives way, others stay.

    It shows when the other direction has the longer period: an event it still counts may be gone.
    """
    cutoff_s = new.at_s - longest_period_s(rule)
    stale = [i for i, event in enumerate(events) if event.at_s < cutoff_s]
    if not stale:
        return (*events, new)
    return (*events[: stale[-1]], new, *events[stale[-1] + 1 :])
