"""What holds between the fields of a GuardPolicy, in CEL; see `crd_rules`."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.domain.anomaly import CAUSES, Cause
from autoscaler.spec import policy, policy_anomaly, policy_conditions, policy_pause, policy_rules, selector
from autoscaler.spec.behavior import Part
from autoscaler.spec.crd_rules import AUTOSCALER, SHARED, SOURCE, Between, acknowledged, text
from autoscaler.spec.crd_text import Rule, there

_KNOWN = acknowledged("MayCauseShortage")
_ACKNOWLEDGE = "write acknowledge: [MayCauseShortage]"
_SELECTS_ALL = (
    "!has(self.selector.namespaces) && !has(self.selector.names) && !has(self.selector.sites) && "
    "(!has(self.selector.matchLabels) || self.selector.matchLabels.size() == 0) && "
    "(!has(self.selector.matchExpressions) || self.selector.matchExpressions.size() == 0)"
)
_MANY = "over every workload is easily written by mistake: write acknowledge: [SelectsAll], or a narrower selector"


def _shortages() -> Iterator[Rule]:
    """Whatever may leave workloads short of what they need now is said knowingly."""
    anomaly = "an anomaly that may stop growth below what is needed now leaves workloads short"
    for part in ("defaults", "limits"):
        for cause in CAUSES:
            at = f"{part}.anomaly.{policy_anomaly.field_of(cause)}"
            way = "self.?" + at.replace(".", ".?")
            if cause not in {Cause.DATA_FAULT, Cause.SENSOR_LOSS}:
                yield Rule(f"{way}.?growth.orValue('') != 'None' || {_KNOWN}",
                           f"{anomaly}: {_ACKNOWLEDGE}, or growth: ObservedNeed", f".{at}.growth",
                           (f"{at}.growth", "acknowledge"))  # fmt: skip
            yield Rule(f"!{way}.?cap.?mayCauseShortage.orValue(false) || {_KNOWN}",
                       f"{anomaly}: {_ACKNOWLEDGE}", f".{at}.cap.mayCauseShortage",
                       (f"{at}.cap.mayCauseShortage", "acknowledge"))  # fmt: skip
    yield Rule(
        f"!({there('limits.freezes')} && self.limits.freezes.exists(f, f.?growth.orValue('') == 'None')) || {_KNOWN}",
        f"growth None leaves a workload short of what it needs now: {_ACKNOWLEDGE}, or growth: ObservedNeed",
        ".limits.freezes",
        ("limits.freezes", "acknowledge"),
    )
    for name in ("budget", "brake"):
        yield Rule(
            f"!self.?limits.?{name}.?mayCauseShortage.orValue(false) || {_KNOWN}",
            f"a {name} that may cut below what is needed now leaves workloads short: {_ACKNOWLEDGE}",
            f".limits.{name}",
            (f"limits.{name}.mayCauseShortage", "acknowledge"),
        )
    yield Rule(
        f"!({there('limits.conditions')} && self.limits.conditions.exists(c, c.?mayCauseShortage.orValue(false))) || "
        f"{_KNOWN}",
        f"a cap that may cut below what is needed now leaves workloads short: {_ACKNOWLEDGE}",
        ".limits.conditions",
        ("limits.conditions", "acknowledge"),
    )
    yield Rule(
        f"!self.?limits.?behavior.?scaleUp.?mayCauseShortage.orValue(false) || {_KNOWN}",
        f"step limits that may hold growth below what is needed now leave workloads short: {_ACKNOWLEDGE}",
        ".limits.behavior.scaleUp.mayCauseShortage",
        ("limits.behavior.scaleUp.mayCauseShortage", "acknowledge"),
    )


_GUARDS = Between(
    ("_something_and_knowingly",),
    (
        Rule("has(self.defaults) || has(self.limits) || has(self.pause)",
             "says nothing, there are no defaults, limits or pause: write one of them, or delete the policy",
             reads=("defaults", "limits", "pause")),
        *_shortages(),
        Rule(f"!has(self.pause) || {text('pause.until')} || {acknowledged('OpenEnded')}",
             "a pause without an end is easily forgotten: write until, or openEnded: true and "
             "acknowledge: [OpenEnded]", ".pause", ("pause", "acknowledge")),
        Rule(f"!has(self.pause) || !({_SELECTS_ALL}) || {acknowledged('SelectsAll')}", f"a pause {_MANY}", ".pause",
             ("pause", "selector", "acknowledge")),
        Rule(f"!has(self.limits) || !has(self.limits.replicas) || !has(self.limits.replicas.max) || "
             f"!({_SELECTS_ALL}) || {acknowledged('SelectsAll')}", f"a max {_MANY}", ".limits",
             ("limits.replicas.max", "selector", "acknowledge")),
    ),
)  # fmt: skip
_NO_ORDER = "min is above max: raise max or lower min"
_IN_ORDER = "!has(self.min) || !has(self.max) || self.min <= self.max"
_MIN_OR_MAX = Rule("has(self.min) || has(self.max)", "says nothing: write min, max or both")
_LISTS = ("conditions", "schedule", "freezes", "events")
_COMPARES = "self.operator in ['In', 'NotIn']"


def _distinct() -> Iterator[Rule]:
    """Names are unique over all lists of a policy; inside one list its kind, a map by name, says so."""
    for count, later in enumerate(_LISTS):
        for earlier in _LISTS[:count]:
            yield Rule(
                f"!has(self.{earlier}) || !has(self.{later}) || "
                f"!self.{later}.exists(a, self.{earlier}.exists(b, a.name == b.name))",
                f"another rule of this policy, among its {earlier}, has the same name: give each its own",
                f".{later}",
                (later, earlier),
            )


POLICY: dict[type[Part], Between] = {
    policy.GuardPolicySpec: _GUARDS,
    selector.ExpressionSpec: Between(
        ("_values_where_they_count",),
        (Rule(f"({_COMPARES}) == (has(self.values) && self.values.size() > 0)",
              "In and NotIn need values, Exists and DoesNotExist take none", ".values"),),
    ),
    policy_rules.LimitsSpec: Between(("_distinct_names",), tuple(_distinct())),
    policy_rules.BoundsSpec: Between(("_in_order",), (_MIN_OR_MAX, Rule(_IN_ORDER, _NO_ORDER))),
    policy_rules.ScheduleSpec: Between(("_something",), (_MIN_OR_MAX, Rule(_IN_ORDER, _NO_ORDER, ".min"))),
    policy_rules.EventSpec: Between(
        ("_something",), (Rule("has(self.floor) || has(self.uplift)", "says nothing: write floor, uplift or both"),)
    ),
    policy_rules.SurviveSpec: Between(
        ("_something",),
        (Rule("has(self.replicas) || has(self.zoneOf)", "says nothing: write replicas: 1, or zoneOf: 3"),),
    ),
    policy_rules.UpLimits: Between(
        ("_shortage_of_something",),
        (Rule(f"!self.?mayCauseShortage.orValue(false) || has(self.policies) || {text('selectPolicy')}",
              "means nothing without step limits: write policies or selectPolicy, or remove it",
              ".mayCauseShortage"),),
    ),
    policy_anomaly.GrowthCapSpec: Between(
        ("_something",),
        (Rule(f"{text('over')} || has(self.replicas)", "says nothing: write over, replicas or both"),),
    ),
    policy_conditions.ConditionSpec: Between(
        ("_replicas_where_they_count",),
        (
            Rule("(self.then in ['Cap', 'Floor']) == has(self.replicas)",
                 "Cap and Floor need replicas, Hold and Allow take none", ".replicas"),
            Rule("!self.?mayCauseShortage.orValue(false) || self.then == 'Cap'",
                 "means something for a cap only: remove it", ".mayCauseShortage"),
        ),
    ),
    policy_pause.PolicyPauseSpec: Between(
        ("_an_end_or_none",),
        (
            Rule(f"{text('until')} != self.?openEnded.orValue(false)",
                 "takes either until or openEnded: true: write one of the two", ".until"),
            Rule("!has(self.at) || self.?direction.orValue('Both') in ['Both', '']",
                 "stops both directions: remove direction, or at", ".at"),
        ),
    ),
}  # fmt: skip

BETWEEN: dict[type[Part], Between] = {**AUTOSCALER, **SOURCE, **SHARED, **POLICY}
"""Of every model that has rules between its fields."""
